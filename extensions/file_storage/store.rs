//! The redb file and the part of it that belongs to one component.

use bytes::Bytes;
use lanner_engine::{component::Change, prelude::*};
use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition, backends::FileBackend};
use std::{
    fs::{DirBuilder, OpenOptions, create_dir_all, rename},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

const FILE: &str = "state.redb";
const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("state");
/// The state of all components together is small; the rest of it stays on disk.
const CACHE: usize = 4 << 20;
/// As the trait [`Storage`] says.
const MAX_KEY: usize = 1 << 10;
const MAX_VALUE: usize = 16 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("`{path}` is not there or cannot be used: {source}; create it, or set `create_directory: true`")]
    Directory { path: PathBuf, source: io::Error },
    #[error("`{path}` cannot be created: {source}; create it for the user of the process, or set another `directory`")]
    Create { path: PathBuf, source: io::Error },
    #[error("everybody can write to `{path}`, and so change the state; take that right away: chmod o-w {path}")]
    Writable { path: PathBuf },
    #[error("`{path}` belongs to another user, who could change the state; `chown` it to the user that runs Lanner")]
    Foreign { path: PathBuf },
    #[error("`{path}` is used by another process; end that one, or give each its own `directory`")]
    InUse { path: PathBuf },
    #[error("`{path}` cannot be opened: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("`{path}`: {source}")]
    Database { path: PathBuf, source: DatabaseError },
    #[error("`{path}` is damaged and cannot be moved aside: {source}; move it away by hand")]
    Damaged { path: PathBuf, source: io::Error },
}

/// A change that is too large to be small state.
#[derive(Debug, thiserror::Error)]
#[error("a key of {key} bytes with a value of {value} bytes is too large for a storage")]
struct TooLarge {
    key: usize,
    value: usize,
}

/// The state of all components.
pub(super) struct Store {
    database: Arc<Database>,
    writing: Arc<tokio::sync::Mutex<()>>,
    /// Whether a damaged file was found and moved aside.
    pub moved_aside: bool,
}

impl Store {
    /// Opens the file in `directory`, or makes it.
    pub fn open(directory: &Path, create: bool) -> Result<Self, OpenError> {
        if create && !directory.exists() {
            let path = || directory.to_owned();
            // Folders above are not ours to close.
            let parent = directory.parent().map_or(Ok(()), create_dir_all);
            let made = parent.and_then(|()| DirBuilder::new().mode(0o700).create(directory));
            made.map_err(|source| OpenError::Create { path: path(), source })?;
        }
        let path = || directory.to_owned();
        let looked = || Ok((directory.symlink_metadata()?, directory.read_dir().and_then(|_| directory.metadata())?));
        let (link, folder) = looked().map_err(|source| OpenError::Directory { path: path(), source })?;
        // Volumes of Kubernetes belong to root, who can change everything anyway.
        let trusted = [0, rustix::process::geteuid().as_raw()];
        if [&link, &folder].iter().any(|entry| !trusted.contains(&entry.uid())) {
            return Err(OpenError::Foreign { path: path() });
        }
        if folder.mode() & 0o002 != 0 {
            return Err(OpenError::Writable { path: path() });
        }
        let path = directory.join(FILE);
        match Self::open_file(&path) {
            Err(OpenError::Database { source, .. }) if is_damage(&source) => {
                let aside = free_name(&path);
                rename(&path, &aside).map_err(|source| OpenError::Damaged { path: path.clone(), source })?;
                tracing::error!(
                    kept = %aside.display(),
                    "`{}` is damaged: {source}. It was moved aside; components start without their state.",
                    path.display()
                );
                Ok(Self { moved_aside: true, ..Self::open_file(&path)? })
            }
            opened => opened,
        }
    }

    fn open_file(path: &Path) -> Result<Self, OpenError> {
        // No link is followed: it would let whoever made it choose what is overwritten (S17).
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path).map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        // Without the check a file that something else has damaged could panic later.
        let opened = FileBackend::new(file).and_then(|file| {
            Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(file)
        });
        match opened {
            Ok(database) => Ok(Self { database: Arc::new(database), writing: Arc::default(), moved_aside: false }),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(source) => Err(OpenError::Database { path: path.to_owned(), source }),
        }
    }
}

/// Whether an error says that the bytes of the file are wrong, not that the disk or another process is in the way.
fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::RepairAborted => true,
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        // This is how a file that never was a redb file is reported.
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// `state.redb.damaged`, or with a number when there is one already.
fn free_name(path: &Path) -> PathBuf {
    let name = |number: usize| match number {
        0 => path.with_extension("redb.damaged"),
        _ => path.with_extension(format!("redb.damaged.{number}")),
    };
    // Ends: a folder has finitely many files.
    (0..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}

impl Store {
    /// The state of `owner`.
    pub fn of(&self, owner: &str) -> Arc<dyn Storage> {
        let prefix = [owner.as_bytes(), b"\0"].concat();
        Arc::new(Owned { prefix, database: Arc::clone(&self.database), writing: Arc::clone(&self.writing) })
    }
}

/// The state of one component.
struct Owned {
    prefix: Vec<u8>,
    database: Arc<Database>,
    /// Held by a write until it is over, also when nobody waits for it any more: otherwise the next one could overtake it
    /// and older values would win.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Owned {
    fn key(&self, key: &str) -> Vec<u8> {
        [&self.prefix, key.as_bytes()].concat()
    }

    /// Runs on a thread that may block. Once begun it is finished, even if nobody waits any more.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, BoxError> {
        let database = Arc::clone(&self.database);
        Ok(tokio::task::spawn_blocking(move || work(&database)).await??)
    }
}

#[async_trait]
impl Storage for Owned {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BoxError> {
        let key = self.key(key);
        self.blocking(move |database| {
            let table = match database.begin_read()?.open_table(TABLE) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(&*key)?.map(|value| Bytes::copy_from_slice(value.value())))
        })
        .await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, BoxError> {
        let (from, own) = (self.key(prefix), self.prefix.len());
        self.blocking(move |database| {
            let table = match database.begin_read()?.open_table(TABLE) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let mut found = Vec::new();
            for entry in table.range(&*from..)? {
                let (key, value) = entry?;
                if !key.value().starts_with(&from) {
                    break;
                }
                // Keys were written as text.
                let key = String::from_utf8_lossy(&key.value()[own..]).into_owned();
                found.push((key, Bytes::copy_from_slice(value.value())));
            }
            Ok(found)
        })
        .await
    }

    async fn put(&self, changes: Vec<Change>) -> Result<(), BoxError> {
        for (key, value) in &changes {
            let (key, value) = (key.len(), value.as_ref().map_or(0, Bytes::len));
            if key > MAX_KEY || value > MAX_VALUE {
                return Err(TooLarge { key, value }.into());
            }
        }
        let changes: Vec<_> = changes.into_iter().map(|(key, value)| (self.key(&key), value)).collect();
        let writing = Arc::clone(&self.writing).lock_owned().await;
        self.blocking(move |database| {
            let _writing = writing;
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(TABLE)?;
                for (key, value) in &changes {
                    match value {
                        Some(value) => drop(table.insert(&**key, &**value)?),
                        None => drop(table.remove(&**key)?),
                    }
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }
}
