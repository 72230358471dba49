//! Reloads of the real process: SIGHUP, `--watch`, `--wait-for-valid`.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir, binary, sum},
    otlp_sink::OtlpSink,
    storm::Storm,
    wait,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const ALERT: &str = r#"{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{}}"#;
/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// How many reloads; `make test-faults` sets `LANNER_FAULTS=long`.
fn reloads() -> usize {
    if std::env::var("LANNER_FAULTS").is_ok_and(|text| text == "long") { 1000 } else { 50 }
}

/// A process whose configuration can be written anew.
struct Reloaded {
    lanner: Lanner,
    path: PathBuf,
    own: u16,
}

impl Reloaded {
    /// `service` and `exporters` are what [`Self::write`] takes.
    fn start(port: u16, exporters: &str, list: &str) -> Self {
        let (dir, own) = (TempDir::new(), wait::free_port());
        let path = dir.path().join("config.yaml");
        write(&path, own, port, exporters, list);
        let lanner = Lanner::start_with(dir, &["run", "--config", path.to_str().unwrap()]);
        Self { lanner, path, own }
    }

    fn write(&self, port: u16, exporters: &str, list: &str) {
        write(&self.path, self.own, port, exporters, list);
    }

    /// SIGHUP, then waits until that reload has its result.
    fn reload(&self, result: &str) {
        let before = self.reloads(result);
        self.lanner.signal("HUP");
        wait::until(&format!("a reload with the result {result}"), LONG, || {
            (self.reloads(result) > before).then_some(())
        });
    }

    fn reloads(&self, result: &str) -> u64 {
        self.metric("lanner_reloads", &format!("result=\"{result}\"")) as u64
    }

    fn metric(&self, name: &str, labels: &str) -> f64 {
        let (status, page) = curl::get(&format!("http://localhost:{}/metrics", self.own), &[]);
        if status == 200 { sum(&page, name, labels) } else { 0.0 }
    }

    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.lanner.pid())).unwrap().count()
    }
}

fn write(path: &Path, own: u16, port: u16, exporters: &str, list: &str) {
    let dir = path.parent().unwrap().display();
    let yaml = format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters: {{{exporters}}}
extensions: {{file_storage: {{directory: '{dir}/state'}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [{list}]}}}}
"
    );
    std::fs::write(path, yaml).unwrap();
}

fn otlp(endpoint: &str, more: &str) -> String {
    let retry = "retry_on_failure: {initial_interval: 100ms, max_interval: 300ms}";
    format!("otlp_grpc: {{endpoint: '{endpoint}', tls: {{insecure: true}}, {retry}{more}}}")
}

fn post(port: u16) -> u16 {
    curl::post(&format!("http://localhost:{port}/"), ALERT.as_bytes(), &[]).0
}

/// Scenario: D16: reload upon reload under load, in turn as it was, with errors, with a new exporter, without it, and with
/// another receiver.
/// Guarantee: no connection is refused, every accepted alert arrives, invalid ones change nothing, no file stays open, and the
/// ledger closes for the exporter that stayed and for the one that came and went.
#[test]
fn d16_reload_under_load() {
    let (sink, port) = (OtlpSink::start(), wait::free_port());
    let stays = otlp(&sink.endpoint(), "");
    let process = Reloaded::start(port, &stays, "otlp_grpc");
    let out = process.lanner.dir.path().join("out.json");
    let both = format!("{stays}, file: {{path: '{}'}}", out.display());
    assert_eq!(post(port), 200);
    sink.wait_for(1);
    // With the connection to the sink, which the first alert needs; so does the last one below.
    let files = process.open_files();
    process.reload("success");
    let storm = Storm::start(port, 4, false);
    for number in 0..reloads() {
        match number % 5 {
            0 => process.write(port, &stays, "otlp_grpc"),
            1 => process.write(port, "otlp_grpc: {endpoint: [1]}", "otlp_grpc, nothing"),
            2 => process.write(port, &both, "otlp_grpc, file"),
            3 => process.write(port, &stays.replace("300ms", "200ms"), "otlp_grpc"),
            _ => process.write(port, &both, "file, otlp_grpc"),
        }
        process.reload(if number % 5 == 1 { "invalid" } else { "success" });
    }
    let sent = storm.stop();
    process.write(port, &stays, "otlp_grpc");
    process.reload("success");
    assert_eq!(post(port), 200);
    assert_eq!(sent.refused, 0);
    assert!(sent.accepted.len() > reloads(), "there was load: {}", sent.accepted.len());
    wait::until("everything is delivered", LONG, || {
        (process.metric("lanner_pipeline_queued_items", "") == 0.0).then_some(())
    });
    let received = sink.received();
    sent.check(received.iter().map(|alert| alert.body()).filter(|body| *body != "o"));
    wait::until("no file stays open", LONG, || (process.open_files() <= files).then_some(()));
    let ledger = process.lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert!(row.accepted > sent.accepted.len() as u64, "{}", row.text);
    assert_eq!((row.accepted, row.rejected), (row.delivered, 0), "{}", row.text);
    let row = ledger.row("logs -> file");
    assert!(row.accepted > 0, "{}", row.text);
    assert_eq!((row.accepted, row.rejected), (row.delivered, 0), "{}", row.text);
}

/// Scenario: alerts wait in memory for a sink that is down; the reload changes the queue and, of another exporter that is
/// down, takes it out; then the sink comes back.
/// Guarantee: what waited goes on waiting and arrives, once; what waited for the exporter that was taken out is counted when
/// its time is over.
#[test]
fn a_queue_in_memory_goes_on_after_a_reload() {
    let (port, sink_port, nobody) = (wait::free_port(), wait::free_port(), wait::free_port());
    let stays = otlp(&format!("localhost:{sink_port}"), "");
    let goes = otlp(&format!("localhost:{nobody}"), "").replacen("otlp_grpc", "otlp_grpc/gone", 1);
    let process = Reloaded::start(port, &format!("{stays}, {goes}"), "otlp_grpc, otlp_grpc/gone");
    (0..10).for_each(|_| assert_eq!(post(port), 200));
    let changed = otlp(&format!("localhost:{sink_port}"), ", sending_queue: {queue_size: 100000, sizer: items}");
    process.write(port, &changed, "otlp_grpc");
    process.reload("success");
    let queued = "destination=\"otlp_grpc\"";
    assert_eq!(process.metric("lanner_pipeline_queued_items", queued), 10.0, "they wait still");
    assert_eq!(process.metric("otelcol_exporter_queue_capacity", "exporter=\"otlp_grpc\""), 100_000.0);
    assert_eq!(process.metric("otelcol_exporter_queue_size", "exporter=\"otlp_grpc\""), 10.0, "in items now");
    (0..5).for_each(|_| assert_eq!(post(port), 200));
    let sink = OtlpSink::listen(sink_port);
    sink.wait_for(15);
    wait::until("the exporter that is gone has given up", LONG, || {
        (process.metric("lanner_pipeline_rejected_items", "shutdown_deadline") == 10.0).then_some(())
    });
    let ledger = process.lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered, sink.received().len()), (15, 15, 15), "{}", row.text);
    let row = ledger.row("logs -> otlp_grpc/gone");
    assert_eq!((row.accepted, row.rejected), (10, 10), "{}", row.text);
}

/// Scenario: D17: alerts wait on disk for a sink that is down; a reload takes the exporter out, another brings it back when the
/// sink works again.
/// Guarantee: meanwhile the queue is shown as nobody's, with what is in it; afterwards all arrive, once, and the ledger
/// closes.
#[test]
fn d17_orphaned_queue() {
    let (port, sink_port) = (wait::free_port(), wait::free_port());
    let durable = otlp(&format!("localhost:{sink_port}"), ", sending_queue: {storage: file_storage}");
    let other = "file: {path: 'out.json'}";
    let process = Reloaded::start(port, &format!("{durable}, {other}"), "otlp_grpc, file");
    (0..10).for_each(|_| assert_eq!(post(port), 200));
    process.write(port, other, "file");
    process.reload("success");
    let shown = |declared: bool, entries: f64| {
        let labels = format!("declared=\"{declared}\"");
        wait::until(&format!("{entries} with {labels}"), LONG, || {
            (process.metric("lanner_queue_entries", &labels) == entries).then_some(())
        });
    };
    shown(false, 10.0);
    (0..3).for_each(|_| assert_eq!(post(port), 200));
    let sink = OtlpSink::listen(sink_port);
    process.write(port, &format!("{durable}, {other}"), "otlp_grpc, file");
    process.reload("success");
    sink.wait_for(10);
    shown(false, 0.0);
    assert_eq!(post(port), 200);
    sink.wait_for(11);
    let ledger = process.lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered, sink.received().len()), (11, 11, 11), "{}", row.text);
    assert_eq!(ledger.row("logs -> file").delivered, 14);
}

/// Scenario: reloads that cannot be done: a port that another program has, a storage that moves; then one that widens the
/// address of the receiver.
/// Guarantee: what ran goes on, health and metrics say so; the last one is done.
#[test]
fn what_cannot_be_built_changes_nothing() {
    let (sink, port) = (OtlpSink::start(), wait::free_port());
    let process = Reloaded::start(port, &otlp(&sink.endpoint(), ""), "otlp_grpc");
    let good = std::fs::read_to_string(&process.path).unwrap();
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = foreign.local_addr().unwrap().port();
    std::fs::write(&process.path, good.replace(&format!("localhost:{port}"), &format!("localhost:{taken}"))).unwrap();
    process.reload("refused");
    std::fs::write(&process.path, good.replace("/state", "/elsewhere")).unwrap();
    process.reload("refused");
    wait::until("the remedy", LONG, || process.lanner.stderr().contains("restart to apply").then_some(()));
    assert_eq!(post(port), 200);
    std::fs::write(&process.path, good.replace(&format!("localhost:{port}"), &format!("0.0.0.0:{port}"))).unwrap();
    process.reload("success");
    assert_eq!(post(port), 200);
    sink.wait_for(2);
    let ledger = process.lanner.stop();
    assert_eq!(ledger.row("logs -> otlp_grpc").delivered, 2);
}

/// Scenario: several SIGHUPs at once; SIGTERM right behind a SIGHUP.
/// Guarantee: the configuration that was last written runs; the process drains and ends with 0.
#[test]
fn signals_fold() {
    let (sink, port) = (OtlpSink::start(), wait::free_port());
    let mut process = Reloaded::start(port, &otlp(&sink.endpoint(), ""), "otlp_grpc");
    (0..5).for_each(|_| process.lanner.signal("HUP"));
    let next = wait::free_port();
    process.write(next, &otlp(&sink.endpoint(), ""), "otlp_grpc");
    process.reload("success");
    wait::until("the new address is served", LONG, || (post(next) == 200).then_some(()));
    sink.wait_for(1);
    process.lanner.signal("HUP");
    process.lanner.signal("TERM");
    let (status, stderr) = process.lanner.wait(LONG);
    assert!(status.success(), "{status}:\n{stderr}");
    assert!(!stderr.contains("DOES NOT ADD UP"), "{stderr}");
}

/// Scenario: `--watch`; the file gets another exporter, then errors.
/// Guarantee: the first change runs without a signal, the second is reported and changes nothing.
#[test]
fn changes_of_files_are_seen() {
    let (dir, port, own) = (TempDir::new(), wait::free_port(), wait::free_port());
    let path = dir.path().join("config.yaml");
    write(&path, own, port, "file: {path: 'one.json'}", "file");
    let lanner = Lanner::start_with(dir, &["run", "--watch", "--config", path.to_str().unwrap()]);
    write(&path, own, port, "file: {path: 'two.json'}", "file");
    let says = |text: &str| wait::until(text, LONG, || lanner.stderr().contains(text).then_some(()));
    says("The new configuration runs.");
    write(&path, own, port, "file: {pth: 'three.json'}", "file");
    says("unknown key `pth`");
    says("the new configuration is not used");
    assert_eq!(post(port), 200);
    wait::until("the second file has the alert", LONG, || {
        let text = std::fs::read_to_string(lanner.dir.path().join("two.json")).unwrap_or_default();
        (!text.is_empty()).then_some(())
    });
    lanner.stop();
}

/// Scenario: `--wait-for-valid` with a configuration that has errors, which is then corrected; the same without the flag.
/// Guarantee: with it the process waits, says so on its health endpoint, and runs once the file is right; without it it ends
/// with 1.
#[test]
fn a_process_may_wait_for_its_configuration() {
    let (dir, port, own) = (TempDir::new(), wait::free_port(), wait::free_port());
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, "receivers: {nonsense: }").unwrap();
    let args = ["run", "--config", path.to_str().unwrap()];
    let ended = Command::new(binary()).args(args).stderr(Stdio::null()).status().unwrap();
    assert_eq!(ended.code(), Some(1));
    let mut waiting = Lanner::spawn(dir, &["run", "--wait-for-valid", "--config", path.to_str().unwrap()]);
    wait::until("it waits", LONG, || waiting.stderr().contains("waiting for a configuration").then_some(()));
    // Its default address may belong to another process of this machine.
    if !waiting.stderr().contains("nobody can ask") {
        let (status, text) = curl::get("http://localhost:13133/healthz?verbose", &[]);
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("[-]configuration StatusPermanentError"), "{text}");
    }
    assert!(waiting.is_running());
    write(&path, own, port, "file: {path: 'out.json'}", "file");
    wait::until("it runs", LONG, || waiting.stderr().contains("Everything is ready").then_some(()));
    assert_eq!(post(port), 200);
    assert_eq!(waiting.stop().row("logs -> file").delivered, 1);
}

/// Scenario: standard input is read while reloads replace its reader, in the middle of lines.
/// Guarantee: every line is delivered once and whole.
#[test]
fn standard_input_goes_on() {
    use std::io::Write;
    let dir = TempDir::new();
    let path = dir.path().join("config.yaml");
    let out = dir.path().join("out.json");
    let yaml = |name: &str| {
        format!(
            "receivers: {{stdin: {{format: falco}}}}
exporters: {{file/{name}: {{path: '{}'}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [stdin], exporters: [file/{name}]}}}}
",
            out.display()
        )
    };
    std::fs::write(&path, yaml("0")).unwrap();
    let (mut lanner, mut pipe) = Lanner::spawn_with_stdin(dir, &["run", "--config", path.to_str().unwrap()]);
    wait::until("it runs", LONG, || lanner.stderr().contains("Everything is ready").then_some(()));
    let line = |number: usize| ALERT.replace("\"o\"", &format!("\"line {number}\""));
    for number in 0..10 {
        let (text, half) = (line(number) + "\n", 20);
        pipe.write_all(&text.as_bytes()[..half]).unwrap();
        std::fs::write(&path, yaml(&(number + 1).to_string())).unwrap();
        lanner.signal("HUP");
        wait::until("the reload is done", LONG, || {
            (lanner.stderr().matches("The new configuration runs.").count() == number + 1).then_some(())
        });
        pipe.write_all(&text.as_bytes()[half..]).unwrap();
    }
    drop(pipe);
    let (status, stderr) = lanner.wait(LONG);
    assert!(status.success(), "{stderr}");
    assert!(!stderr.contains("DOES NOT ADD UP"), "{stderr}");
    let text = std::fs::read_to_string(out).unwrap();
    let found: BTreeSet<usize> = (0..10).filter(|number| text.contains(&format!("line {number}\""))).collect();
    assert_eq!(found.len(), 10, "{text}");
    assert_eq!(text.matches("\"log.record.uid\"").count(), 10);
}
