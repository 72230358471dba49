//! A Falco as its HTTP output sends: one connection, one alert at a time, and no eye for statuses.

use super::connection::Connection;
use std::time::{Duration, Instant};

/// On a busy machine a Falco catches up with what it owes, but not with more than this.
const OWED: Duration = Duration::from_secs(3);

/// One sender.
pub struct Falco {
    connection: Connection,
    name: u64,
    number: u64,
}

/// What a sender saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub accepted: u64,
    pub refused: u64,
    /// Of every answer, in order.
    pub times: Vec<Duration>,
}

impl Falco {
    /// Connects; `name` tells its alerts from those of others.
    pub fn connect(port: u16, name: u64) -> Self {
        Self { connection: Connection::open(port).unwrap(), name, number: 0 }
    }

    /// Posts one alert and returns the status.
    pub fn alert(&mut self) -> u16 {
        self.number += 1;
        let (name, number) = (self.name, self.number);
        let body = format!(
            r#"{{"hostname":"node-{name}","output":"12:00:00.000000000: Warning File below etc opened for writing (file=/etc/f{number})","output_fields":{{"evt.time":{},"fd.name":"/etc/f{number}","proc.name":"vi","container.id":"host"}},"priority":"Warning","rule":"Write below etc","source":"syscall","tags":["filesystem"],"time":"2026-01-01T12:00:00.{number:09}Z"}}"#,
            1_767_268_800_000_000_000 + number
        );
        let headers = "User-Agent: falcosecurity/falco\r\nAccept: */*\r\nTE: gzip\r\nConnection: TE\r\nContent-Type: application/json\r\n";
        self.connection.post("/", headers, body.as_bytes()).unwrap()
    }

    /// Posts an alert every `gap` until `end`, each after the answer to the one before.
    pub fn storm(mut self, gap: Duration, end: Instant) -> Seen {
        let (mut seen, mut next) = (Seen::default(), Instant::now());
        while Instant::now() < end {
            let start = Instant::now();
            match self.alert() {
                200 => seen.accepted += 1,
                503 => seen.refused += 1,
                other => panic!("answered {other}"),
            }
            seen.times.push(start.elapsed());
            next += gap;
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            next = next.max(Instant::now() - OWED);
        }
        seen
    }
}

/// Several Falcos that share `rate` alerts a second for this time.
pub fn storm(port: u16, falcos: u64, rate: u64, time: Duration) -> Seen {
    let (gap, end) = (Duration::from_micros(1_000_000 * falcos / rate), Instant::now() + time);
    let falcos: Vec<_> =
        (0..falcos).map(|name| std::thread::spawn(move || Falco::connect(port, name).storm(gap, end))).collect();
    falcos.into_iter().map(|falco| falco.join().unwrap()).fold(Seen::default(), Seen::and)
}

impl Seen {
    fn and(mut self, other: Self) -> Self {
        self.times.extend(other.times);
        Self { accepted: self.accepted + other.accepted, refused: self.refused + other.refused, times: self.times }
    }

    /// The time within which `permille` of a thousand answers came.
    pub fn within(&self, permille: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[(times.len() * permille / 1000).min(times.len() - 1)]
    }
}
