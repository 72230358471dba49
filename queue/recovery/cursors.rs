//! How far the queues had got.
//!
//! What is done stays done, so the cursors of all records are simply united; nothing depends on their order. The head
//! of a segment has all that was known before it, so the newest segment with a whole head is enough.

use super::{Candidate, Cursors, unreadable};
use crate::{
    error::OpenError,
    format::{
        body::Body,
        checksum::{LogId, Salt},
        names::{self, FileKind},
        record::Kind,
        segment,
    },
    scan::{Scanner, Step},
};
use std::{io, sync::Arc};

/// Reads cursors, and finds out how much of each file was surely synced.
pub(super) fn read(log: &LogId, candidates: &mut [Candidate]) -> Result<Cursors, OpenError> {
    let mut cursors = Cursors::new();
    let mut whole = false;
    for candidate in candidates.iter_mut().rev() {
        // Whoever finished the head of a newer segment had synced this file.
        if whole || candidate.kind == FileKind::Spill {
            candidate.synced = candidate.end.unwrap_or(candidate.size);
            continue;
        }
        let name = names::name(candidate.kind, candidate.number);
        candidate.synced = last_stamp(log, candidate).map_err(unreadable(name.clone()))?;
        whole = unite(log, candidate, &mut cursors).map_err(unreadable(name))?;
    }
    Ok(cursors)
}

/// Every record says how much of its segment was on disk when it was written.
fn last_stamp(log: &LogId, candidate: &Candidate) -> io::Result<u64> {
    let mut synced = segment::HEADER as u64;
    let mut scanner = scanner(log, candidate);
    loop {
        match scanner.step()? {
            Step::End => return Ok(synced),
            Step::Damage { .. } => {}
            Step::Record { header, at, .. } => {
                // The head of a segment is synced as a whole before anything else is written.
                let head = if header.kind == Kind::Commit { 0 } else { at };
                synced = synced.max(u64::from(header.synced)).max(head);
            }
        }
    }
}

/// Adds the cursors of one segment; returns whether it has all that were known before.
fn unite(log: &LogId, candidate: &Candidate, cursors: &mut Cursors) -> io::Result<bool> {
    let (mut whole, mut intact) = (false, true);
    let mut scanner = scanner(log, candidate);
    loop {
        match scanner.step()? {
            Step::End => return Ok(whole),
            Step::Damage { .. } => intact = false,
            Step::Record { at, header, body } => {
                whole |= intact && header.kind == Kind::LastCursors;
                for row in Body::decode(body).unwrap_or_default().cursors {
                    let known = match cursors.get_mut(row.queue) {
                        Some(known) => known,
                        None => cursors.entry(row.queue.to_owned()).or_default(),
                    };
                    known.acked.raise(row.below);
                    row.ranges.iter().for_each(|(start, end)| known.acked.insert(*start, *end));
                    known.next = known.next.max(row.next);
                    // All cursors are written when everything before them is synced.
                    if at < candidate.synced || header.kind != Kind::Commit {
                        known.sure = known.sure.max(row.next);
                    }
                }
            }
        }
    }
}

fn scanner(log: &LogId, candidate: &Candidate) -> Scanner {
    let end = candidate.end.unwrap_or(candidate.size).min(candidate.size);
    Scanner::new(Arc::clone(&candidate.file), Salt::new(log, candidate.number), 0, end)
}
