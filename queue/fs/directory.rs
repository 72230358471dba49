//! A real directory, opened once and never left.
//!
//! Promises: every path is one name below the opened directory and no link is followed; files are 0600, a directory
//! that is made is 0700; one process at a time.

use super::{File, Fs};
use rustix::{
    fs::{AtFlags, CWD, FallocateFlags, FileType, FlockOperation, Mode, OFlags},
    io::{Errno, retry_on_intr},
};
use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Locked by the process that has the directory; removing it would let a second one in.
const LOCK: &str = "LOCK";

const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The directory of a log on a real file system.
pub struct Directory {
    fd: OwnedFd,
    lock: OwnedFd,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error("`{0}` is used by another process; stop it, or give this one a directory of its own")]
    Locked(PathBuf),
    /// A symbolic link could be pointed elsewhere by whoever can change it.
    #[error("`{0}` is a symbolic link or no directory; write the path of the directory itself")]
    NoDirectory(PathBuf),
    /// Others could read the queue or put something else in its place.
    #[error("`{0}` can be written by other users; `chmod go-w` it, or name a directory below it that Lanner can make")]
    Shared(PathBuf),
    /// The owner can change everything.
    #[error("`{0}` belongs to another user; `chown` it to the user that runs Lanner")]
    Foreign(PathBuf),
    /// The file system refused.
    #[error("cannot use `{path}`: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Directory {
    /// Opens `path` for this process alone; makes it when it is missing and its parent is there.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |errno: Errno| DirectoryError::Io { path: path.to_owned(), source: errno.into() };
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) => sync_parent(path).map_err(failed)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        Self::existing(path)
    }

    /// Opens `path` for this process alone, if it is there.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn existing(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |errno: Errno| DirectoryError::Io { path: path.to_owned(), source: errno.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOTDIR | Errno::LOOP => DirectoryError::NoDirectory(path.to_owned()),
            errno => failed(errno),
        })?;
        let status = rustix::fs::fstat(&fd).map_err(failed)?;
        if status.st_uid != rustix::process::geteuid().as_raw() {
            return Err(DirectoryError::Foreign(path.to_owned()));
        }
        if Mode::from_raw_mode(status.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(DirectoryError::Shared(path.to_owned()));
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&fd, LOCK, flags, FILE_MODE).map_err(failed)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { fd, lock }),
            Err(Errno::WOULDBLOCK) => Err(DirectoryError::Locked(path.to_owned())),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn openat(&self, name: &str, more: OFlags) -> io::Result<Arc<dyn File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, FILE_MODE))?;
        if !FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"));
        }
        Ok(Arc::new(Opened(fd)))
    }
}

impl Drop for Directory {
    /// Closing alone would not do: a child that is being spawned has a copy of the descriptor until it runs.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}

/// A directory that was just made must not vanish with the power.
fn sync_parent(path: &Path) -> rustix::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::fsync(rustix::fs::openat(CWD, parent, flags, Mode::empty())?)
}

impl Fs for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            // A name that is not text is not ours.
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | ".." | LOCK)
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.openat(name, OFlags::CREATE | OFlags::EXCL)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.openat(name, OFlags::empty())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }
}

struct Opened(OwnedFd);

impl File for Opened {
    fn size(&self) -> io::Result<u64> {
        Ok(u64::try_from(rustix::fs::fstat(&self.0)?.st_size).unwrap_or(0))
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.0, into, at)?)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, parts, at)?)
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        match retry_on_intr(|| rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, size)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => Ok(other?),
        }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::ftruncate(&self.0, size))?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }
}
