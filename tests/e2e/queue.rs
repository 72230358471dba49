//! Queues on disk from outside: dead letters, and `lanner queue`.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir, command},
    request_sink::RequestSink,
    wait,
};
use serde_json::Value;
use std::{path::Path, time::Duration};

fn alerts(count: usize) -> String {
    let alert = |number| {
        format!(
            r#"{{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00.{number:09}Z","output":"alert {number:03}.","output_fields":{{}}}}"#
        ) + "\n"
    };
    (0..count).map(alert).collect()
}

/// Writes a configuration whose queue is in `state`; gives its path.
fn config(state: &Path, exporter: &str, port: u16, sink: u16) -> String {
    let path = state.join("config.yaml");
    let text = format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
extensions: {{file_storage: {{directory: '{}', queues: {{max_size_mib: 16}}}}}}
exporters:
  {exporter}:
    endpoint: 'localhost:{sink}'
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}
    sending_queue: {{storage: file_storage, batch: {{flush_timeout: 100ms, min_size: 100}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: ['{exporter}']}}}}
",
        state.join("lanner").display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn bodies(sink: &RequestSink) -> Vec<String> {
    let requests = sink.requests().logs.into_iter();
    let records = requests.flat_map(|request| request.resource_logs).flat_map(|group| group.scope_logs);
    records.flat_map(|scope| scope.log_records).map(|record| format!("{:?}", record.body)).collect()
}

/// Waits until so many alerts are there.
fn until_there(sink: &RequestSink, count: usize) {
    wait::until("the alerts arrive", Duration::from_secs(60), || (bodies(sink).len() == count).then_some(()));
}

/// Runs the command; its exit code, and what it wrote to stdout and stderr.
fn queue(args: &[&str]) -> (Option<i32>, String, String) {
    let output = command(&[&["queue"], args].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn listed(args: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) = queue(&[&["list", "--format", "json"], args].concat());
    assert_eq!(code, Some(0), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// Scenario: a sink refuses one alert of a hundred (D21), Lanner is stopped, the dead letter is looked at and moved back,
/// and Lanner starts again in front of a sink that takes it.
/// Guarantee: 99 arrive at once and the hundredth after that; the letter says why it is one; a running Lanner's queues
/// are not touched; nothing is dropped without `--yes`.
#[test]
fn d21_a_dead_letter_is_seen_and_sent_again() {
    let (state, port) = (TempDir::new(), wait::free_port());
    let sink = RequestSink::refusing("alert 037.");
    let config = config(state.path(), "otlp_grpc", port, sink.port());
    let place = ["--config", &config];
    let lanner = Lanner::start_with(TempDir::new(), &["run", "--config", &config]);
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), alerts(100).as_bytes(), &[]).0, 200);
    until_there(&sink, 99);

    let (code, stdout, stderr) = queue(&[&["list"], &place[..]].concat());
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("is used by another process; stop it"), "{stderr}");
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered, row.rejected), (100, 99, 1), "{}", row.text);

    let list = listed(&place);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!((&list[0]["queue"], &list[0]["configured"]), (&"otlp_grpc:logs".into(), &true.into()));
    assert_eq!((&list[0]["requests"], &list[0]["dead_letters"]["requests"]), (&0.into(), &1.into()));
    let (code, table, _) = queue(&[&["list"], &place[..]].concat());
    assert!(code == Some(0) && table.starts_with("QUEUE") && !table.contains("not in the configuration"), "{table}");

    let (code, peeked, _) = queue(&[&["peek", "otlp_grpc:logs/dead"], &place[..]].concat());
    let letter: Value = serde_json::from_str(&peeked).unwrap();
    assert_eq!((code, &letter["reason"], &letter["items"]), (Some(0), &"rejected_by_sink".into(), &1.into()));
    assert!(letter["detail"].as_str().unwrap().contains("poison"), "{peeked}");
    let record = &letter["request"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"]["stringValue"], "alert 037.");

    let (code, _, stderr) = queue(&[&["drop", "otlp_grpc:logs/dead"], &place[..]].concat());
    assert!(code == Some(1) && stderr.contains("would drop 1 requests") && stderr.contains("--yes"), "{stderr}");
    let (code, _, stderr) = queue(&[&["redrive", "otlp_grpc/other"], &place[..]].concat());
    assert!(code == Some(1) && stderr.contains("has no dead letters"), "{stderr}");
    let (code, stdout, stderr) = queue(&[&["redrive", "otlp_grpc"], &place[..]].concat());
    assert_eq!((code, stdout.as_str()), (Some(0), "1 dead letters are in `otlp_grpc:logs` again\n"), "{stderr}");

    sink.take_everything();
    let lanner = Lanner::start_with(TempDir::new(), &["run", "--config", &config]);
    until_there(&sink, 100);
    assert!(bodies(&sink)[99].contains("alert 037."));
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.recovered, row.delivered), (0, 1, 1), "{}", row.text);
}

/// Scenario: a sink that is down, and an exporter that the next configuration calls by another name (D17); wrong usage.
/// Guarantee: the old queue is kept and shown as not in the configuration; with `--yes` it is dropped.
#[test]
fn d17_an_orphan_is_shown_and_can_be_dropped() {
    let (state, port) = (TempDir::new(), wait::free_port());
    let (sink, directory) = (wait::free_port(), state.path().join("lanner"));
    let directory = ["--directory", directory.to_str().unwrap()];
    let old = config(state.path(), "otlp_grpc/old", port, sink);
    let lanner = Lanner::start_with(TempDir::new(), &["run", "--config", &old]);
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), alerts(3).as_bytes(), &[]).0, 200);
    let ledger = lanner.stop();
    assert_eq!(ledger.row("logs -> otlp_grpc/old").queued, 3);

    let new = config(state.path(), "otlp_grpc/new", port, sink);
    let list = listed(&["--config", &new]);
    let shown: Vec<_> = list.iter().map(|row| (&row["queue"], &row["configured"], &row["requests"])).collect();
    assert_eq!(
        shown,
        [
            (&"otlp_grpc/new:logs".into(), &true.into(), &0.into()),
            (&"otlp_grpc/old:logs".into(), &false.into(), &1.into())
        ]
    );
    let (_, table, _) = queue(&["list", "--config", &new]);
    let orphan = table.lines().find(|line| line.starts_with("otlp_grpc/old:logs")).unwrap();
    assert!(orphan.ends_with("not in the configuration"), "{table}");
    assert_eq!(listed(&directory)[0]["configured"], Value::Null);

    let (code, stdout, stderr) = queue(&[&["drop", "otlp_grpc/old:logs", "--yes"], &directory[..]].concat());
    assert_eq!((code, stdout.as_str()), (Some(0), "1 requests dropped\n"), "{stderr}");
    assert!(listed(&directory).iter().all(|row| row["requests"] == 0));

    for (args, said) in [
        (&["list"][..], "write --directory DIR, or --config FILE"),
        (&["peek", "otlp_grpc", directory[0], directory[1]], "`otlp_grpc` is no name of a queue"),
        (&["peek", "slack:logs", directory[0], directory[1]], "there is no queue `slack:logs`"),
        (&["list", "--directory", "/nonexistent/lanner"], "/nonexistent/lanner"),
    ] {
        let (code, stdout, stderr) = queue(args);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
}
