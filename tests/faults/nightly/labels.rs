//! Values of labels without end (X9).

use crate::{
    long,
    support::{
        connection::Connection,
        curl,
        lanner::{Lanner, sum},
        wait,
    },
};
use std::time::{Duration, Instant};

const ARRIVAL: Duration = Duration::from_secs(120);
/// Alerts of a request.
const TOGETHER: usize = 1000;
/// X9's bounds.
const SERIES: usize = 2000;
const SCRAPE: Duration = Duration::from_millis(200);
const GROWTH: u64 = 50 << 10;

fn body(numbers: std::ops::Range<usize>) -> String {
    let alert = |number| {
        format!(
            r#"{{"hostname":"node-{number}","rule":"Rule {number}","priority":"Error","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{{"container.id":"{number:012x}"}}}}"#
        ) + "\n"
    };
    numbers.map(alert).collect()
}

/// Scenario: X9: alerts with a hundred thousand (in the long form, a million) rules and hosts go through `event_metrics` to the
/// page of `prometheus`.
/// Guarantee: each metric has at most 2000 series and one for the rest; a scrape takes less than 200 ms; the sums are exact;
/// memory grows by less than 50 MiB.
#[test]
fn x9_a_million_values() {
    let many = if long() { 1_000_000 } else { 100_000 };
    let [port, scraped] = [wait::free_port(), wait::free_port()];
    let lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
connectors:
  event_metrics:
    metrics: {{falco.alerts.by_host: {{attributes: [host.name]}}}}
exporters: {{prometheus: {{endpoint: 'localhost:{scraped}', max_series: 20000}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [falco_http], exporters: [event_metrics]}}
    metrics: {{receivers: [event_metrics], exporters: [prometheus]}}
"
    ));
    let mut connection = Connection::open(port).unwrap();
    let mut post = |numbers| {
        let body = body(numbers);
        let json = "Content-Type: application/json\r\n";
        wait::until("the alerts are taken", ARRIVAL, || {
            (connection.post("/", json, body.as_bytes()).unwrap() == 200).then_some(())
        });
    };
    // What every metric takes at its limit is there.
    post(0..10 * TOGETHER);
    let before = lanner.rss_kib();
    for first in (10 * TOGETHER..many).step_by(TOGETHER) {
        post(first..first + TOGETHER);
    }
    let url = format!("http://localhost:{scraped}/metrics");
    let metrics = ["falco_alerts_total", "falco_alerts_by_host_total"];
    let page = wait::until("all are counted", ARRIVAL, || {
        let (status, page) = curl::get(&url, &[]);
        assert_eq!(status, 200);
        metrics.iter().all(|name| sum(&page, name, "") == many as f64).then_some(page)
    });
    let scrapes = [(); 5].map(|()| {
        let start = Instant::now();
        curl::get(&url, &[]);
        start.elapsed()
    });
    let grown = lanner.rss_kib().saturating_sub(before);
    let quickest = scrapes.into_iter().min().unwrap();
    println!("{many} values, {} bytes of page, scrapes {scrapes:.0?}, {grown} KiB more", page.len());
    for name in metrics {
        let series = page.lines().filter(|line| line.starts_with(&format!("{name}{{"))).count();
        assert_eq!(series, SERIES + 1, "{name}");
        assert_eq!(sum(&page, name, "otel_metric_overflow=\"true\""), (many - SERIES) as f64, "{name}");
    }
    // One of five, because the others may have met a busy machine.
    assert!(quickest < SCRAPE, "{scrapes:?}");
    assert!(grown < GROWTH, "{grown} KiB");
    lanner.stop();
}
