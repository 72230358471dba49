//! The records of a request that are not settled yet, read one after the other.
//!
//! Promise: a record is read when it is its turn, so that it is at hand when it is written, and no request is ever in memory as
//! records.

use lanner_engine::{
    event::otlp::{DecodeError, LogReader},
    prelude::*,
};

/// Where the reading stands.
pub struct Open<'r> {
    items: std::vec::IntoIter<usize>,
    records: LogReader<'r>,
    /// How many records were read.
    read: usize,
}

impl<'r> Open<'r> {
    /// What is open now.
    pub fn of(request: &'r Request) -> Self {
        Self { items: request.progress().open().into_iter(), records: LogReader::of(request.bytes()), read: 0 }
    }

    /// The number of the next record and its reader, should the request have so many.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next(&mut self) -> Result<Option<(usize, Option<&LogReader<'r>>)>, DecodeError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        while self.read <= item {
            if !self.records.advance()? {
                return Ok(Some((item, None)));
            }
            self.read += 1;
        }
        Ok(Some((item, Some(&self.records))))
    }
}
