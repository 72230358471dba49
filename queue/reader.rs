//! Reading back what senders did not take while it was in memory.
//!
//! Promises: payloads are checked again before they are handed out; memory is the read-ahead, or one record where that
//! is larger; a file that cannot be read stops the queues that need it, loses nothing, and is tried again.

use crate::{
    format::{
        body::Body,
        checksum::{LogId, Salt},
        names,
    },
    fs::Fs,
    index::{Index, Item, Slot, cost},
    scan::{Scanner, Step},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

/// See the head of the module.
pub struct Reader {
    fs: Arc<dyn Fs>,
    index: Arc<Mutex<Index>>,
    log: LogId,
}

impl Reader {
    pub fn new(fs: Arc<dyn Fs>, index: Arc<Mutex<Index>>, log: LogId) -> Self {
        Self { fs, index, log }
    }

    /// Brings the next entries of a queue into memory.
    ///
    /// # Errors
    /// The file cannot be read now; nothing has changed.
    pub fn fill(&self, slot: Slot) -> io::Result<()> {
        let Some((plan, kind)) = ({
            let mut index = self.index.lock();
            let plan = index.plan_fill(slot);
            plan.and_then(|plan| index.files.get(&plan.file).map(|file| file.kind).map(|kind| (plan, kind)))
        }) else {
            return Ok(());
        };
        let file = match self.fs.open(&names::name(kind, plan.file)) {
            Ok(file) => file,
            // The entries were moved since; whoever waits asks again.
            Err(error) if error.kind() == ErrorKind::NotFound && !self.index.lock().files.contains_key(&plan.file) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut scanner = Scanner::new(file, Salt::new(&self.log, plan.file), plan.at, plan.file_end);
        let (mut items, mut bytes, mut reached, mut hint) = (Vec::new(), 0, plan.from, plan.at);
        let (mut damages, mut damaged) = (0, 0);
        while reached < plan.stop && bytes < plan.bytes {
            let (at, body) = match scanner.step()? {
                Step::End => {
                    reached = plan.stop;
                    break;
                }
                Step::Damage { from, to } => {
                    damages += 1;
                    damaged += to - from;
                    continue;
                }
                Step::Record { at, body, .. } => (at, Body::decode(body).unwrap_or_default()),
            };
            for row in body.entries.iter().filter(|row| row.queue == &*plan.queue) {
                // The record may have more than is wanted now, so the next read begins with it again.
                hint = at;
                if row.offset < reached || row.offset >= plan.stop {
                    continue;
                }
                reached = row.offset + 1;
                bytes += row.payload.len();
                let payload = Bytes::copy_from_slice(row.payload);
                let cost = cost(&plan.queue, payload.len());
                items.push(Item { offset: row.offset, appended: row.appended, payload, cost });
            }
        }
        let mut index = self.index.lock();
        let lost = |index: &Index| index.queues.get(slot).map_or(0, |queue| queue.counts.lost);
        let before = lost(&index);
        index.filled(slot, &plan, items, reached, hint);
        if lost(&index) > before {
            index.counts.corrupt_records += damages;
            index.counts.corrupt_bytes += damaged;
        }
        Ok(())
    }

    /// Up to `count` entries of a queue that are not settled, oldest first, beginning behind `from`; nothing changes.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn peek(&self, slot: Slot, mut from: u64, count: usize) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        while items.len() < count {
            let Some((name, span, kind, end)) = ({
                let index = self.index.lock();
                index.queues.get(slot).and_then(|queue| {
                    let span = queue.spans.get(queue.span_from(from))?.clone();
                    let file = index.files.get(&span.file)?;
                    Some((Arc::clone(&queue.name), span, file.kind, file.end))
                })
            }) else {
                break;
            };
            let file = self.fs.open(&names::name(kind, span.file))?;
            let mut scanner = Scanner::new(file, Salt::new(&self.log, span.file), span.at, end);
            let stop = span.end;
            from = from.max(span.first);
            while from < stop && items.len() < count {
                let body = match scanner.step()? {
                    Step::End => break,
                    Step::Damage { .. } => continue,
                    Step::Record { body, .. } => Body::decode(body).unwrap_or_default(),
                };
                for row in body.entries.iter().filter(|row| row.queue == &*name) {
                    let lives = self.index.lock().queues.get(slot).is_some_and(|q| q.file_of(row.offset).is_some());
                    if row.offset < from || row.offset >= stop || !lives || items.len() == count {
                        continue;
                    }
                    from = row.offset + 1;
                    let payload = Bytes::copy_from_slice(row.payload);
                    let cost = cost(&name, payload.len());
                    items.push(Item { offset: row.offset, appended: row.appended, payload, cost });
                }
            }
            if items.len() < count {
                from = stop;
            }
        }
        Ok(items)
    }
}
