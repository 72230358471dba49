//! The Collector of `tests/interop/collector` as a process.

use crate::support::{lanner::TempDir, wait};
use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A running Collector. Killed when dropped.
pub struct Collector {
    child: Child,
    dir: TempDir,
}

/// Takes first and delivers later, again and again.
pub const QUEUED: &str = "sending_queue: {queue_size: 100000}, \
     retry_on_failure: {initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 0s}";

/// Answers what its own sink answers.
pub const UNQUEUED: &str = "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}";

impl Collector {
    /// Takes OTLP/gRPC at `port` and OTLP/HTTP at `http_port`, and sends on with `exporter` (an exporter id and its body
    /// in YAML flow style) and `delivery`, which is [`QUEUED`] or [`UNQUEUED`].
    pub fn start(port: u16, http_port: u16, exporter: (&str, &str), delivery: &str) -> Self {
        let (id, body) = exporter;
        Self::run(&format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '127.0.0.1:{port}', max_recv_msg_size_mib: 64}}
      http: {{endpoint: '127.0.0.1:{http_port}'}}
exporters:
  {id}: {{{body}, {delivery}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [{id}]}}
    metrics: {{receivers: [otlp], exporters: [{id}]}}
    traces: {{receivers: [otlp], exporters: [{id}]}}
"
        ))
    }

    fn run(config: &str) -> Self {
        let binary = std::env::var_os("COLLECTOR_BINARY").map(PathBuf::from);
        let binary = binary.expect("COLLECTOR_BINARY is set by tests/interop/collector/run.sh");
        let dir = TempDir::new();
        std::fs::write(dir.path().join("config.yaml"), config).unwrap();
        let log = File::create(dir.path().join("stderr")).unwrap();
        let child = Command::new(binary)
            .arg("--config=config.yaml")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut collector = Self { child, dir };
        wait::until("the Collector is ready", Duration::from_secs(30), || {
            if let Some(status) = collector.child.try_wait().unwrap() {
                panic!("the Collector ended with {status}:\n{}\n{config}", collector.log());
            }
            collector.log().contains("Everything is ready").then_some(())
        });
        collector
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the Collector's log:\n{}", self.log());
        }
    }
}
