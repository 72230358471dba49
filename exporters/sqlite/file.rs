//! The database file: how it is made and opened.
//!
//! Promises: the file is readable and writable by its owner only, and so are the log and the index beside it, which take
//! its mode; no link is followed in the file's place; a directory that everybody can write to is refused; a file that is
//! no database, or damaged, is never made anew.

use super::{
    config::{Plan, Synchronous},
    schema::{STEPS, SchemaError, migrate, version},
};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Bytes of a page; fixed, so that sizes can be told in pages.
pub const PAGE: u64 = 4096;
/// How many statements are kept prepared.
const STATEMENTS: usize = 48;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the directory of `{path}` cannot be used: {source}; `create_directory: true` makes a missing one")]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "everybody can write to `{directory}`, and so put another file there; write another `path`, or chmod o-w it"
    )]
    Writable { directory: PathBuf },
    #[error("`{path}` is a symbolic link or no regular file; write the path of the file itself")]
    NoFile { path: PathBuf },
    #[error("cannot make `{path}`: {source}")]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot use `{path}`: {source}")]
    Database { path: PathBuf, source: SchemaError },
}

/// Which file a path leads to: another one after somebody has moved it or put another in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file at `path`, if there is one.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        Some(Self { device: found.dev(), inode: found.ino() })
    }
}

/// An open database.
pub struct Opened {
    pub connection: Connection,
    pub identity: Identity,
    /// The write-ahead log beside it.
    pub log: PathBuf,
}

/// Opens the database, makes it when there is no file, and brings it to the current schema.
///
/// # Errors
/// See [`OpenError`].
pub fn open(plan: &Plan) -> Result<Opened, OpenError> {
    let path = prepare(plan)?;
    let failed = |source: SchemaError| OpenError::Database { path: path.clone(), source };
    let connection = connect(&path, plan).map_err(failed)?;
    let identity = Identity::of(&path).ok_or_else(|| OpenError::NoFile { path: path.clone() })?;
    let mut log = path.into_os_string();
    log.push("-wal");
    Ok(Opened { connection, identity, log: log.into() })
}

/// Makes directory and file where they are missing. The path without links in its directories.
fn prepare(plan: &Plan) -> Result<PathBuf, OpenError> {
    let directory = plan.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unusable = |source| OpenError::Directory { path: plan.path.clone(), source };
    if plan.create_directory && !directory.exists() {
        // Folders above are not ours to close.
        directory.parent().map_or(Ok(()), fs::create_dir_all).map_err(unusable)?;
        DirBuilder::new().mode(0o700).create(directory).map_err(unusable)?;
    }
    let directory = directory.canonicalize().map_err(unusable)?;
    if directory.metadata().map_err(unusable)?.permissions().mode() & 0o002 != 0 {
        return Err(OpenError::Writable { directory });
    }
    let path = directory.join(plan.path.file_name().unwrap_or_default());
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
            if is_file { Ok(path) } else { Err(OpenError::NoFile { path }) }
        }
        Err(source) => Err(OpenError::Create { path, source }),
    }
}

fn connect(path: &Path, plan: &Plan) -> Result<Connection, SchemaError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(plan.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A file of somebody else's making cannot make us run what it defines.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Before anything that could change a file that is not ours.
    version(&connection, STEPS.len())?;
    // Both have an effect on an empty file only.
    connection.pragma_update(None, "page_size", PAGE.to_string())?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(path = %path.display(), mode, "The file system has no write-ahead log; readers and the writer block each other.");
    }
    let synchronous = match plan.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    migrate(&mut connection, STEPS)?;
    connection.query_row(&format!("PRAGMA max_page_count = {}", plan.limits.bytes / PAGE), [], |_| Ok(()))?;
    Ok(connection)
}
