//! From files to an index.
//!
//! Promises
//! - What was acknowledged to a writer is found again, whatever the moment of the crash, also of a crash in here.
//!   Recovery changes nothing but the end of the last segment, and removes what nobody can need: it cuts off the torn
//!   tail, and marks holes in what was never acknowledged so that they are not taken for damage later.
//! - Damage costs the records it hits. What is missing shows as gaps in the offsets of a queue: gaps in what was
//!   synced are losses and are counted; gaps in what was not are appends that nobody was told about.
//! - An entry comes back unless its end is on disk. Where two files have it, one counts.
//! - A format of another version, and files of another log, are refused before anything is changed.
//!
//! Order: find the files ([`files`]); read the cursors from the newest segment backwards up to one that has all of them
//! ([`cursors`]); then go through all entries, spills first, and locate those that live ([`entries`]).

mod cursors;
mod entries;
mod files;

use crate::{
    error::OpenError,
    format::checksum::LogId,
    fs::{File, Fs},
    index::Index,
    options::Options,
    stats::Recovered,
};
use std::{collections::HashMap, io, sync::Arc};

/// Whether files may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For looking only.
    Read,
    Write,
}

/// What a log continues from.
pub struct Recovery {
    pub index: Index,
    pub log: LogId,
    /// The number of the next file.
    pub next_number: u64,
    /// The last segment, and how much of it counts.
    pub previous: Option<(u64, u64)>,
    pub found: Recovered,
}

/// A file of the log.
struct Candidate {
    number: u64,
    kind: crate::format::names::FileKind,
    file: Arc<dyn File>,
    size: u64,
    /// What the next segment says of the end of this one.
    end: Option<u64>,
    /// The header cannot be read.
    damaged: bool,
    /// What was in it and was on disk is known up to here; what lies behind was never acknowledged.
    synced: u64,
}

/// What the cursors on disk say of one queue.
#[derive(Default)]
struct Known {
    acked: crate::acked::Acked,
    /// Highest `next` anywhere.
    next: u64,
    /// Highest `next` that was surely synced.
    sure: u64,
}

type Cursors = HashMap<String, Known>;

/// Reads the directory.
///
/// # Errors
/// A file cannot be read, is of another version or of another log.
pub fn recover(fs: &dyn Fs, options: &Options, access: Access) -> Result<Recovery, OpenError> {
    let mut found = Recovered::default();
    let listing = files::list(fs, access, &mut found)?;
    let mut candidates = listing.candidates;
    let cursors = cursors::read(&listing.log, &mut candidates)?;
    let mut index = Index::new(options);
    let previous = entries::locate(&listing.log, &candidates, cursors, access, &mut index, &mut found)?;
    Ok(Recovery { index, log: listing.log, next_number: listing.next_number, previous, found })
}

fn unreadable(file: String) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { file, source }
}
