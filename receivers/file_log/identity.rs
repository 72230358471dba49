//! Which file is which.
//!
//! A path says little: rotation gives it to another file. Device and inode stay with a file through renames, but a file
//! system gives an inode to a new file once the old one is deleted, and a truncated file keeps its own. So the first bytes
//! are remembered as well: a file that only grows keeps them.

use super::blocks::read_at;
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
};

/// Bytes that make the identity of plain records, whatever the configuration says about fingerprints: ids must not
/// depend on it.
const FIRST_LINE: usize = 1024;

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileKey {
    pub device: u64,
    pub inode: u64,
}

impl FileKey {
    /// The key of an open or listed file.
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A digest of a file's first bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    bytes: u32,
    digest: [u64; 2],
}

impl Fingerprint {
    /// The fingerprint of a file as it is now, over at most `limit` bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn take(file: &File, limit: usize) -> io::Result<Self> {
        let mut bytes = vec![0; limit];
        let found = read_at(file, &mut bytes, 0)?;
        Ok(Self::of(&bytes[..found]))
    }

    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u32, digest: digest(bytes) }
    }

    /// Whether the file still begins as it did.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fits(&self, file: &File) -> io::Result<bool> {
        Ok(Self::take(file, self.bytes as usize)? == *self)
    }

    /// How many bytes it is over.
    pub fn bytes(&self) -> u64 {
        u64::from(self.bytes)
    }
}

/// What identifies a file in the ids of its plain records: its inode and its first line. Also says whether that line is
/// there as a whole, so that the answer will never change.
///
/// # Errors
/// The file cannot be read.
pub fn origin(file: &File, key: FileKey) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = [0; FIRST_LINE];
    let found = read_at(file, &mut bytes, 0)?;
    let end = memchr::memchr(b'\n', &bytes[..found]);
    let [high, low] = digest(&bytes[..end.unwrap_or(found)]);
    let origin = [high, low, key.inode].iter().flat_map(|part| part.to_be_bytes()).collect();
    Ok((origin, end.is_some() || found == FIRST_LINE))
}

fn digest(bytes: &[u8]) -> [u64; 2] {
    let hash = blake3::hash(bytes);
    let (halves, _) = hash.as_bytes().as_chunks::<8>();
    [halves[0], halves[1]].map(u64::from_be_bytes)
}
