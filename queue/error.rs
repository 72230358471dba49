//! What can go wrong, one type for each thing that can be said.

use crate::{fs::DirectoryError, options::BadOptions};
use std::{io, sync::Arc};

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Options(#[from] BadOptions),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Nothing is changed, so that the newer build can go on.
    #[error("`{file}` has format {found}, and this build knows {known}; run the newer build, or drain the log with it")]
    Version { file: String, found: u32, known: u32 },
    #[error("`{file}` belongs to another log; move it out of the directory")]
    Foreign { file: String },
    #[error("cannot read `{file}`: {source}")]
    Io {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("the thread of the log could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// Why an append is not in the log. Nothing of it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the log is closed")]
    Closed,
}

/// No room now; there will be when senders make progress.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("queue `{queue}` has no room for {bytes} bytes; raise its budget, or see why it is not drained")]
pub struct Full {
    pub queue: Arc<str>,
    pub bytes: u64,
    /// Whether the queue asks its writers to wait.
    pub holds: bool,
}

/// Never fits.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("an append of {bytes} bytes is larger than the {limit} that fit; send smaller batches or raise the budget")]
pub struct TooLarge {
    pub bytes: u64,
    pub limit: u64,
}

/// The disk refused. The log goes on with a new segment as soon as it can make one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct DiskError {
    /// What was attempted.
    pub what: &'static str,
    #[source]
    pub source: Arc<io::Error>,
}

impl DiskError {
    pub(crate) fn new(what: &'static str, source: io::Error) -> Self {
        Self { what, source: Arc::new(source) }
    }

    /// Whether there is no room on the disk; freeing some is enough.
    pub fn is_out_of_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}
