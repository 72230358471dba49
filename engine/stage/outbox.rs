//! `Outbox`: batches that a stage has made and the pipeline behind has not taken yet, in order.
//!
//! Promises: a batch is handed on only once it is written, where there is a storage, and removed from there only once it
//! was taken; so after a crash it comes out again, and with the same ids. Held bytes are known, so they can be bounded.
//!
//! Format: `out/<number>/<part>`, the number and the part in hexadecimal. Part 0 begins with a byte for the signal; all
//! parts in order are an OTLP request. Parts exist because values of a storage are bounded.

use crate::{
    component::Change,
    event::{Attributes, Batch, OtlpRequest, Signal, Value},
};
use bytes::Bytes;
use std::collections::VecDeque;

/// Keys of batches in the storage.
pub(super) const PREFIX: &str = "out/";
/// Bytes in a part: below the 16 MiB that a value may have.
const PART: usize = 8 << 20;

/// What waits.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Waiting>,
    next: u64,
    /// Keys of batches that were taken.
    taken: Vec<String>,
    bytes: usize,
}

struct Waiting {
    number: u64,
    batch: Batch,
    weight: usize,
    /// Keys in the storage; none when it is not written.
    parts: usize,
}

impl Outbox {
    /// Takes over what the storage has, all entries in order of their keys. What is damaged: its number of entries.
    pub fn load(&mut self, entries: Vec<(String, Bytes)>) -> usize {
        let mut damaged = 0;
        let mut whole: Option<(u64, usize, Vec<u8>)> = None;
        for (key, value) in entries {
            let Some((number, part)) = numbers(&key) else {
                damaged += 1;
                continue;
            };
            match &mut whole {
                Some((open, parts, bytes)) if *open == number => {
                    *parts += 1;
                    bytes.extend_from_slice(&value);
                }
                _ => {
                    damaged += self.restore(whole.replace((number, part + 1, value.into())));
                }
            }
        }
        damaged + self.restore(whole)
    }

    fn restore(&mut self, whole: Option<(u64, usize, Vec<u8>)>) -> usize {
        let Some((number, parts, bytes)) = whole else { return 0 };
        self.next = self.next.max(number.saturating_add(1));
        let bytes = Bytes::from(bytes);
        let signal = bytes.first().and_then(|code| Signal::ALL.into_iter().find(|signal| *signal as u8 == *code));
        let request = signal.and_then(|signal| OtlpRequest::parse(signal, bytes.slice(1..)).ok());
        let Some(request) = request else {
            self.taken.extend((0..parts).map(|part| key(number, part)));
            return parts;
        };
        self.add(number, Batch::otlp(request), parts);
        0
    }

    fn add(&mut self, number: u64, batch: Batch, parts: usize) {
        let weight = weight(&batch);
        self.bytes += weight;
        self.waiting.push_back(Waiting { number, batch, weight, parts });
    }

    /// Adds a batch behind all others.
    pub fn push(&mut self, batch: Batch) {
        let number = self.next;
        self.next += 1;
        self.add(number, batch, 0);
    }

    /// About how many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many items wait.
    pub fn items(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.batch.len()).sum()
    }

    /// The number that the next batch will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first batch, if its number is below `end`.
    pub fn first(&self, end: u64) -> Option<Batch> {
        self.waiting.front().filter(|first| first.number < end).map(|first| first.batch.clone())
    }

    /// The first batch was taken.
    pub fn taken(&mut self) {
        if let Some(Waiting { number, weight, parts, .. }) = self.waiting.pop_front() {
            self.bytes -= weight;
            self.taken.extend((0..parts).map(|part| key(number, part)));
        }
    }

    /// What is not in the storage yet.
    pub fn changes(&mut self, changes: &mut Vec<Change>) {
        changes.extend(self.taken.drain(..).map(|key| (key, None)));
        for waiting in self.waiting.iter_mut().rev().take_while(|waiting| waiting.parts == 0) {
            let OtlpRequest { signal, bytes, .. } = waiting.batch.to_otlp();
            let mut value = Vec::with_capacity(1 + bytes.len());
            value.push(signal as u8);
            value.extend_from_slice(&bytes);
            let value = Bytes::from(value);
            for start in (0..value.len()).step_by(PART) {
                let part = value.slice(start..value.len().min(start + PART));
                changes.push((key(waiting.number, waiting.parts), Some(part)));
                waiting.parts += 1;
            }
        }
    }
}

fn key(number: u64, part: usize) -> String {
    format!("{PREFIX}{number:016x}/{part:04x}")
}

fn numbers(key: &str) -> Option<(u64, usize)> {
    let (number, part) = key.strip_prefix(PREFIX)?.split_once('/')?;
    Some((u64::from_str_radix(number, 16).ok()?, usize::from_str_radix(part, 16).ok()?))
}

/// About how many bytes a batch takes in memory.
fn weight(batch: &Batch) -> usize {
    /// A record or an attribute without its texts.
    const BARE: usize = 64;
    let attributes = |attributes: &Attributes| -> usize {
        attributes.iter().map(|(key, held)| BARE + key.as_str().len() + value(held)).sum()
    };
    match (batch.as_otlp(), batch.as_logs()) {
        (Some(request), _) => BARE + request.bytes.len(),
        (_, Some(logs)) => logs
            .groups
            .iter()
            .map(|group| {
                let records = group.records.iter().map(|record| {
                    let raw = record.raw.text().map_or(0, |text| text.len());
                    4 * BARE + raw + value(&record.body) + attributes(&record.attrs)
                });
                attributes(&group.resource.attrs) + records.sum::<usize>()
            })
            .sum(),
        (None, None) => BARE,
    }
}

fn value(held: &Value) -> usize {
    match held {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + value(item)).sum(),
        Value::Map(pairs) => pairs.iter().map(|(key, item)| size_of::<Value>() + key.len() + value(item)).sum(),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}
