//! `Seen`: which records were absorbed lately, by `log.record.uid`.
//!
//! Promises: a uid is known for [`WINDOW`], unless over [`MOST`] others came meanwhile, which is counted; after a restart
//! as well. Uids are compared by 128 bits of BLAKE3, so nobody can make two of them look like one.
//!
//! Format: what came between two commits is one segment, `uid/<number>`: when it came (8 bytes, nanoseconds since 1970,
//! big-endian), then 16 bytes for each uid. A segment is written once and removed once.

use super::clock::{Now, nanos};
use crate::component::Change;
use bytes::{BufMut, Bytes, BytesMut};
use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

/// Keys of segments in the storage.
pub(super) const PREFIX: &str = "uid/";
/// How long a uid is known: longer than any sender repeats (`docs/mapping.md`, section 4).
const WINDOW: Duration = Duration::from_secs(600);
/// Most uids at a time, about 16 MiB: 400 records a second for the whole window.
const MOST: usize = 250_000;
/// A segment is closed when it has this many.
const SEGMENT: usize = 4096;

/// The window.
#[derive(Default)]
pub(super) struct Seen {
    known: HashSet<u128>,
    /// Oldest first.
    segments: VecDeque<Segment>,
    open: Vec<u128>,
    next: u64,
    /// Segments of the storage that are no longer needed.
    removed: Vec<u64>,
    /// Uids that were given up before their time.
    pub forgotten: u64,
}

struct Segment {
    number: u64,
    /// On the monotonic clock.
    expires: u64,
    uids: Vec<u128>,
    /// Since 1970; for the storage.
    at: u64,
    written: bool,
}

impl Seen {
    /// Takes over a segment of the storage, in order of their keys. A damaged one is left out.
    pub fn load(&mut self, key: &str, value: &[u8], now: Now) {
        let number = key.strip_prefix(PREFIX).and_then(|number| u64::from_str_radix(number, 16).ok());
        let (Some(number), Some((at, uids))) = (number, value.split_first_chunk::<8>()) else { return };
        let at = u64::from_be_bytes(*at);
        let left = nanos(WINDOW).saturating_sub(now.unix.saturating_sub(at));
        let uids: Vec<u128> = uids.as_chunks::<16>().0.iter().map(|uid| u128::from_be_bytes(*uid)).collect();
        self.known.extend(&uids);
        self.next = self.next.max(number.saturating_add(1));
        let expires = now.monotonic.saturating_add(left);
        self.segments.push_back(Segment { number, expires, uids, at, written: true });
    }

    /// Whether the uid came before, within the window. From now on it did.
    pub fn is_repeat(&mut self, uid: &str, now: Now) -> bool {
        let hash = blake3::hash(uid.as_bytes());
        let Some((uid, _)) = hash.as_bytes().split_first_chunk::<16>() else { return false };
        let uid = u128::from_be_bytes(*uid);
        self.forget(now);
        if !self.known.insert(uid) {
            return true;
        }
        self.open.push(uid);
        if self.open.len() >= SEGMENT {
            self.close(now);
        }
        false
    }

    fn forget(&mut self, now: Now) {
        while let Some(oldest) = self.segments.front() {
            let early = oldest.expires > now.monotonic;
            if early && self.known.len() < MOST {
                return;
            }
            let Some(oldest) = self.segments.pop_front() else { return };
            oldest.uids.iter().for_each(|uid| {
                self.known.remove(uid);
            });
            if early {
                self.forgotten += oldest.uids.len() as u64;
            }
            if oldest.written {
                self.removed.push(oldest.number);
            }
        }
    }

    fn close(&mut self, now: Now) {
        if !self.open.is_empty() {
            let (number, expires) = (self.next, now.monotonic.saturating_add(nanos(WINDOW)));
            self.next += 1;
            let uids = std::mem::take(&mut self.open);
            self.segments.push_back(Segment { number, expires, uids, at: now.unix, written: false });
        }
    }

    /// What is not in the storage yet.
    pub fn changes(&mut self, now: Now, changes: &mut Vec<Change>) {
        self.close(now);
        changes.extend(self.removed.drain(..).map(|number| (key(number), None)));
        for segment in self.segments.iter_mut().rev().take_while(|segment| !segment.written) {
            segment.written = true;
            changes.push((key(segment.number), Some(segment.encoded())));
        }
    }
}

impl Segment {
    fn encoded(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(8 + 16 * self.uids.len());
        value.put_u64(self.at);
        self.uids.iter().for_each(|uid| value.put_u128(*uid));
        value.freeze()
    }
}

fn key(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}
