//! Requests, made before the clock starts, ready to be written.

pub mod alerts;
pub mod audit;
pub mod otlp;

use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Digits of a number that makes an event like no other.
const DIGITS: usize = 9;

/// The number of the next event that is to be like no other.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What is sent at once.
#[derive(Clone, Debug)]
pub struct Request {
    /// All of an HTTP/1.1 request, or the body of a gRPC call.
    pub bytes: Bytes,
    /// Where nine digits stand that are to be other ones each time this is sent; mostly nowhere.
    pub numbers: Vec<usize>,
    pub events: u64,
    /// How many records are to arrive because of it.
    pub arrivals: u64,
}

impl Request {
    /// A POST of these events, all of which are to arrive.
    pub fn post(path: &str, body: &str, events: u64) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: lanner-bench\r\nAccept: */*\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self { bytes: (head + body).into(), numbers: Vec::new(), events, arrivals: events }
    }

    /// The same, with numbers of its own behind every `mark`.
    pub fn numbered(mut self, mark: &str) -> Self {
        let ends = memchr::memmem::find_iter(&self.bytes, mark).map(|start| start + mark.len());
        self.numbers = ends.filter(|end| end + DIGITS <= self.bytes.len()).collect();
        self
    }

    /// What to send this time.
    pub fn next(&self) -> Bytes {
        if self.numbers.is_empty() {
            return self.bytes.clone();
        }
        let mut bytes = self.bytes.to_vec();
        for start in &self.numbers {
            let number = NEXT.fetch_add(1, Relaxed) % 10_u64.pow(DIGITS as u32);
            bytes[*start..start + DIGITS].copy_from_slice(format!("{number:09}").as_bytes());
        }
        bytes.into()
    }
}

/// Xorshift: the same events in every run.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a request with numbers is sent twice.
    /// Guarantee: each number is another one each time, and nothing else changes; a request without numbers stays as it is.
    #[test]
    fn numbers_are_like_no_other() {
        let body = r#"[{"id":"a-000000000"},{"id":"a-000000000"}]"#;
        let plain = Request::post("/", body, 2);
        assert_eq!(plain.next(), plain.bytes);
        let numbered = plain.clone().numbered("\"a-");
        let (first, second) = (numbered.next(), numbered.next());
        assert_eq!((first.len(), second.len()), (plain.bytes.len(), plain.bytes.len()));
        let ids = |bytes: &Bytes| {
            numbered.numbers.iter().map(|start| bytes[*start..start + DIGITS].to_vec()).collect::<Vec<_>>()
        };
        let mut all = [ids(&first), ids(&second)].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        assert!(first.ends_with(b"\"}]"));
    }
}
