//! The pipeline under test: one receiver, a queue on disk for each sink.

use crate::support::{
    lanner::{Lanner, TempDir, binary},
    load::Door,
    strace, wait,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long a start may take in these tests; D1 asks for less of a normal one.
pub const START: Duration = Duration::from_secs(30);

/// What is the same for every start of a test.
pub struct Rig {
    pub state: PathBuf,
    /// Removes the state at the end, where nobody else does.
    #[allow(dead_code, reason = "held for its drop")]
    pub own: Option<TempDir>,
    pub door: Door,
    /// Of the receiver.
    pub port: u16,
    /// Of the page with its own metrics.
    pub metrics: u16,
    /// Of the health check.
    pub health: u16,
    /// Of sinks.
    pub sinks: Vec<u16>,
    /// What the files of the queues may take.
    pub max_size_mib: u64,
    /// More keys of the receiver `falco_http`, in YAML's flow form.
    pub receiver: &'static str,
    /// The type of every exporter.
    pub kind: &'static str,
    /// How it is told a sink's port, in YAML's flow form.
    pub target: Box<dyn Fn(u16) -> String>,
    /// More keys of every exporter, in YAML's flow form.
    pub exporter: &'static str,
    /// More keys of every queue.
    pub queue: &'static str,
}

impl Rig {
    /// With these sinks and a state folder of its own.
    pub fn new(door: Door, sinks: &[u16]) -> Self {
        let own = TempDir::new();
        let state = own.path().join("state");
        Self { own: Some(own), ..Self::at(&state, door, sinks) }
    }

    /// With its state in this folder.
    pub fn at(state: &Path, door: Door, sinks: &[u16]) -> Self {
        let [port, metrics, health] = [(); 3].map(|()| wait::free_port());
        Self {
            state: state.to_owned(),
            own: None,
            door,
            port,
            metrics,
            health,
            sinks: sinks.to_owned(),
            max_size_mib: 64,
            kind: "otlp_grpc",
            target: Box::new(|port| format!("endpoint: 'localhost:{port}', tls: {{insecure: true}}")),
            receiver: "",
            exporter: "retry_on_failure: {initial_interval: 50ms, max_interval: 250ms}",
            queue: "num_consumers: 4",
        }
    }

    /// The folder of the queue's files.
    pub fn queue_folder(&self) -> PathBuf {
        self.state.join("queue")
    }

    /// A file of the queue.
    pub fn segment(&self, number: u64) -> PathBuf {
        self.queue_folder().join(format!("{number:016}.segment"))
    }

    pub fn config(&self) -> String {
        let Self { port, metrics, health, max_size_mib, receiver: more, kind, target, exporter, queue, .. } = self;
        let (receiver, ids) = match self.door {
            Door::Falco => (format!("falco_http: {{endpoint: 'localhost:{port}', {more}}}"), "falco_http"),
            Door::Otlp => (format!("otlp: {{protocols: {{http: {{endpoint: 'localhost:{port}'}}}}}}"), "otlp"),
        };
        let exporters: String = (self.sinks.iter().enumerate())
            .map(|(index, sink)| {
                let target = target(*sink);
                format!(
                    "  {kind}/{index}: {{{target}, {exporter}, sending_queue: {{storage: file_storage, {queue}}}}}\n"
                )
            })
            .collect();
        let names: Vec<String> = (0..self.sinks.len()).map(|index| format!("{kind}/{index}")).collect();
        format!(
            "extensions:
  file_storage: {{directory: '{}', queues: {{max_size_mib: {max_size_mib}}}}}
  health_check: {{endpoint: 'localhost:{health}'}}
receivers: {{{receiver}}}
exporters:
{exporters}service:
  extensions: [file_storage, health_check]
  telemetry:
    logs: {{encoding: json}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {metrics}}}}}}}}}]}}
  pipelines: {{logs: {{receivers: [{ids}], exporters: [{}]}}}}
",
            self.state.display(),
            names.join(", ")
        )
    }

    /// Starts and waits until it is ready.
    pub fn start(&self) -> Lanner {
        let mut lanner = self.spawn();
        if let Err(status) = lanner.ready(START) {
            panic!("ended with {status}:\n{}", lanner.stderr());
        }
        lanner
    }

    /// Starts and does not wait.
    pub fn spawn(&self) -> Lanner {
        Lanner::spawn_with(&self.config(), Command::new(binary()))
    }

    /// Starts below strace with these options, its log in this file; does not wait.
    pub fn spawn_traced(&self, log: &Path, options: &[&str]) -> Lanner {
        Lanner::spawn_with(&self.config(), strace::traced(&binary(), log, options))
    }

    /// The page with its own metrics.
    pub fn metrics_page(&self) -> String {
        format!("http://localhost:{}/metrics", self.metrics)
    }
}
