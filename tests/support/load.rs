//! Senders of the oracle's events: each has one request in flight and a new connection after each failure.

use super::{connection::Connection, oracle::Oracle, wait};
use lanner_proto::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message as _;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Which receiver is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Falco,
    Otlp,
}

impl Door {
    /// An event as a request body.
    pub fn body(self, oracle: &Oracle, number: u64) -> Vec<u8> {
        let text = oracle.text(number);
        match self {
            Self::Falco => {
                let nanos = number % 1_000_000_000;
                format!(
                    r#"{{"hostname":"node-1","rule":"R","priority":"Error","source":"syscall","time":"2026-01-01T00:00:00.{nanos:09}Z","output":"{text}","output_fields":{{}}}}"#
                )
                .into_bytes()
            }
            Self::Otlp => {
                let body = Some(AnyValue { value: Some(Value::StringValue(text)) });
                let record = LogRecord { body, time_unix_nano: number + 1, ..LogRecord::default() };
                let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
                let group = ResourceLogs { scope_logs, ..ResourceLogs::default() };
                ExportLogsServiceRequest { resource_logs: vec![group] }.encode_to_vec()
            }
        }
    }

    /// Posts a body over a connection.
    pub fn post(self, connection: &mut Connection, body: &[u8]) -> io::Result<u16> {
        match self {
            Self::Falco => connection.post("/", "Content-Type: application/json\r\n", body),
            Self::Otlp => connection.post("/v1/logs", "Content-Type: application/x-protobuf\r\n", body),
        }
    }
}

/// One sender.
pub struct Sender {
    door: Door,
    port: u16,
    oracle: Arc<Oracle>,
    connection: Option<Connection>,
}

impl Sender {
    pub fn new(door: Door, port: u16, oracle: &Arc<Oracle>) -> Self {
        Self { door, port, oracle: Arc::clone(oracle), connection: None }
    }

    /// Sends the next event, once. Its number when it was acknowledged.
    pub fn send(&mut self) -> Option<u64> {
        let number = self.oracle.issue();
        self.send_again(number).then_some(number)
    }

    /// Sends an event, once. Whether it was acknowledged.
    pub fn send_again(&mut self, number: u64) -> bool {
        let body = self.door.body(&self.oracle, number);
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(self.port),
        };
        let answered = connection.and_then(|mut connection| {
            let status = self.door.post(&mut connection, &body)?;
            self.connection = Some(connection);
            Ok(status)
        });
        match answered {
            Ok(200) => self.oracle.acknowledged(number),
            Ok(_) => self.oracle.refused(),
            Err(_) => self.oracle.unanswered(),
        }
        matches!(answered, Ok(200))
    }

    /// Sends an event until it is acknowledged.
    pub fn send_until_taken(&mut self, limit: Duration) -> u64 {
        let number = self.oracle.issue();
        wait::until("the event is acknowledged", limit, || self.send_again(number).then_some(()));
        number
    }
}

/// Senders in the background. Stopped when dropped.
pub struct Load {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Sent>>,
}

/// What a sender has sent.
pub struct Sent {
    /// The numbers of what was acknowledged, in order.
    pub taken: Vec<u64>,
    /// The longest time to an answer.
    pub slowest: Duration,
}

/// After a failed attempt.
const BREATH: Duration = Duration::from_millis(5);

impl Load {
    /// `senders` that share `rate` events a second.
    pub fn start(door: Door, port: u16, oracle: &Arc<Oracle>, senders: u32, rate: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let gap = Duration::from_secs(1) * senders / rate;
        let thread = |_| {
            let (over, mut sender) = (Arc::clone(&over), Sender::new(door, port, oracle));
            std::thread::spawn(move || {
                let (mut next, mut taken, mut slowest) = (Instant::now(), Vec::new(), Duration::ZERO);
                while !over.load(SeqCst) {
                    let asked = Instant::now();
                    let sent = sender.send();
                    slowest = slowest.max(asked.elapsed());
                    let pause = if sent.is_some() { Duration::ZERO } else { BREATH };
                    taken.extend(sent);
                    next = (next + gap).max(Instant::now() + pause);
                    std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                }
                Sent { taken, slowest }
            })
        };
        let threads = (0..senders).map(thread).collect();
        Self { over, threads }
    }

    /// Returns when every sender has its last answer.
    pub fn stop(mut self) -> Vec<Sent> {
        self.over.store(true, SeqCst);
        self.threads.drain(..).map(|thread| thread.join().unwrap()).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
