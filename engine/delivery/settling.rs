//! The end of a request that came from a log: its entries are settled, and what the sink refused becomes dead letters.
//!
//! Promises
//! - Entries are settled when every part of the request is, and not before; when a part is left, all of them stay.
//! - Dead letters are appended and the entries settled **in one record of the log**, so that what was refused is in the
//!   queue or among the dead letters, never in both and never in neither. Only letters that are too large for one record
//!   go in several; a kill between them repeats some.
//! - Refused items count as queued until that record is on disk, then as rejected.
//! - Dead letters never keep a queue from moving: what finds no room is counted and let go.

use super::{
    ledger::DestinationAccount,
    letters::{Letters, Unkept},
};
use bytes::Bytes;
use lanner_queue::{AppendError, Entry};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Between two tries to write dead letters to a disk that fails.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// The entries of a request on its way to the sink. Its parts share it; the last one ends it.
#[derive(Clone, Default)]
pub(super) struct Settling(Option<Arc<Entries>>);

struct Entries {
    entries: Mutex<Vec<Entry>>,
    refused: Mutex<Vec<Refusal>>,
    kept: AtomicBool,
}

/// Items of one pipeline that the sink will never take.
pub(super) struct Refusal {
    pub account: Arc<DestinationAccount>,
    pub items: usize,
    pub reason: &'static str,
    /// The dead letter, where there is one.
    pub letter: Option<Bytes>,
}

impl Settling {
    /// Settles these when the last clone ends.
    pub fn new(entries: Vec<Entry>) -> Self {
        let new =
            |entries| Entries { entries: Mutex::new(entries), refused: Mutex::default(), kept: AtomicBool::new(false) };
        Self((!entries.is_empty()).then(|| Arc::new(new(entries))))
    }

    /// Whether the request is in a log.
    pub fn is_durable(&self) -> bool {
        self.0.is_some()
    }

    /// Leaves all in the log, to be taken again.
    pub fn keep(&self) {
        if let Some(entries) = &self.0 {
            entries.kept.store(true, Relaxed);
        }
    }

    /// Notes what the sink refused, for the end. Its items go on counting as queued.
    pub fn refuse(&self, refusal: Refusal) {
        if let Some(entries) = &self.0 {
            entries.refused.lock().push(refusal);
        }
    }

    /// Ends this part; the last one writes what is to be written. Asks `give_up` whether to go on while the disk fails;
    /// then everything stays in the log, and the answer is false.
    pub async fn end(self, letters: Option<&Letters>, give_up: impl Fn() -> bool) -> bool {
        let Some(mut entries) = self.0.and_then(Arc::into_inner) else { return true };
        if *entries.kept.get_mut() {
            return true;
        }
        let refused = std::mem::take(entries.refused.get_mut());
        let mut taken = std::mem::take(entries.entries.get_mut());
        let mut batches = VecDeque::from([refused]);
        while let Some(mut batch) = batches.pop_front() {
            // The entries go with the last one.
            let with = if batches.is_empty() { std::mem::take(&mut taken) } else { Vec::new() };
            let Some(letters) = letters.filter(|_| batch.iter().any(|refusal| refusal.letter.is_some())) else {
                taken.extend(with);
                batch.into_iter().for_each(Refusal::book);
                continue;
            };
            let puts = batch.iter().filter_map(|refusal| refusal.letter.clone());
            match letters.append(puts, with).await {
                Ok(()) => batch.into_iter().for_each(Refusal::book),
                Err((error, back)) => {
                    taken.extend(back);
                    match unfit(&error) {
                        None if give_up() => return false,
                        None => {
                            tracing::warn!(%error, "Dead letters cannot be written. Trying again.");
                            tokio::time::sleep(DISK_PAUSE).await;
                            batches.push_front(batch);
                        }
                        Some(_) if batch.len() > 1 => {
                            let second = batch.split_off(batch.len() / 2);
                            batches.push_front(second);
                            batches.push_front(batch);
                        }
                        Some(why) => {
                            for refusal in batch {
                                letters.unkept(why, refusal.items);
                                refusal.book();
                            }
                        }
                    }
                }
            }
        }
        Entry::settle_all(taken);
        true
    }
}

/// Why an append will not get better by being tried again.
fn unfit(error: &AppendError) -> Option<Unkept> {
    match error {
        AppendError::Full(_) => Some(Unkept::NoRoom),
        AppendError::TooLarge(_) => Some(Unkept::TooLarge),
        AppendError::Disk(_) | AppendError::Closed => None,
    }
}

impl Refusal {
    /// It is settled.
    fn book(self) {
        self.account.reject(self.reason, self.items as u64);
        self.account.queued.add(-(self.items as i64));
    }
}

impl Drop for Entries {
    /// What is not written yet goes back with the entries.
    fn drop(&mut self) {
        let entries = std::mem::take(self.entries.get_mut());
        if !*self.kept.get_mut() && self.refused.get_mut().is_empty() {
            Entry::settle_all(entries);
        }
    }
}
