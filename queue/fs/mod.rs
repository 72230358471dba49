//! What the log asks of a file system: one flat directory, positioned reads and writes, and honest syncs.
//!
//! The seam exists for the tests, which put a file system below the log that loses, tears and refuses what it may.
//! Nothing here follows a symbolic link or leaves the directory.
//!
//! What the log relies on, and nothing more: after [`File::sync`] returns, the bytes and the length of that file
//! survive; after [`Fs::sync_names`] returns, every name made, changed or removed before it does; [`Fs::rename`] is
//! atomic. Before that anything may be missing, in any order, in pieces of a sector.

mod directory;
#[cfg(test)]
pub mod simulated;

pub use directory::{Directory, DirectoryError};

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::Arc,
};

/// The directory of a log.
pub trait Fs: Send + Sync {
    /// Names of the files that are there, in no order.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file for reading and writing; it must not be there yet.
    ///
    /// # Errors
    /// It is there, or the file system refuses.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// It is not there, is no regular file, or the file system refuses.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// The file system refuses.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name; who has the file open can go on reading.
    ///
    /// # Errors
    /// The file system refuses.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all changes of names durable.
    ///
    /// # Errors
    /// The disk failed.
    fn sync_names(&self) -> io::Result<()>;
}

/// An open file. Positions and sizes are in bytes.
pub trait File: Send + Sync {
    /// Length of the file.
    ///
    /// # Errors
    /// The file system refuses.
    fn size(&self) -> io::Result<u64>;

    /// Reads at a position; fewer bytes than asked for is no error, none is the end.
    ///
    /// # Errors
    /// The disk failed.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes at a position; may write fewer bytes than given.
    ///
    /// # Errors
    /// No room, or the disk failed.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize>;

    /// Sets room aside so that the file reads as zeros up to `size`.
    ///
    /// # Errors
    /// No room. A file system that cannot do this is no error.
    fn allocate(&self, size: u64) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// The file system refuses.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes bytes and length durable.
    ///
    /// # Errors
    /// The disk failed; what was written since the last sync may be gone, and a second sync says nothing about it.
    fn sync(&self) -> io::Result<()>;
}

/// Fills `into` from `at` as far as the file goes; returns how far that was.
pub(crate) fn read_full(file: &dyn File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The kernel takes at most this many parts at once (`IOV_MAX`).
const MAX_PARTS: usize = 1024;

/// Writes all parts one after the other from `at`, however often the kernel stops short.
pub(crate) fn write_full(file: &dyn File, mut parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
    while !parts.is_empty() {
        let some = parts.get(..parts.len().min(MAX_PARTS)).unwrap_or_default();
        match file.write_at(some, at) {
            // Parts may be empty, so "nothing written" is an error only when there was something to write.
            Ok(0) if some.iter().any(|part| !part.is_empty()) => return Err(ErrorKind::WriteZero.into()),
            Ok(0) => parts = parts.get_mut(MAX_PARTS..).unwrap_or_default(),
            Ok(count) => {
                at += count as u64;
                IoSlice::advance_slices(&mut parts, count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
