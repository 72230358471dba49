//! Folders on the disk that is measured, and what that disk takes to keep something.

use crate::Error;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// How often a bare `fdatasync` is measured.
const SYNCS: usize = 200;

/// A new folder, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(parent: &Path) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("lanner-bench-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let parent = fs::canonicalize(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        let path = parent.join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Where the peer's messages go.
    pub fn log(&self) -> PathBuf {
        self.0.join("lanner.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What one `fdatasync` of an appended alert takes: the median, in milliseconds.
pub fn bare_sync(directory: &Path) -> Result<f64, Error> {
    let folder = Folder::new(directory)?;
    let mut file = OpenOptions::new().create(true).append(true).open(folder.0.join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[b'x'; 1024])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(crate::median(times))
}
