//! Senders that take note of what was accepted while the process under test is replaced, stopped or killed.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

/// A sender waits longer than anything under test may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two alerts of a sender.
const GAP: Duration = Duration::from_millis(2);

/// Running senders.
pub struct Storm {
    over: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
    senders: Vec<JoinHandle<Sent>>,
}

/// What they saw.
#[derive(Debug, Default)]
pub struct Sent {
    /// Bodies of alerts that were answered 200.
    pub accepted: BTreeSet<String>,
    /// Bodies that were sent and not answered 200: they may have arrived all the same.
    pub unsure: BTreeSet<String>,
    /// Connections that were refused.
    pub refused: u64,
}

impl Storm {
    /// So many senders, each on a connection that it keeps as long as it may. With `until_refused` a sender ends at the
    /// first connection that is refused.
    pub fn start(port: u16, senders: usize, until_refused: bool) -> Self {
        let (over, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let sender = |name: usize| {
            let (over, accepted) = (Arc::clone(&over), Arc::clone(&accepted));
            std::thread::spawn(move || send(port, name, until_refused, &over, &accepted))
        };
        let senders = (0..senders).map(sender).collect();
        Self { over, accepted, senders }
    }

    /// How many alerts were answered 200 so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Ends the senders.
    pub fn stop(self) -> Sent {
        self.over.store(true, Relaxed);
        self.end()
    }

    /// Waits until every sender was refused; for those that end then.
    pub fn end(self) -> Sent {
        let mut all = Sent::default();
        for sender in self.senders {
            let sent = sender.join().unwrap();
            all.accepted.extend(sent.accepted);
            all.unsure.extend(sent.unsure);
            all.refused += sent.refused;
        }
        all.unsure.retain(|body| !all.accepted.contains(body));
        all
    }
}

impl Sent {
    /// Asserts that `received` has all that was accepted, and nothing that was not sent.
    pub fn check<'r>(&self, received: impl Iterator<Item = &'r str>) {
        let received: BTreeSet<&str> = received.collect();
        let missing: Vec<_> = self.accepted.iter().filter(|body| !received.contains(body.as_str())).collect();
        assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), self.accepted.len());
        let spurious: Vec<_> =
            received.iter().filter(|body| !self.accepted.contains(**body) && !self.unsure.contains(**body)).collect();
        assert!(spurious.is_empty(), "nobody has sent {spurious:?}");
    }
}

fn send(port: u16, name: usize, until_refused: bool, over: &AtomicBool, accepted: &AtomicU64) -> Sent {
    let (mut sent, mut connection, mut number) = (Sent::default(), None::<TcpStream>, 0_u64);
    while !over.load(Relaxed) {
        let stream = match connection.take() {
            Some(stream) => stream,
            None => match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => stream,
                Err(_) => {
                    sent.refused += 1;
                    if until_refused {
                        break;
                    }
                    std::thread::park_timeout(GAP);
                    continue;
                }
            },
        };
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let body = format!("alert {name}/{number}");
        match post(&stream, &body, number) {
            Some((200, keep)) => {
                sent.accepted.insert(body);
                accepted.fetch_add(1, Relaxed);
                number += 1;
                connection = keep.then_some(stream);
            }
            // As libcurl does with a connection that died under it, and as a careful sender does with a refusal.
            Some(_) | None => drop(sent.unsure.insert(body)),
        }
        std::thread::park_timeout(GAP);
    }
    sent
}

/// The status, and whether the connection may be used again; `None` when it was closed without a whole answer.
fn post(mut stream: &TcpStream, output: &str, number: u64) -> Option<(u16, bool)> {
    let body = format!(
        r#"{{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00.{number:09}Z","output":"{output}","output_fields":{{}}}}"#
    );
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()?;
    let (mut text, mut part) = (String::new(), [0; 1024]);
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
            return Some((head.split(' ').nth(1)?.parse().ok()?, !head.contains("connection: close")));
        }
    }
}
