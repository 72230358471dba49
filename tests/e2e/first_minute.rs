//! What the README tells a newcomer to type.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir, binary, sum},
    wait,
};
use std::{path::Path, process::Command, time::Duration};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The lines of the page's `sh` blocks, without comments.
fn shell_lines(page: &str) -> Vec<&str> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Scenario: the quickstart runs; the README's alert by hand and its test alert are posted.
/// Guarantee: the first is counted at the Prometheus endpoint; the second, which is of priority Debug, is left out by
/// the quickstart's filter and counted as such, as the README says.
#[test]
fn the_curl_commands_do_what_the_readme_says() {
    let readme = readme();
    let lines = shell_lines(&readme);
    for line in ["make run", "cargo run --release -- run", "curl -X POST localhost:2801/test"] {
        assert!(lines.contains(&line), "the README has no `{line}`");
    }
    let post = lines.iter().find(|line| line.starts_with("curl -d '")).expect("the README posts an alert");
    let (body, url) = post.trim_start_matches("curl -d '").split_once("' ").unwrap();
    assert_eq!(url, "localhost:2801");
    let rule = serde_json::from_str::<serde_json::Value>(body).unwrap()["rule"].as_str().unwrap().to_owned();

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
    assert_eq!(curl::post(&format!("http://localhost:{falco}"), body.as_bytes(), &[]).0, 200);
    assert_eq!(curl::post(&format!("http://localhost:{falco}/test"), b"", &[]).0, 200);
    wait::until("the alert is counted", Duration::from_secs(20), || {
        let text = curl::get(&format!("http://localhost:{prometheus}/metrics"), &[]).1;
        (sum(&text, "falco_alerts_total", &rule) == 1.0).then_some(())
    });
    let text = curl::get(&format!("http://localhost:{own}/metrics"), &[]).1;
    assert_eq!(sum(&text, "lanner_pipeline_discarded_items", "min_priority"), 1.0, "{text}");
    lanner.stop();
}

/// Scenario: every `lanner` command of the README that ends by itself is run in the project's folder.
/// Guarantee: it exists with these options and succeeds.
#[test]
fn the_commands_of_the_readme_succeed() {
    let (readme, mut count) = (readme(), 0);
    for line in shell_lines(&readme) {
        let Some(args) = line.strip_prefix("lanner ") else { continue };
        let args: Vec<&str> = args.split_whitespace().collect();
        if matches!(args[0], "run" | "health") {
            continue;
        }
        let output = Command::new(binary()).args(&args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{line}:\n{}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(count >= 7, "only {count} commands were found");
}
