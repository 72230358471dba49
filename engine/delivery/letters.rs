//! Dead letters: what an exporter refuses or gives up for good, kept in a queue of their own beside the sending queue.
//!
//! Promises: a letter holds whole records with the resource and scope around them, the pipeline, the reason and what the
//! sink said; letters are bounded in bytes, the oldest make room for new ones, and live entries come before letters when
//! the log is full. A letter is **a kept reject**: the ledger counts its items as rejected, and the metrics here say what
//! of that is kept.

use super::durable::DurableQueue;
use crate::{
    event::{OtlpRequest, Signal, otlp},
    telemetry::{Counter, Gauge, Telemetry},
};
use bytes::Bytes;
use lanner_queue::{Append, AppendError, Entry, Log, Queue};

/// A letter with more than one record is at most about this large: easy to look at, and it fits into any log.
const LARGEST_LETTER: usize = 32 << 10;

/// Why refused items are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unkept {
    /// The sink told how many of a request it refused, and not which.
    Unknown,
    /// The log is full of what still waits.
    NoRoom,
    /// A single record larger than what dead letters may take.
    TooLarge,
}

impl Unkept {
    const ALL: [Self; 3] = [Self::Unknown, Self::NoRoom, Self::TooLarge];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_records",
            Self::NoRoom => "no_room",
            Self::TooLarge => "too_large",
        }
    }
}

/// The dead letters of one sending queue.
pub(super) struct Letters {
    log: Log,
    queue: Queue,
    kept: Gauge,
    written: Counter,
    unkept: [Counter; Unkept::ALL.len()],
}

impl Letters {
    /// Those of a queue on disk, if it has any.
    pub fn of(queue: &DurableQueue, exporter: &str, signal: Signal, telemetry: &Telemetry) -> Option<Self> {
        let letters = queue.dead_letters()?.clone();
        let labels = [("exporter", exporter), ("data_type", signal.as_str())];
        let unkept = Unkept::ALL.map(|why| {
            telemetry.counter(
                "lanner_exporter_dead_letters_unkept_items",
                "Rejected items that are not among the dead letters, by reason.",
                "{item}",
                &[labels[0], labels[1], ("reason", why.as_str())],
            )
        });
        let this = Self {
            log: queue.log().clone(),
            queue: letters,
            kept: telemetry.gauge(
                "lanner_exporter_dead_letters",
                "Dead letters on disk; each is a request, or the records of one that the sink refused.",
                "{request}",
                &labels,
            ),
            written: telemetry.counter(
                "lanner_exporter_dead_letters_written",
                "Dead letters that were written.",
                "{request}",
                &labels,
            ),
            unkept,
        };
        this.show();
        Some(this)
    }

    /// Appends letters and settles entries with them; without room the entries come back.
    pub async fn append(
        &self,
        letters: impl Iterator<Item = Bytes>,
        entries: Vec<Entry>,
    ) -> Result<(), (AppendError, Vec<Entry>)> {
        let (mut append, mut count) = (Append::new(), 0);
        for letter in letters {
            append = append.put(&self.queue, letter);
            count += 1;
        }
        append = entries.into_iter().fold(append, Append::settle);
        match self.log.admit(append) {
            Ok(admission) => admission.write_or_return().await?,
            Err((error, append)) => return Err((error, append.into_entries())),
        }
        self.written.add(count);
        self.show();
        Ok(())
    }

    /// No exporter has them any more; they are kept, and shown as nobody's.
    pub fn retire(&self) {
        self.queue.retire();
    }

    /// Counts rejected items that are not kept.
    pub fn unkept(&self, why: Unkept, items: usize) {
        // The array has a place for each.
        self.unkept[why as usize].add(items as u64);
    }

    fn show(&self) {
        self.kept.set(i64::try_from(self.queue.stats().entries).unwrap_or(i64::MAX));
    }
}

/// A request in pieces that fit into letters; as it is when it cannot be taken apart.
pub(super) fn pieces(request: OtlpRequest) -> Vec<OtlpRequest> {
    if request.bytes.len() <= LARGEST_LETTER {
        return vec![request];
    }
    match otlp::split(&request, 0, LARGEST_LETTER) {
        Ok(pieces) if !pieces.is_empty() => pieces,
        _ => vec![request],
    }
}
