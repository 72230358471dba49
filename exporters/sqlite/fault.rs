//! What an error of SQLite means for the request and for the exporter. Told by code, never by text.

use rusqlite::{Error, ErrorCode, ffi};

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another process has the database; it may be free soon.
    Busy,
    /// No room, of the disk or of the configured size.
    Full,
    /// The disk or its permissions; opening the file anew may help.
    Disk,
    /// The file is damaged or no database: nothing is written to it any more.
    Damaged,
    /// This request can never be written.
    Request,
    /// Anything else, such as a table that somebody took away.
    Other,
}

impl Fault {
    /// Sorts an error.
    pub fn of(error: &Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => Self::Request,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Disk,
            _ => Self::Other,
        }
    }
}

/// The error of a database that is not open.
pub fn closed() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), None)
}
