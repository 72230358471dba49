//! What a log must hold, kept beside one that is being mistreated.
//!
//! The rules: what was acknowledged to the writer and is not done comes back, once, whole and in order; what the writer
//! was never told about is there in all of its queues or in none; what was done and written down does not come back;
//! and nothing else is there.

use crate::{
    core::Core,
    error::AppendError,
    fs::{
        Fs,
        simulated::{Simulated, Stop},
    },
    index::Limits,
    options::{Options, Policy, QueueOptions},
    recovery::Access,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub const QUEUES: [&str; 4] = ["alpha", "beta", "dropping", "stuck"];
const DROPPING: usize = 2;

/// Small, so that a short script rotates, spills and reclaims.
pub fn options() -> Options {
    Options { segment_bytes: 4096, max_bytes: 9 * 4096, hot_bytes: 2048, read_ahead: 1024, ..Options::default() }
}

#[derive(Clone, Debug)]
pub enum Op {
    /// One append of so many bytes to each of these queues.
    Append(Vec<usize>, usize),
    /// Appends that are written and synced together.
    Group(Vec<(Vec<usize>, usize)>),
    /// Take up to so many and settle them.
    Settle(usize, usize),
    /// Take up to so many and settle every second one, last first; the others are given back.
    SettleSome(usize, usize),
    /// Take up to so many and keep them.
    Hold(usize, usize),
    WriteAcknowledgements,
    Reclaim,
    /// End the process in good order and start again.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The writer was told that it is in the log.
    Confirmed,
    /// The writer was told nothing, or that the disk failed.
    Unknown,
    /// The writer was told that there is no room.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Open,
    /// Done, and that may not be on disk.
    Done,
    /// It was done and came back, because that was not on disk.
    Again,
    /// Done, and on disk.
    Written,
}

/// One append: its queues with the end of each entry.
#[derive(Clone, Debug)]
struct Sent {
    fate: Fate,
    queues: BTreeMap<usize, End>,
}

#[derive(Clone, Default)]
pub struct Model {
    /// The disk also fails while it runs. What it refused may come back after a power cut and is then counted as damage
    /// (never as lost entries), although nobody was told about it.
    pub faulty: bool,
    sent: Vec<Sent>,
}

pub fn payload(id: usize, size: usize) -> Bytes {
    let mut bytes = format!("{id:08}:").into_bytes();
    let mut random = fastrand::Rng::with_seed(id as u64);
    bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(size.saturating_sub(9)));
    bytes.into()
}

/// The id of an append, if these are its bytes.
pub fn id(bytes: &[u8]) -> usize {
    let id = std::str::from_utf8(&bytes[..8]).unwrap().parse().unwrap();
    assert_eq!(payload(id, bytes.len()), bytes, "entry {id} has other bytes");
    id
}

pub fn open(fs: &Simulated) -> Result<Core, String> {
    let core = Core::open(Arc::new(fs.clone()) as Arc<dyn Fs>, options(), Access::Write).map_err(|e| e.to_string())?;
    let mut index = core.index.lock();
    for (slot, name) in QUEUES.iter().enumerate() {
        let queue = match slot {
            DROPPING => QueueOptions { policy: Policy::DropOldest, max_bytes: 4000, ..QueueOptions::default() },
            _ => QueueOptions { policy: Policy::Reject, ..QueueOptions::default() },
        };
        index.declare(name, queue).map_err(|error| error.to_string())?;
    }
    drop(index);
    Ok(core)
}

fn slot(core: &Core, queue: usize) -> usize {
    core.index.lock().slot(QUEUES[queue]).unwrap()
}

impl Model {
    /// Runs a script until its end or until the machine stops.
    pub fn run(&mut self, fs: &Simulated, script: &[Op]) {
        self.adopt(fs, true);
        let Ok(mut core) = open(fs) else {
            assert!(fs.stopped() || fs.operations() > 0, "a healthy file system opens");
            return;
        };
        for op in script {
            if fs.stopped() {
                return;
            }
            if matches!(op, Op::Restart) {
                core.writer.close();
                if !fs.stopped() {
                    // A clean end writes down everything, unless the disk refused.
                    let clean = core.index.lock().counts.write_errors == 0;
                    self.written(clean);
                }
                drop(core);
                self.adopt(fs, false);
                core = match open(fs) {
                    Ok(core) => core,
                    Err(_) => return,
                };
                continue;
            }
            self.step(&mut core, fs, op);
            let index = core.index.lock();
            let files: Vec<_> = index.files.iter().collect();
            assert!(index.disk_bytes() <= options().max_bytes, "the budget holds after {op:?}: {files:?}");
            assert!(index.held_bytes() <= 8 * 4096, "memory is bounded");
            drop(index);
        }
    }

    fn step(&mut self, core: &mut Core, fs: &Simulated, op: &Op) {
        match op {
            Op::Append(queues, size) => self.append(core, &[(queues.clone(), *size)]),
            Op::Group(appends) => self.append(core, appends),
            Op::Settle(queue, count) => {
                let slot = slot(core, *queue);
                for item in core.take(slot, Limits { entries: *count, bytes: 0 }).unwrap_or_default() {
                    self.done(*queue, &item.payload);
                    core.index.lock().settle(slot, item.offset);
                }
            }
            Op::SettleSome(queue, count) => {
                let slot = slot(core, *queue);
                let taken = core.take(slot, Limits { entries: *count, bytes: 0 }).unwrap_or_default();
                for (position, item) in taken.into_iter().enumerate().rev() {
                    if position % 2 == 1 {
                        self.done(*queue, &item.payload);
                        core.index.lock().settle(slot, item.offset);
                    } else {
                        core.index.lock().give_back(slot, item);
                    }
                }
            }
            Op::Hold(queue, count) => {
                let slot = slot(core, *queue);
                drop(core.take(slot, Limits { entries: *count, bytes: 0 }));
            }
            Op::WriteAcknowledgements => {
                let written = core.writer.write_acknowledgements().is_ok();
                self.written(written && !fs.stopped());
            }
            Op::Reclaim => drop(core.writer.reclaim()),
            Op::Restart => {}
        }
    }

    fn append(&mut self, core: &mut Core, appends: &[(Vec<usize>, usize)]) {
        let first = self.sent.len();
        let appended = |(index, (queues, size)): (usize, &(Vec<usize>, usize))| {
            let bytes = payload(first + index, *size);
            queues.iter().map(|queue| (slot(core, *queue), bytes.clone())).collect::<Vec<_>>()
        };
        let appends_of: Vec<_> = appends.iter().enumerate().map(appended).collect();
        let dropping = slot(core, DROPPING);
        let dropped = |core: &Core| core.index.lock().queues[dropping].counts.dropped;
        let before = dropped(core);
        let results = core.append_together(&appends_of);
        // What gives way was there before the group.
        self.drop_oldest(dropped(core) - before);
        for (result, (queues, _)) in results.into_iter().zip(appends) {
            let fate = match result {
                Ok(()) => Fate::Confirmed,
                Err(AppendError::Full(_) | AppendError::TooLarge(_)) => Fate::Refused,
                Err(_) => Fate::Unknown,
            };
            self.sent.push(Sent { fate, queues: queues.iter().map(|queue| (*queue, End::Open)).collect() });
        }
    }

    fn done(&mut self, queue: usize, bytes: &[u8]) {
        let end = self.sent[id(bytes)].queues.get_mut(&queue).expect("an entry of this queue");
        assert_ne!(*end, End::Written, "what was done and written down does not come back");
        *end = End::Done;
    }

    fn written(&mut self, really: bool) {
        for end in self.sent.iter_mut().flat_map(|sent| sent.queues.values_mut()).filter(|_| really) {
            if *end == End::Done {
                *end = End::Written;
            }
        }
    }

    /// The queue that drops gave up so many of the oldest.
    fn drop_oldest(&mut self, count: u64) {
        let open = self
            .sent
            .iter_mut()
            .filter(|sent| sent.fate == Fate::Confirmed)
            .filter_map(|sent| sent.queues.get_mut(&DROPPING))
            .filter(|end| matches!(end, End::Open | End::Again));
        open.take(count as usize).for_each(|end| *end = End::Done);
    }

    /// How many appends found no room.
    pub fn refused(&self) -> usize {
        self.sent.iter().filter(|sent| sent.fate == Fate::Refused).count()
    }

    /// Everything that a start finds agrees with the rules.
    pub fn check(&mut self, fs: &Simulated, context: &str) {
        let mut core = open(fs).unwrap_or_else(|error| panic!("{context}: {error}"));
        let mut present: Vec<BTreeSet<usize>> = Vec::new();
        for (queue, name) in QUEUES.iter().enumerate() {
            let slot = slot(&core, queue);
            let mut ids = Vec::new();
            loop {
                let items = core.take(slot, Limits { entries: 3, bytes: 0 }).unwrap();
                if items.is_empty() {
                    break;
                }
                ids.extend(items.iter().map(|item| id(&item.payload)));
            }
            assert!(ids.is_sorted_by(|a, b| a < b), "{context}: `{name}` is in order, each once: {ids:?}");
            present.push(ids.into_iter().collect());
        }
        assert_eq!(core.found.lost_entries, 0, "{context}: nothing is counted as lost");
        assert!(self.faulty || core.found.corrupt_records == 0, "{context}: nothing is counted as damaged");
        for (id, sent) in self.sent.iter().enumerate() {
            for (queue, end) in &sent.queues {
                let there = present[*queue].contains(&id);
                let name = QUEUES[*queue];
                match (sent.fate, end) {
                    (Fate::Confirmed, End::Open) => assert!(there, "{context}: {id} is missing in `{name}`"),
                    (Fate::Refused, _) => assert!(!there, "{context}: {id} was refused and is in `{name}`"),
                    (_, End::Written) => assert!(!there, "{context}: {id} was done and is back in `{name}`"),
                    _ => {}
                }
            }
            if sent.fate == Fate::Unknown {
                let open = sent.queues.iter().filter(|(_, end)| **end == End::Open);
                let there: Vec<bool> = open.map(|(queue, _)| present[*queue].contains(&id)).collect();
                assert!(
                    there.iter().all(|one| *one) || there.iter().all(|one| !one),
                    "{context}: {id} is in some of its queues: {there:?}"
                );
            }
        }
        for (queue, ids) in present.iter().enumerate() {
            for id in ids {
                assert!(self.sent[*id].queues.contains_key(&queue), "{context}: {id} is in the wrong queue");
            }
        }
    }

    /// A new life begins. When all that it finds is on disk for good (`settled`), that is what there is, and what it does
    /// not find must not come later. Otherwise a power cut can still take back what the last life failed to write, or
    /// failed to take back.
    fn adopt(&mut self, fs: &Simulated, settled: bool) {
        let Ok(core) = open(&fs.after(Stop::Process)) else { return };
        let mut there = vec![BTreeSet::new(); QUEUES.len()];
        for (queue, ids) in there.iter_mut().enumerate() {
            let items = core.reader.peek(slot(&core, queue), 0, usize::MAX).unwrap();
            ids.extend(items.iter().map(|item| id(&item.payload)));
        }
        for (id, sent) in self.sent.iter_mut().enumerate() {
            if sent.fate == Fate::Unknown && settled {
                let present = sent.queues.keys().any(|queue| there[*queue].contains(&id));
                sent.fate = if present { Fate::Confirmed } else { Fate::Refused };
            }
            for (queue, end) in &mut sent.queues {
                *end = match (*end, there[*queue].contains(&id)) {
                    (End::Done | End::Again, true) if settled => End::Open,
                    (End::Done | End::Again, false) if settled => End::Written,
                    (End::Done, true) => End::Again,
                    (other, _) => other,
                };
            }
        }
    }
}
