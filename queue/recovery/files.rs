//! Which files there are, and whose.
//!
//! The identity of the log is in every file and, because no checksum can be checked without it, once more in the name
//! of an empty file, so that a damaged header costs nothing but itself.

use super::{Access, Candidate, unreadable};
use crate::{
    error::OpenError,
    format::{
        checksum::LogId,
        names::{self, FileKind},
        segment::{self, Header, Read},
    },
    fs::{Fs, read_full},
    stats::Recovered,
};

pub(super) struct Listing {
    pub log: LogId,
    /// Spills first, then segments, by number.
    pub candidates: Vec<Candidate>,
    pub next_number: u64,
}

pub(super) fn list(fs: &dyn Fs, access: Access, found: &mut Recovered) -> Result<Listing, OpenError> {
    let io = |source| OpenError::Io { file: ".".to_owned(), source };
    let mut log: Option<LogId> = None;
    let (mut candidates, mut unfinished, mut next_number) = (Vec::new(), Vec::new(), 0);
    let mut headers = Vec::new();
    for name in fs.names().map_err(io)? {
        if let Some(identity) = names::parse_identity(&name) {
            if log.is_some_and(|known| known != identity) {
                return Err(OpenError::Foreign { file: name });
            }
            log = Some(identity);
        } else if names::is_unfinished(&name) {
            unfinished.push(name);
        } else if let Some((kind, number)) = names::parse(&name) {
            next_number = next_number.max(number.saturating_add(1));
            let file = fs.open(&name).map_err(unreadable(name.clone()))?;
            let size = file.size().map_err(unreadable(name.clone()))?;
            let mut head = [0; segment::HEADER];
            read_full(&*file, &mut head, 0).map_err(unreadable(name.clone()))?;
            headers.push((Header::decode(&head), name));
            candidates.push(Candidate { number, kind, file, size, end: None, damaged: false, synced: 0 });
        } else {
            found.strangers += 1;
        }
    }
    let identified = log.is_some();
    for (header, name) in &headers {
        match header {
            Read::Version(version) => {
                return Err(OpenError::Version { file: name.clone(), found: *version, known: segment::VERSION });
            }
            Read::Header(header) if *log.get_or_insert(header.log) != header.log => {
                return Err(OpenError::Foreign { file: name.clone() });
            }
            _ => {}
        }
    }
    let log = log.unwrap_or_else(random);
    if access == Access::Write {
        if !identified {
            match fs.create(&names::identity(&log)) {
                Ok(_) => fs.sync_names().map_err(io)?,
                Err(source) => return Err(io(source)),
            }
        }
        for name in unfinished {
            fs.remove(&name).map_err(unreadable(name))?;
            found.leftovers += 1;
        }
    }
    let mut kept = Vec::with_capacity(candidates.len());
    let mut ends = std::collections::HashMap::new();
    for (mut candidate, (header, _)) in candidates.into_iter().zip(headers) {
        match header {
            // A copy under another name says nothing that the original does not.
            Read::Header(header) if (header.number, header.kind) != (candidate.number, candidate.kind) => {
                found.strangers += 1;
                continue;
            }
            Read::Header(header) => ends.extend(header.previous),
            _ => candidate.damaged = true,
        }
        kept.push(candidate);
    }
    for candidate in &mut kept {
        candidate.end = ends.get(&candidate.number).copied();
    }
    kept.sort_by_key(|candidate| (candidate.kind == FileKind::Segment, candidate.number));
    found.files = kept.len();
    Ok(Listing { log, candidates: kept, next_number })
}

/// A secret that nobody who only sends events can know.
fn random() -> LogId {
    let mut id = LogId::default();
    let mut filled = 0;
    while let Some(rest) = id.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // Only the defence against forged records in a damaged file is weaker then.
            Err(_) => return crate::writer::now().to_le_bytes().repeat(2).try_into().unwrap_or_default(),
        }
    }
    id
}
