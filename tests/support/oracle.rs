//! The oracle: numbers events whose text follows from the number, remembers what was acknowledged, and judges what came.
//!
//! Promises: an event is missing when it was acknowledged and never came; spurious when nobody sent it; corrupt when its
//! text is not the one of its number. What was sent without an answer may come or not.

use super::wait;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// Words that no redaction takes for a secret.
const WORDS: [&str; 8] = ["kestrel", "merlin", "hobby", "saker", "lanner", "gyrfalcon", "sooty", "eleonora"];

/// What was sent and what the receiver said of it.
#[derive(Default)]
pub struct Oracle {
    /// About how long the text of an event is, in bytes.
    size: usize,
    issued: AtomicU64,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    acknowledged: BTreeSet<u64>,
    refused: u64,
    /// No answer came.
    unanswered: u64,
}

impl Oracle {
    /// For events of about `size` bytes.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { size, ..Self::default() })
    }

    /// The number of the next event, from 0.
    pub fn issue(&self) -> u64 {
        self.issue_together(1).start
    }

    /// The numbers of the next events.
    pub fn issue_together(&self, count: u64) -> Range<u64> {
        let first = self.issued.fetch_add(count, SeqCst);
        first..first + count
    }

    /// How many numbers were given out.
    pub fn issued(&self) -> u64 {
        self.issued.load(SeqCst)
    }

    /// The text of an event.
    pub fn text(&self, number: u64) -> String {
        let mut text = format!("event {number}:");
        let mut state = number;
        while text.len() < self.size {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(' ');
            text.push_str(WORDS[(state >> 33) as usize % WORDS.len()]);
        }
        text
    }

    /// The receiver has taken responsibility.
    pub fn acknowledged(&self, number: u64) {
        self.said.lock().unwrap().acknowledged.insert(number);
    }

    /// The receiver has refused.
    pub fn refused(&self) {
        self.said.lock().unwrap().refused += 1;
    }

    /// Nobody knows what became of it.
    pub fn unanswered(&self) {
        self.said.lock().unwrap().unanswered += 1;
    }

    /// How many were acknowledged.
    pub fn count(&self) -> u64 {
        self.said.lock().unwrap().acknowledged.len() as u64
    }

    /// Waits until all that was acknowledged is at a sink.
    pub fn wait_for(&self, books: &Books, limit: Duration) {
        wait::until("what was acknowledged is at the sink", limit, || {
            self.judge(books).missing.is_empty().then_some(())
        });
    }

    /// Compares with what a sink got.
    pub fn judge(&self, books: &Books) -> Verdict {
        let (said, seen) = (self.said.lock().unwrap(), books.0.lock().unwrap());
        let spurious = seen.counts.keys().filter(|number| **number >= self.issued());
        Verdict {
            acknowledged: said.acknowledged.len() as u64,
            refused: said.refused,
            unanswered: said.unanswered,
            delivered: seen.counts.len() as u64,
            duplicates: seen.counts.values().map(|count| count - 1).sum(),
            missing: said.acknowledged.iter().filter(|number| !seen.counts.contains_key(number)).copied().collect(),
            spurious: spurious.copied().collect(),
            corrupt: seen.corrupt.clone(),
        }
    }
}

/// What a sink got. Clones share it, so that it outlives the sink.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    counts: BTreeMap<u64, u64>,
    /// In the order in which they came, repetitions left out.
    order: Vec<u64>,
    /// The ids under which a number came.
    ids: BTreeMap<u64, BTreeSet<String>>,
    corrupt: Vec<String>,
}

impl Books {
    /// An event came, under this `log.record.uid`.
    pub fn note(&self, oracle: &Oracle, text: &str, id: &str) {
        let number = text.strip_prefix("event ").and_then(|rest| rest.split(':').next()?.parse().ok());
        let mut seen = self.0.lock().unwrap();
        match number.filter(|number| oracle.text(*number) == text) {
            Some(number) => {
                let count = seen.counts.entry(number).or_default();
                *count += 1;
                if *count == 1 {
                    seen.order.push(number);
                }
                seen.ids.entry(number).or_default().insert(id.to_owned());
            }
            None => seen.corrupt.push(text.chars().take(200).collect()),
        }
    }

    /// How many different events came.
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap().counts.len() as u64
    }

    /// How often the most frequent event came.
    pub fn most(&self) -> u64 {
        self.0.lock().unwrap().counts.values().max().copied().unwrap_or(0)
    }

    /// What came more than once.
    pub fn twice(&self) -> BTreeSet<u64> {
        let seen = self.0.lock().unwrap();
        seen.counts.iter().filter(|(_, count)| **count > 1).map(|(number, _)| *number).collect()
    }

    pub fn has(&self, number: u64) -> bool {
        self.0.lock().unwrap().counts.contains_key(&number)
    }

    /// The different events in the order in which they came.
    pub fn order(&self) -> Vec<u64> {
        self.0.lock().unwrap().order.clone()
    }

    /// Whether whatever came more than once came under one id.
    pub fn ids_agree(&self) -> bool {
        self.0.lock().unwrap().ids.values().all(|ids| ids.len() == 1)
    }
}

/// The judgement.
#[derive(Debug)]
pub struct Verdict {
    pub acknowledged: u64,
    pub refused: u64,
    pub unanswered: u64,
    /// Different events that came.
    pub delivered: u64,
    /// Repetitions of those.
    pub duplicates: u64,
    pub missing: Vec<u64>,
    pub spurious: Vec<u64>,
    pub corrupt: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, refused, unanswered, delivered, duplicates, missing, spurious, corrupt } = self;
        let (missing, spurious, corrupt) = (missing.len(), spurious.len(), corrupt.len());
        write!(f, "{acknowledged} acknowledged, {refused} refused, {unanswered} unanswered; {delivered} delivered, ")?;
        write!(f, "{duplicates} duplicates, {missing} missing, {spurious} spurious, {corrupt} corrupt")
    }
}

impl Verdict {
    /// Nothing acknowledged is missing, nothing came that was not sent, and all is whole.
    pub fn assert_clean(&self) {
        let some = |numbers: &[u64]| numbers.iter().take(20).copied().collect::<Vec<_>>();
        assert!(
            self.missing.is_empty() && self.spurious.is_empty() && self.corrupt.is_empty(),
            "{self}; missing {:?}, spurious {:?}, corrupt {:?}",
            some(&self.missing),
            some(&self.spurious),
            self.corrupt.iter().take(3).collect::<Vec<_>>()
        );
    }
}
