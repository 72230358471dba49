//! Rule files on disk: where they are, whether they changed, what they say.
//!
//! Promises: bounded: at most [`MAX_FILES`] files, of a folder at most [`MAX_ENTRIES`] entries are looked at, and no more
//! of a file is read than the loader takes. Links are followed, so that a ConfigMap is a folder like any other; names that
//! begin with a dot are left out of folders and wildcards, as shells do.

use globset::{GlobBuilder, GlobMatcher};
use lanner_rules::file::limits;
use std::{
    fs, io,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Most rule files.
const MAX_FILES: usize = 1000;
/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// Where rule files are.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file, or a folder of files.
    Path(PathBuf),
    /// The files of a folder whose names match.
    Matching(PathBuf, GlobMatcher),
}

/// A text that names no files.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlace {
    #[error("the path is empty; write for example `/etc/falco/rules.d/*.yaml`")]
    Empty,
    #[error("`{0}` has wildcards in a folder's name; write them in the last part only, and one path for each folder")]
    WildcardFolder(String),
    #[error("`{0}` is no pattern: {1}; write for example `/etc/falco/rules.d/*.yaml`")]
    Pattern(String, String),
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        if text.trim().is_empty() {
            return Err(InvalidPlace::Empty);
        }
        let (folder, name) = text.rsplit_once('/').map_or((".", text), |(folder, name)| (folder, name));
        if folder.contains(WILDCARDS) {
            return Err(InvalidPlace::WildcardFolder(text.to_owned()));
        }
        if !name.contains(WILDCARDS) {
            return Ok(Self::Path(text.into()));
        }
        let glob = GlobBuilder::new(name).literal_separator(true).build();
        let glob = glob.map_err(|error| InvalidPlace::Pattern(text.to_owned(), error.kind().to_string()))?;
        let folder = if folder.is_empty() { "/" } else { folder };
        Ok(Self::Matching(folder.into(), glob.compile_matcher()))
    }
}

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}: {1}; check the path and its permissions")]
    Io(PathBuf, io::Error),
    #[error("{0}: the file is no UTF-8 text; write it anew in UTF-8")]
    NotText(PathBuf),
    #[error("{0}: this is no file; name rule files, or a folder of them")]
    NotFile(PathBuf),
    #[error("the rule files have more than {} bytes together; name fewer", limits::TOTAL_BYTES)]
    TooLarge,
    #[error("more than {MAX_FILES} rule files; name fewer")]
    TooMany,
}

/// Tells whether a file may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    length: u64,
    inode: u64,
}

/// A rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    pub stamp: Stamp,
}

/// The files of some places, in the order in which they are loaded; one that is found twice counts once.
pub fn find(places: &[Place]) -> Result<Vec<Found>, Unreadable> {
    let mut found: Vec<Found> = Vec::new();
    for place in places {
        let paths = match place {
            Place::Path(path) if path.is_dir() => {
                names(path, |name| name.ends_with(".yaml") || name.ends_with(".yml"))?
            }
            Place::Path(path) => vec![path.clone()],
            Place::Matching(folder, matcher) => names(folder, |name| matcher.is_match(name))?,
        };
        for path in paths {
            let metadata = fs::metadata(&path).map_err(|error| Unreadable::Io(path.clone(), error))?;
            if found.iter().any(|known| known.path == path) {
                continue;
            }
            // A pipe would be waited for.
            if !metadata.is_file() {
                return Err(Unreadable::NotFile(path));
            }
            if found.len() == MAX_FILES {
                return Err(Unreadable::TooMany);
            }
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            let stamp = Stamp { modified, length: metadata.len(), inode: metadata.ino() };
            found.push(Found { path, stamp });
        }
    }
    // The loader would take no more; files may grow, but one is not read beyond its own limit.
    let bytes = found.iter().fold(0u64, |bytes, file| bytes.saturating_add(file.stamp.length));
    if bytes > limits::TOTAL_BYTES as u64 {
        return Err(Unreadable::TooLarge);
    }
    Ok(found)
}

/// A file that was written to less long ago may be written to again without another stamp: clocks of file systems tick
/// slowly.
const SETTLED: Duration = Duration::from_secs(2);

/// Whether another text would show in the stamps.
pub fn are_settled(files: &[Found]) -> bool {
    let limit = SystemTime::now().checked_sub(SETTLED).and_then(|limit| limit.duration_since(UNIX_EPOCH).ok());
    let limit = limit.and_then(|limit| i64::try_from(limit.as_secs()).ok()).unwrap_or(i64::MIN);
    files.iter().all(|file| file.stamp.modified.0 < limit)
}

/// The files of a folder with such names, in the order of their names.
fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Unreadable> {
    let unreadable = |error| Unreadable::Io(folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.take(MAX_ENTRIES) {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.') && wanted(name)) else { continue };
        let path = folder.join(name);
        if !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The text of a file. Of one that is too large just so much that the loader sees it.
pub fn read(path: &Path) -> Result<String, Unreadable> {
    let unreadable = |error| Unreadable::Io(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // Cut inside of a character.
        Err(error) if error.as_bytes().len() > limits::FILE_BYTES => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(_) => Err(Unreadable::NotText(path.to_owned())),
    }
}
