//! The page about Lanner's own metrics.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir},
    wait,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap()
}

/// The names in backticks in the first cell of the page's tables.
fn documented(page: &str) -> BTreeSet<&str> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.filter(|name| !name.contains(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())).collect()
}

/// Scenario: the quickstart runs with an OTLP exporter as well, so that there is a queue; something odd is posted.
/// Guarantee: every metric that it serves about itself is in docs/metrics.md.
#[test]
fn every_metric_of_the_quickstart_is_documented() {
    let [falco, prometheus, health, own] = [(); 4].map(|()| wait::free_port());
    let sets = [
        format!("receivers.falco_http.endpoint=localhost:{falco}"),
        format!("exporters.prometheus.endpoint=localhost:{prometheus}"),
        format!("extensions.health_check.endpoint=localhost:{health}"),
        format!("exporters.otlp_grpc={{endpoint: 'localhost:{}', tls: {{insecure: true}}}}", wait::free_port()),
        "service.pipelines.logs.exporters=[debug, event_metrics, otlp_grpc]".to_owned(),
        format!(
            "service.telemetry.metrics.readers=[{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]"
        ),
    ];
    let mut args = vec!["run", "--shutdown-timeout", "1s"];
    for set in &sets {
        args.extend(["--set", set]);
    }
    let lanner = Lanner::start_with(TempDir::new(), &args);
    let url = format!("http://localhost:{falco}/");
    assert_eq!(curl::post(&url, b"no alert", &[]).0, 400);
    assert_eq!(curl::post(&url, br#"{"rule":"R","priority":"Loud","output":"o"}"#, &[]).0, 200);
    assert_eq!(curl::post(&url, b"", &[]).0, 400);
    let text = curl::get(&format!("http://localhost:{own}/metrics"), &[]).1;
    lanner.stop();

    let served: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for expected in ["otelcol_exporter_queue_size", "lanner_receiver_unusable", "lanner_receiver_lost_requests"] {
        assert!(served.contains(expected), "{expected} is not served, so this test sees too little:\n{text}");
    }
    let page = page();
    let documented = documented(&page);
    let missing: Vec<_> = served.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
}

/// Scenario: a metric is renamed or taken away.
/// Guarantee: docs/metrics.md names no metric that the sources do not have.
#[test]
fn every_documented_metric_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    for folder in ["engine", "receivers", "processors", "connectors", "exporters", "extensions", "src"] {
        read_sources(&root.join(folder), &mut sources);
    }
    // Dots become underscores on the way to Prometheus.
    let literals: BTreeSet<String> = sources.split('"').map(|literal| literal.replace('.', "_")).collect();
    let page = page();
    let documented = documented(&page);
    assert!(documented.len() >= 40, "{documented:?}");
    let unknown: Vec<_> =
        documented.iter().filter(|name| **name != "target_info" && !literals.contains(**name)).collect();
    assert!(unknown.is_empty(), "docs/metrics.md has metrics that do not exist: {unknown:?}");
}

/// All Rust sources below a folder but the tests', one behind the other.
fn read_sources(folder: &Path, sources: &mut String) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            read_sources(&path, sources);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
