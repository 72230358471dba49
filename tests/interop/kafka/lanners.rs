//! A Lanner before and one behind Kafka, each with its queues on a disk that outlives it.

use crate::support::{
    lanner::{Lanner, Ledger, TempDir, binary},
    wait,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// For a start.
const READY: Duration = Duration::from_secs(60);
/// For the books of one that has not done what it should.
const BOOKS: Duration = Duration::from_secs(20);

/// Every exporter of these tests: on disk, quick to try again, and patient with a busy machine, which is sent nothing twice.
pub const QUEUED: &str = "timeout: 60s, sending_queue: {storage: file_storage}, \
     retry_on_failure: {initial_interval: 100ms, max_interval: 500ms}";

/// A Lanner that can be killed and started again.
pub struct Post {
    state: TempDir,
    config: String,
    running: Option<Lanner>,
}

impl Post {
    /// Starts with these parts of a configuration, each in YAML's flow form without the outer braces.
    pub fn start(receivers: &str, exporters: &str, pipelines: &str) -> Self {
        let mut post = Self { state: TempDir::new(), config: String::new(), running: None };
        post.start_as(receivers, exporters, pipelines);
        post
    }

    /// Starts on the same disk with another configuration.
    pub fn start_as(&mut self, receivers: &str, exporters: &str, pipelines: &str) {
        let state = self.state.path().join("state");
        self.config = format!(
            "extensions: {{file_storage: {{directory: '{}'}}}}
receivers: {{{receivers}}}
exporters: {{{exporters}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{{pipelines}}}
",
            state.display()
        );
        self.start_again();
    }

    /// Starts again on the same disk.
    pub fn start_again(&mut self) {
        let mut lanner = Lanner::spawn_with(&self.config, Command::new(binary()));
        if let Err(status) = lanner.ready(READY) {
            panic!("ended with {status}:\n{}", lanner.stderr());
        }
        self.running = Some(lanner);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// SIGTERM; its books.
    pub fn stop(&mut self) -> Ledger {
        self.running.take().unwrap().stop()
    }

    /// Waits until it has logged all of these words in one line.
    pub fn wait_for_line(&self, words: &[&str]) {
        let lanner = self.running.as_ref().unwrap();
        wait::until(&format!("a line with {words:?}"), READY, || {
            let log = lanner.stderr();
            log.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        });
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let Some(mut lanner) = self.running.take().filter(|_| std::thread::panicking()) else { return };
        // Its books, at the end of the log, say how far the items came. Nothing may panic here.
        if lanner.is_running() {
            lanner.signal("TERM");
            let end = Instant::now() + BOOKS;
            while lanner.is_running() && Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        eprintln!("the log of a Lanner:\n{}", lanner.stderr());
    }
}

/// Falco's alerts at `port`, to a topic; `more` keys of the exporter.
pub fn front(port: u16, broker: &str, topic: &str, more: &str) -> [String; 3] {
    [
        format!("falco_http: {{endpoint: 'localhost:{port}'}}"),
        format!("kafka: {{brokers: ['{broker}'], {QUEUED}, logs: {{topic: {topic}{more}}}}}"),
        "logs: {receivers: [falco_http], exporters: [kafka]}".to_owned(),
    ]
}

/// A topic, to the sink at `port`; `more` keys of the receiver.
pub fn back(port: u16, broker: &str, topic: &str, more: &str) -> [String; 3] {
    [
        format!("kafka: {{brokers: ['{broker}'], initial_offset: earliest, logs: {{topics: [{topic}]}}{more}}}"),
        format!("otlp_grpc: {{endpoint: 'localhost:{port}', tls: {{insecure: true}}, {QUEUED}}}"),
        "logs: {receivers: [kafka], exporters: [otlp_grpc]}".to_owned(),
    ]
}

/// Starts with the parts that [`front`] and [`back`] make.
pub fn start(parts: &[String; 3]) -> Post {
    let [receivers, exporters, pipelines] = parts;
    Post::start(receivers, exporters, pipelines)
}
