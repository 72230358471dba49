//! The README's first minute.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir, sum},
    wait,
};
use std::time::Duration;

/// Scenario: the built-in quickstart, on ports of its own; the demo attack runs and a test alert is posted.
/// Guarantee: ready and healthy, alerts are printed and counted by Prometheus metrics, its own metrics are served, and
/// it ends cleanly.
#[test]
fn runs_as_the_readme_says() {
    let [falco, prometheus, health, own] = [(); 4].map(|()| wait::free_port());
    let sets = [
        format!("receivers.falco_http.endpoint=localhost:{falco}"),
        format!("exporters.prometheus.endpoint=localhost:{prometheus}"),
        format!("extensions.health_check.endpoint=localhost:{health}"),
        format!(
            "service.telemetry.metrics.readers=[{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]"
        ),
    ];
    let mut args = vec!["run"];
    for set in &sets {
        args.extend(["--set", set]);
    }
    let lanner = Lanner::start_with(TempDir::new(), &args);
    assert_eq!(curl::get(&format!("http://localhost:{health}/"), &[]).0, 200);
    assert_eq!(curl::get(&format!("http://localhost:{falco}/ping"), &[]), (200, "pong\n".to_owned()));
    let alert = br#"{"rule":"By hand","priority":"Critical","time":"2026-01-01T00:00:00Z","output":"hello from curl","output_fields":{}}"#;
    assert_eq!(curl::post(&format!("http://localhost:{falco}/"), alert, &[]).0, 200);
    let page = format!("http://localhost:{prometheus}/metrics");
    wait::until("the alert is counted", Duration::from_secs(20), || {
        let text = curl::get(&page, &[]).1;
        (sum(&text, "falco_alerts_total", "By hand") == 1.0).then_some(())
    });
    wait::until("the demo attack is counted", Duration::from_secs(30), || {
        let text = curl::get(&page, &[]).1;
        (sum(&text, "falco_alerts_total", "") >= 3.0).then_some(())
    });
    let own = curl::get(&format!("http://localhost:{own}/metrics"), &[]).1;
    assert!(sum(&own, "otelcol_receiver_accepted_log_records", "generator") >= 2.0, "{own}");
    assert!(sum(&own, "lanner_pipeline_accepted_items", "logs") >= 3.0, "{own}");
    let ledger = lanner.stop();
    assert!(ledger.row("logs -> debug").delivered >= 3);
}
