//! The load: keep-alive connections, each with one request on its way, over plain sockets so that it costs little.

use crate::{Error, alerts::numbered};
use bytes::Bytes;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer that is not there by then after the end of the load is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// The number of the next alert that is to be like no other.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alerts {
    /// Some thousand, again and again.
    Repeated,
    /// Each once.
    Unique,
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Answered with 2xx.
    pub accepted: u64,
    /// Answered with anything else, or not at all.
    pub failed: u64,
    /// How long each answer took, in microseconds, in no order.
    pub latencies: Vec<u32>,
}

impl Sent {
    /// The latency that this share of the answers, 0 to 1, stayed at or below.
    pub fn latency(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        Duration::from_micros(sorted.get((last as f64 * share) as usize).copied().unwrap_or_default().into())
    }
}

/// Sends over so many connections for as long as `length`.
pub async fn send(address: SocketAddr, connections: usize, alerts: Alerts, length: Duration) -> Result<Sent, Error> {
    let requests: Arc<[Bytes]> = crate::alerts::requests(&address.to_string()).into();
    let end = Instant::now() + length;
    let connections: Vec<_> = (0..connections)
        .map(|index| {
            let start = index * requests.len() / connections;
            tokio::spawn(connection(address, (Arc::clone(&requests), alerts), start, end))
        })
        .collect();
    let mut sum = Sent::default();
    for connection in connections {
        let sent = connection.await?;
        sum.accepted += sent.accepted;
        sum.failed += sent.failed;
        sum.latencies.extend(sent.latencies);
    }
    Ok(sum)
}

async fn connection(
    address: SocketAddr,
    (requests, alerts): (Arc<[Bytes]>, Alerts),
    start: usize,
    end: Instant,
) -> Sent {
    let mut sent = Sent::default();
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut answer = Vec::with_capacity(1024);
        for request in requests.iter().cycle().skip(start) {
            let start = Instant::now();
            if start >= end {
                break;
            }
            match alerts {
                Alerts::Repeated => stream.write_all(request).await?,
                Alerts::Unique => stream.write_all(&numbered(request, NEXT.fetch_add(1, Relaxed))).await?,
            }
            if succeeded(&mut stream, &mut answer).await? {
                sent.accepted += 1;
            } else {
                sent.failed += 1;
            }
            sent.latencies.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok::<_, io::Error>(())
    };
    let ended = tokio::time::timeout_at((end + PATIENCE).into(), talk).await;
    if !matches!(ended, Ok(Ok(()))) {
        sent.failed += 1;
    }
    sent
}

/// Reads one whole answer. Whether its status is 2xx.
async fn succeeded(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<bool> {
    answer.clear();
    let head = loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = memchr::memmem::find(answer, b"\r\n\r\n") {
            break end + 4;
        }
    };
    // Every answer of the peers has a length.
    let length: usize = header(&answer[..head], b"content-length: ").ok_or(io::ErrorKind::InvalidData)?;
    while answer.len() < head + length {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer.get(9) == Some(&b'2'))
}

fn header(head: &[u8], name: &[u8]) -> Option<usize> {
    let start = memchr::memmem::find(head, name)? + name.len();
    let end = start + memchr::memchr(b'\r', &head[start..])?;
    std::str::from_utf8(&head[start..end]).ok()?.parse().ok()
}
