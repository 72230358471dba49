//! The command line: outputs and exit codes that scripts rely on.

use crate::support::lanner::{TempDir, command};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const BROKEN: &str = "receivers: {falco_http: {endpoint: 'localhost:2801', holld: 1s}}
exporters: {debug: {verbosity: loud}}
service: {pipelines: {logs: {receivers: [falco_http], exporters: [debug, otlp_grpc/missing]}}}
";

/// Scenario: a configuration with three mistakes is validated, for people and for programs, and run.
/// Guarantee: all three are reported in one run with file, line and column; exit code 1; nothing is started.
#[test]
fn validate_reports_everything_and_run_refuses_the_same() {
    let dir = TempDir::new();
    let path = dir.path().join("broken.yaml");
    std::fs::write(&path, BROKEN).unwrap();
    let path = path.to_str().unwrap();

    let human = command(&["validate", "--config", path]);
    assert_eq!(human.status.code(), Some(1));
    let shown = text(&human.stderr);
    assert!(shown.contains("holld") && shown.contains("hold") && shown.contains("loud"), "{shown}");
    assert!(shown.contains("references exporter \"otlp_grpc/missing\" which is not configured"), "{shown}");
    assert!(shown.contains("broken.yaml:1:"), "{shown}");

    let json = command(&["validate", "--config", path, "--format", "json"]);
    assert_eq!(json.status.code(), Some(1));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert!(rows.iter().filter(|row| row["severity"] == "error").count() >= 3, "{rows:#?}");
    for row in &rows {
        for key in ["severity", "code", "message", "file", "line", "column", "path", "help"] {
            assert!(row.get(key).is_some(), "{key} is missing in {row}");
        }
    }
    let run = command(&["run", "--config", path]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(text(&run.stderr), shown, "run says the same as validate");
}

/// Scenario: the built-in quickstart; a flag that does not exist; an unknown code.
/// Guarantee: exit codes 0, 2 and 1.
#[test]
fn exit_codes() {
    assert_eq!(command(&["validate"]).status.code(), Some(0));
    assert_eq!(command(&["validate", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(command(&["explain", "L9999"]).status.code(), Some(1));
    assert_eq!(command(&["--version"]).status.code(), Some(0));
    assert!(text(&command(&["--version"]).stdout).starts_with("lanner "));
}

/// Scenario: the quickstart is drawn, printed, and checked against the schema that editors use.
/// Guarantee: every format names the components; secrets stay hidden; the schema accepts what validate accepts.
#[test]
fn graph_print_config_schema_completion() {
    for (format, mark) in [("ascii", "falco_http"), ("mermaid", "flowchart"), ("dot", "digraph")] {
        let drawn = text(&command(&["graph", "--format", format]).stdout);
        assert!(drawn.contains(mark) && drawn.contains("event_metrics"), "{format}:\n{drawn}");
    }
    let dir = TempDir::new();
    let path = dir.path().join("secret.yaml");
    let yaml = "receivers: {falco_http: }
exporters: {otlp_http: {endpoint: 'http://localhost:4318', headers: {authorization: 'Bearer canary-7731'}}}
service: {pipelines: {logs: {receivers: [falco_http], exporters: [otlp_http]}}}
";
    std::fs::write(&path, yaml).unwrap();
    let printed = command(&["print-config", "--config", path.to_str().unwrap()]);
    let shown = text(&printed.stdout);
    assert!(printed.status.success() && shown.contains("[REDACTED]") && !shown.contains("canary"), "{shown}");
    assert!(shown.contains("hold:"), "defaults are filled in:\n{shown}");
    let schema: serde_json::Value = serde_json::from_slice(&command(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["receivers"].is_object() && schema["properties"]["service"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&command(&["completion", shell]).stdout).contains("validate"), "{shell}");
    }
}

/// Scenario: `lanner components`, for people and for programs.
/// Guarantee: everything that ships is listed, with its kind, stability and signals.
#[test]
fn components() {
    let shown = text(&command(&["components"]).stdout);
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&command(&["components", "--format", "json"]).stdout).unwrap();
    for name in [
        "docker_logs",
        "k8s_audit",
        "otlp",
        "falco_http",
        "generator",
        "filter",
        "event_metrics",
        "otlp_grpc",
        "otlp_http",
        "prometheus",
        "file",
        "debug",
        "health_check",
    ] {
        assert!(shown.contains(name), "{name} in\n{shown}");
        let row = rows.iter().find(|row| row["type"] == name).unwrap();
        assert!(row["stability"].is_string() && row["kind"].is_string() && row["signals"].is_array(), "{row}");
    }
}
