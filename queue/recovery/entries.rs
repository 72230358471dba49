//! Where the live entries are.
//!
//! A queue's entries lie in the order of their offsets: first in its spills, then in segments. So one pass is enough,
//! and an offset that comes again is a copy that an interrupted move has left.

use super::{Access, Candidate, Cursors, unreadable};
use crate::{
    error::OpenError,
    format::{
        body::Body,
        checksum::{LogId, Salt},
        names::{self, FileKind},
        segment,
    },
    index::{FileInfo, Index, Slot, cost},
    scan::{Scanner, Step, cover},
    stats::Recovered,
};
use std::{collections::HashMap, sync::Arc};

struct Pass<'p> {
    index: &'p mut Index,
    found: &'p mut Recovered,
    /// The offset that each queue goes on with, once that is known.
    expected: HashMap<Slot, u64>,
}

/// Fills the index. Returns the last segment and how much of it counts.
pub(super) fn locate(
    log: &LogId,
    candidates: &[Candidate],
    cursors: Cursors,
    access: Access,
    index: &mut Index,
    found: &mut Recovered,
) -> Result<Option<(u64, u64)>, OpenError> {
    let mut pass = Pass { index, found, expected: HashMap::new() };
    let mut sure = HashMap::new();
    for (name, known) in cursors {
        let Ok(slot) = pass.index.slot_from(&name, 0) else { continue };
        let Some(queue) = pass.index.queues.get_mut(slot) else { continue };
        queue.next = known.next;
        pass.expected.insert(slot, known.acked.below());
        queue.acked = known.acked;
        sure.insert(slot, known.sure);
    }
    let mut last = None;
    for (position, candidate) in candidates.iter().enumerate() {
        let newest = position + 1 == candidates.len() && candidate.kind == FileKind::Segment;
        let end = pass.file(log, candidate, newest, access).map_err(unreadable(name(candidate)))?;
        if candidate.kind == FileKind::Segment {
            last = Some((candidate.number, end));
        }
    }
    pass.finish(&sure);
    Ok(last)
}

fn name(candidate: &Candidate) -> String {
    names::name(candidate.kind, candidate.number)
}

impl Pass<'_> {
    /// Goes through one file; returns where its last whole record ends.
    fn file(&mut self, log: &LogId, candidate: &Candidate, newest: bool, access: Access) -> std::io::Result<u64> {
        let counted = candidate.end.unwrap_or(candidate.size).min(candidate.size);
        let info =
            FileInfo { kind: candidate.kind, size: candidate.size, end: counted, live: 0, live_bytes: 0, sealed: true };
        self.index.add_file(candidate.number, info);
        let mut scanner = Scanner::new(Arc::clone(&candidate.file), Salt::new(log, candidate.number), 0, counted);
        let (mut end, mut torn) = (segment::HEADER as u64, Vec::new());
        loop {
            match scanner.step()? {
                Step::End => break,
                Step::Damage { from, to } if from >= candidate.synced => torn.push((from, to)),
                Step::Damage { from, to } => {
                    self.found.corrupt_records += 1;
                    self.found.corrupt_bytes += to - from;
                }
                Step::Record { at, header, body } => {
                    let body = Body::decode(body).unwrap_or_default();
                    let sequence = header.sequence.saturating_add(body.entries.len() as u64);
                    self.index.sequence = self.index.sequence.max(sequence);
                    for row in &body.entries {
                        let cost = cost(row.queue, row.payload.len());
                        let sure = at < candidate.synced;
                        self.entry(candidate.number, at, row.queue, row.offset, row.appended, cost, sure);
                    }
                    end = at + header.stride();
                }
            }
        }
        // A file whose header was never written whole was never used.
        let unused = newest && end == segment::HEADER as u64;
        if candidate.damaged && !unused {
            self.found.corrupt_records += 1;
            self.found.corrupt_bytes += (segment::HEADER as u64).min(candidate.size);
        }
        self.found.torn_bytes += torn.iter().map(|(from, to)| to - from).sum::<u64>();
        if access == Access::Write {
            let holes: Vec<_> = torn.iter().filter(|(_, to)| *to <= end).collect();
            for (from, to) in &holes {
                cover(&*candidate.file, Salt::new(log, candidate.number), *from, *to)?;
            }
            // Nothing depends on it but the count of damages at later starts.
            let _ = if holes.is_empty() { Ok(()) } else { candidate.file.sync() };
        }
        let end = end.min(counted);
        self.index.grow(candidate.number, end);
        // What was set aside for a segment and not used is given back; that may have got lost the first time.
        let size = if newest { end } else { counted };
        if access == Access::Write && candidate.size > size {
            candidate.file.truncate(size)?;
            if let Some(file) = self.index.files.get_mut(&candidate.number) {
                file.size = size;
            }
        }
        Ok(end)
    }

    #[allow(clippy::too_many_arguments, reason = "one row of a file, taken apart")]
    fn entry(&mut self, file: u64, at: u64, queue: &str, offset: u64, since: u64, cost: u64, sure: bool) {
        // Of a queue without cursors nothing is known but that it begins here.
        let Ok(slot) = self.index.slot_from(queue, offset) else {
            self.found.lost_entries += 1;
            return;
        };
        let expected = self.expected.entry(slot).or_insert(offset);
        let Some(queue) = self.index.queues.get_mut(slot) else { return };
        queue.last_file = queue.last_file.max(Some(file));
        if queue.acked.contains(offset) {
            return;
        }
        if offset < *expected {
            self.found.duplicates += 1;
            return;
        }
        let gap = offset - *expected - queue.acked.count(*expected, offset);
        if gap > 0 && sure {
            queue.counts.lost += gap;
            self.found.lost_entries += gap;
        }
        queue.acked.insert(*expected, offset);
        *expected = offset.saturating_add(1);
        queue.next = queue.next.max(*expected);
        self.index.locate(slot, file, at, offset, since, cost);
    }

    /// What is missing behind the last entry of each queue, and where everybody begins.
    fn finish(self, sure: &HashMap<Slot, u64>) {
        let Self { index, found, expected } = self;
        for (slot, queue) in index.queues.iter_mut().enumerate() {
            let from = expected.get(&slot).copied().unwrap_or(queue.next);
            let synced = sure.get(&slot).copied().unwrap_or(0);
            if synced > from {
                let gap = synced - from - queue.acked.count(from, synced);
                queue.counts.lost += gap;
                found.lost_entries += gap;
            }
            queue.acked.insert(from, queue.next);
            queue.read_next = queue.acked.below();
            queue.hot_from = queue.next;
            index.sequence = index.sequence.max(queue.next);
            found.entries += queue.entries;
        }
        index.forget_dead_spills();
        index.deaths = true;
    }
}
