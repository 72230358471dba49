//! A turn of a file: what is new becomes lines.
//!
//! Promises
//! - Every line comes out once, in order. A line without an end waits for it: text as long as `force_flush_period`, JSON
//!   until it is complete, for half of it is worth nothing; a file that was rotated away gives out what it has.
//! - Between two turns no byte of a plain line is in memory: what is not complete is read again. What is held of lines
//!   that a container runtime wrote in parts is bounded by [`HELD_BYTES`] for all files together.
//! - A turn reads at most [`CHUNK`] bytes, or one line.
//! - A truncated file is read from its beginning. Runs of zero bytes in front of a line are left out: a writer that
//!   does not append leaves them behind a truncation.

use super::{
    blocks,
    checkpoints::Cursor,
    identity::{self, Fingerprint},
    shared::Shared,
    tail::Tail,
};
use crate::{
    container::{Unwrapper, Whole},
    formats::Records,
};
use bytes::Bytes;
use std::{
    fs::File,
    io,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Bytes that are read of a file before others have their turn.
pub const CHUNK: usize = 64 << 10;
/// Parts of lines in memory, of all files together.
pub const HELD_BYTES: usize = 32 << 20;
/// A writer that leaves JSON half written for this long has died.
const ABANDONED: Duration = Duration::from_secs(10);
/// Times of files are not believed to be finer than this.
const TIME_STEP: Duration = Duration::from_millis(100);
/// How long the rest of a rotated file waits for its line end at most.
const ROTATED_REST: Duration = Duration::from_millis(500);

/// What all turns of a round share.
pub struct Work {
    pub now: Instant,
    /// Nanoseconds since 1970.
    pub wall: u64,
    pub records: Records,
    pub buffer: Vec<u8>,
    /// Bytes of parts of lines, of all files.
    pub held: usize,
}

impl Tail {
    /// Reads some of what is new. Returns whether anything was done.
    ///
    /// # Errors
    /// The file cannot be read; the next turn tries again.
    pub fn turn(&mut self, shared: &Shared, work: &mut Work) -> io::Result<bool> {
        let Some(file) = self.file.take() else { return Ok(false) };
        self.turned = work.now;
        let held = self.unwrapper.held_bytes();
        let done = self.read_on(&file, shared, work);
        work.held = (work.held + self.unwrapper.held_bytes()).saturating_sub(held);
        self.file = Some(file);
        done
    }

    fn read_on(&mut self, file: &File, shared: &Shared, work: &mut Work) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let (size, modified) = (metadata.len(), metadata.modified().ok());
        let mut done = false;
        // A file may be truncated and grow to the same size between two turns. File systems keep time in coarse steps, so
        // one that was changed just now may change again without a new time.
        let fresh = |time: SystemTime| time.elapsed().is_ok_and(|age| age < TIME_STEP);
        let touched = size != self.seen || modified != self.modified;
        self.modified = modified.filter(|time| !fresh(*time));
        if touched {
            let grew = size != self.seen;
            if size < self.position || !self.fingerprint.fits(file)? {
                self.start_over(shared, work);
                done = true;
            }
            if grew || done {
                self.seen = size;
                self.changed = work.now;
                self.grew = true;
            }
            if self.fingerprint.bytes() < size.min(shared.fingerprint_size as u64) || done {
                self.fingerprint = Fingerprint::take(file, shared.fingerprint_size)?;
                done = true;
            }
        }
        let more = size > self.position && self.unfinished != Some(size);
        if more && self.read_chunk(file, shared, work)? {
            self.unfinished = None;
            self.at_end = false;
            return Ok(true);
        }
        let quiet = work.now.saturating_duration_since(self.changed);
        if self.unfinished == Some(size) && self.grew && self.flush_rest(file, size, quiet, shared, work)? {
            self.unfinished = None;
            done = true;
        }
        let rotated = self.rotated();
        let Self { unwrapper, source, .. } = self;
        let held = unwrapper.held_bytes();
        let emit = |line: Whole| shared.mapper.map(source, &line, work.wall, &mut work.records);
        if rotated && quiet >= ROTATED_REST {
            unwrapper.flush_all(emit);
        } else {
            unwrapper.flush_idle(work.now, emit);
        }
        done |= unwrapper.held_bytes() != held;
        self.at_end = self.unfinished.is_none() || !self.grew;
        Ok(done)
    }

    /// Reads a chunk, or a line that is longer. Returns whether it got anywhere.
    fn read_chunk(&mut self, file: &File, shared: &Shared, work: &mut Work) -> io::Result<bool> {
        if !self.final_identity {
            (self.source.identity, self.final_identity) = identity::origin(file, self.key)?;
        }
        let Work { now, wall, records, buffer, held } = work;
        let Self { unwrapper, source, position, skipping, .. } = self;
        let mut want = CHUNK;
        loop {
            buffer.resize(want, 0);
            let found = blocks::read_at(file, buffer, *position)?;
            let chunk = &buffer[..found];
            let mut used = 0;
            if *skipping {
                let end = memchr::memchr(b'\n', chunk);
                used = end.map_or(found, |end| end + 1);
                *skipping = end.is_none();
            }
            let mut emit = |line: Whole| shared.mapper.map(source, &line, *wall, records);
            let mut take = |text: &[u8], at: u64| {
                let cut = text.len() > shared.max_line;
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                let text = Bytes::copy_from_slice(&text[..text.len().min(shared.max_line)]);
                let before = unwrapper.held_bytes();
                unwrapper.push(Whole { cut, ..Whole::plain(text, at) }, *now, &mut emit);
                // Counts this file twice, which errs on the safe side.
                if unwrapper.held_bytes() > before && *held + unwrapper.held_bytes() > HELD_BYTES {
                    unwrapper.flush_all(&mut emit);
                }
            };
            while used < found {
                let rest = &chunk[used..];
                if rest[0] == 0 {
                    used += rest.iter().take_while(|byte| **byte == 0).count();
                    continue;
                }
                let Some(end) = memchr::memchr(b'\n', rest) else { break };
                take(&rest[..end], *position + used as u64);
                used += end + 1;
            }
            let rest = &chunk[used..];
            if rest.len() > shared.max_line {
                take(rest, *position + used as u64);
                *skipping = true;
                used = found;
            }
            if used > 0 {
                *position += used as u64;
                shared.metrics.bytes.add(used as u64);
                return Ok(true);
            }
            if found < want {
                self.unfinished = (found > 0).then_some(*position + found as u64);
                return Ok(false);
            }
            want = (want * 8).min(shared.max_line.max(CHUNK) + 1);
        }
    }

    /// Hands out a line without an end when it has waited long enough. Returns whether it did.
    fn flush_rest(
        &mut self,
        file: &File,
        size: u64,
        quiet: Duration,
        shared: &Shared,
        work: &mut Work,
    ) -> io::Result<bool> {
        let rotated = self.rotated();
        let patience = if rotated { Some(ROTATED_REST) } else { None };
        // The shorter of the two, where there are two.
        let Some(wait) = shared.force_flush.into_iter().chain(patience).min() else { return Ok(false) };
        if quiet < wait {
            return Ok(false);
        }
        let mut rest = vec![0; (size - self.position) as usize];
        let found = blocks::read_at(file, &mut rest, self.position)?;
        rest.truncate(found);
        let whole = shared.whole_lines && is_json(&rest);
        if shared.whole_lines && !whole && !rotated && quiet < ABANDONED.max(wait) {
            return Ok(false);
        }
        let line = Whole { incomplete: !whole, ..Whole::plain(rest.into(), self.position) };
        let Self { unwrapper, source, .. } = self;
        unwrapper.push(line, work.now, |line| shared.mapper.map(source, &line, work.wall, &mut work.records));
        shared.metrics.bytes.add(found as u64);
        self.position += found as u64;
        Ok(true)
    }

    /// The file is not what it was: it was truncated, or written anew.
    fn start_over(&mut self, shared: &Shared, work: &mut Work) {
        let lost = self.seen.saturating_sub(self.position);
        shared.metrics.truncations.add(1);
        shared.metrics.lost_bytes.add(lost);
        tracing::info!(path = %self.path.display(), lost, "a file was truncated; reading from its beginning");
        let Self { unwrapper, source, .. } = self;
        unwrapper.flush_all(|line| shared.mapper.map(source, &line, work.wall, &mut work.records));
        self.unwrapper = Unwrapper::new(shared.wrapping, shared.max_line);
        (self.position, self.skipping, self.resumed) = (0, false, Cursor::default());
        (self.unfinished, self.final_identity) = (None, false);
    }
}

/// Whether a text without a line end is a complete JSON object or array.
fn is_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}
