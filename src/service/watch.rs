//! Whether the files of the configuration have changed.
//!
//! Promises: contents are compared, so it does not matter how a file is written or where a link leads; a change is told once
//! it has stayed the same for one more look, so that half a file is not taken for a whole one; reads no more than what the
//! configuration itself may read.
//!
//! Looked at are the files and folders of `--config`, and the files of `${file:}` references that are written in them.

use crate::check::ConfigArgs;
use std::{
    collections::BTreeSet,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often the files are looked at: a change is seen after one to two of these.
const LOOK: Duration = Duration::from_millis(500);

/// More than the configuration may have in one file.
const MOST: u64 = 2 << 20;

/// Looks at files.
pub struct Watch {
    paths: Vec<PathBuf>,
    /// The contents that were loaded.
    loaded: u64,
    /// What the last look has seen.
    seen: u64,
}

impl Watch {
    /// Of these files. Nothing is known of them yet.
    pub fn new(config: &ConfigArgs) -> Self {
        Self { paths: config.files.clone(), loaded: 0, seen: 0 }
    }

    /// The files are loaded now.
    pub async fn mark(&mut self) {
        self.loaded = self.look().await;
        self.seen = self.loaded;
    }

    /// Returns once the files are others than those that were loaded. Cancel-safe.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.look().await;
            if std::mem::replace(&mut self.seen, now) == now && now != self.loaded {
                return;
            }
        }
    }

    async fn look(&self) -> u64 {
        let paths = self.paths.clone();
        // It panics on nothing; if it were gone, nothing would be seen to change.
        tokio::task::spawn_blocking(move || contents(&paths)).await.unwrap_or(self.loaded)
    }
}

/// A number for all contents.
fn contents(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut referred = BTreeSet::new();
    for path in paths.iter().flat_map(|path| files(path)) {
        let bytes = read(&path);
        (&path, &bytes).hash(&mut hasher);
        referred.extend(references(&String::from_utf8_lossy(&bytes.unwrap_or_default())));
    }
    for path in referred {
        read(Path::new(&path)).hash(&mut hasher);
    }
    hasher.finish()
}

/// The file, or those of the folder.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = path.read_dir() else { return vec![path.to_owned()] };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// What is in a file. A pipe is left alone: whoever reads it takes it away.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    path.is_file().then_some(())?;
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The paths of `${file:PATH}` in a text.
fn references(text: &str) -> Vec<String> {
    let behind = text.split("${file:").skip(1);
    behind.filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
}
