//! `Door`: a running receiver with a capture behind it, and `Wire`, a client that sends exactly what it is told.

use super::*;
use lanner_engine::{config::ListenAddress, telemetry::Telemetry, testing::Capture};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub const SOON: Duration = Duration::from_secs(20);

pub const ALERT: &str = r#"{"hostname":"node-a","output":"12:00:00.000000001: Notice A shell was spawned","priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["container","shell"],"time":"2026-11-22T12:00:00.000000001Z","output_fields":{"evt.time":1795348800000000001,"proc.name":"sh","proc.pid":4242,"user.uid":0}}"#;

/// A POST of `body` to `/`.
pub fn post(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

pub struct Door {
    pub address: SocketAddr,
    pub capture: Capture,
    pub telemetry: Telemetry,
}

impl Door {
    /// Runs a receiver on a free port.
    pub async fn open(config: Config) -> Self {
        let config = Config { endpoint: ListenAddress::localhost(0), ..config };
        let (capture, telemetry) = (Capture::new(), Telemetry::default());
        let cx = BuildCx::new(Kind::Receiver, "falco_http".parse().unwrap(), telemetry.clone(), Default::default());
        let receiver = Plan { config }.open(&cx).unwrap();
        let address = receiver.server.local_addr().unwrap();
        tokio::spawn(Box::new(receiver).run(capture.consumer(), Drain::new()));
        Self { address, capture, telemetry }
    }

    pub async fn connect(&self) -> Wire {
        Wire { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }

    /// The series of a counter with this reason.
    pub fn counted(&self, metric: &str, reason: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        let series = metrics.iter().filter(|found| found.name == metric).flat_map(|found| &found.series);
        series.filter(|(labels, _)| labels.iter().any(|(_, value)| value == reason)).map(|(_, value)| value).sum()
    }
}

pub struct Wire {
    pub stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    /// Lower case.
    pub head: String,
    pub body: String,
}

impl Wire {
    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(SOON, self.stream.write_all(bytes)).await.expect("the server must read").unwrap();
    }

    /// The next response head, to its empty line.
    pub async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
            }
            self.more().await;
        }
    }

    /// The next response.
    pub async fn answer(&mut self) -> Answered {
        let head = self.head().await.to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        while self.read.len() < length {
            self.more().await;
        }
        let body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        Answered { status: head[9..12].parse().unwrap(), head, body }
    }

    async fn more(&mut self) {
        let read = timeout(SOON, self.stream.read_buf(&mut self.read)).await.expect("an answer in time").unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
    }
}
