//! Events from a file or standard input, line by line.
//!
//! Promises: a line has an event, an EventList or an array of events; what is damaged costs itself, not its neighbours;
//! memory is bounded by one event, whatever the length of a line or of the input.

use super::files::STDIN;
use lanner_engine::semantics::audit::reasons;
use lanner_receivers::k8s_audit::split::{Piece, Splitter};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// Larger events are not evaluated. An API server writes at most two objects of 1.5 MiB into one.
const MAX_EVENT: usize = 4 << 20;
/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// Opens a file of events.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    Ok(match path.as_os_str() == STDIN {
        true => Box::new(BufReader::with_capacity(BUFFER, io::stdin().lock())),
        false => Box::new(BufReader::with_capacity(BUFFER, File::open(path)?)),
    })
}

/// Hands out every event with the number of its line, from 1; or why there is none.
pub fn each(
    input: &mut dyn BufRead,
    mut found: impl FnMut(u64, Result<&[u8], &'static str>) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = 1;
    let mut splitter = Splitter::new(MAX_EVENT);
    loop {
        let mut written = Ok(());
        let mut take = |piece: Piece<'_>| {
            if written.is_ok() {
                written = match piece {
                    Piece::Item { bytes, removed: None } => found(line, Ok(bytes)),
                    Piece::Item { removed: Some(_), .. } => found(line, Err(reasons::ITEM_TOO_LARGE)),
                    Piece::Broken { reason, .. } => found(line, Err(reason)),
                };
            }
        };
        let buffer = input.fill_buf()?;
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |end| end + 1);
        let is_last = buffer.is_empty();
        splitter.feed(&buffer[..used], &mut take);
        if end.is_some() || is_last {
            std::mem::replace(&mut splitter, Splitter::new(MAX_EVENT)).finish(&mut take);
            line += 1;
        }
        input.consume(used);
        written?;
        if is_last {
            return Ok(());
        }
    }
}
