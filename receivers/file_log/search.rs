//! Finding files by patterns.
//!
//! Promises: only folders that a pattern can match in are opened; links are followed and circles of them are noticed; a
//! search looks at no more than [`MAX_VISITED`] entries. Files come in the order of their paths.

use super::identity::FileKey;
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};
use walkdir::{DirEntry, WalkDir};

/// Entries of folders that one search looks at.
const MAX_VISITED: usize = 500_000;
/// Folders inside each other behind `**`.
const MAX_DEPTH: usize = 64;

/// Which files are wanted.
pub struct Search {
    include: Vec<Pattern>,
    exclude: GlobSet,
}

/// A pattern with what is fixed about it.
struct Pattern {
    /// The part before the first wildcard.
    root: PathBuf,
    matcher: GlobMatcher,
    /// The folders that lead to a match, by depth below the root; without `**` only.
    folders: Option<Vec<GlobMatcher>>,
}

/// A file that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: FileKey,
    pub size: u64,
}

/// Why something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    SymlinkLoop,
    PermissionDenied,
    Unreadable,
    TooManyEntries,
}

impl Search {
    /// Files that match a pattern of `include` and none of `exclude`. Relative patterns start in `folder`.
    ///
    /// # Errors
    /// The list, the place in it and what is wrong there, for each pattern that is none.
    pub fn new(
        include: &[String],
        exclude: &[String],
        folder: &Path,
    ) -> Result<Self, Vec<(&'static str, usize, globset::Error)>> {
        let mut wrong = Vec::new();
        let mut patterns = Vec::new();
        for (index, text) in include.iter().enumerate() {
            match Pattern::parse(&absolute(text, folder)) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => wrong.push(("include", index, error)),
            }
        }
        let mut excluded = GlobSetBuilder::new();
        for (index, text) in exclude.iter().enumerate() {
            match glob(&absolute(text, folder)) {
                Ok(glob) => {
                    excluded.add(glob);
                }
                Err(error) => wrong.push(("exclude", index, error)),
            }
        }
        match excluded.build() {
            Ok(exclude) if wrong.is_empty() => Ok(Self { include: patterns, exclude }),
            Ok(_) => Err(wrong),
            Err(error) => {
                wrong.push(("exclude", 0, error));
                Err(wrong)
            }
        }
    }

    /// Looks for files. What cannot be looked at is told to `obstacle`.
    pub fn walk(&self, mut obstacle: impl FnMut(&Path, Obstacle)) -> BTreeMap<PathBuf, Found> {
        let mut found = BTreeMap::new();
        let mut visited = 0;
        for pattern in &self.include {
            for entry in pattern.entries() {
                visited += 1;
                if visited > MAX_VISITED {
                    obstacle(&pattern.root, Obstacle::TooManyEntries);
                    return found;
                }
                match entry {
                    Ok(entry) => {
                        let path = entry.path();
                        if entry.file_type().is_file()
                            && pattern.matcher.is_match(path)
                            && !self.exclude.is_match(path)
                            && let Ok(metadata) = entry.metadata()
                        {
                            let file = Found { key: FileKey::of(&metadata), size: metadata.len() };
                            found.insert(entry.into_path(), file);
                        }
                    }
                    Err(error) => {
                        let path = error.path().unwrap_or(&pattern.root).to_owned();
                        match (error.loop_ancestor(), error.io_error().map(io::Error::kind)) {
                            (Some(_), _) => obstacle(&path, Obstacle::SymlinkLoop),
                            // Gone, or not there yet.
                            (None, Some(io::ErrorKind::NotFound)) => {}
                            (None, Some(io::ErrorKind::PermissionDenied)) => {
                                obstacle(&path, Obstacle::PermissionDenied);
                            }
                            (None, _) if is_loop(&error) => obstacle(&path, Obstacle::SymlinkLoop),
                            (None, _) => obstacle(&path, Obstacle::Unreadable),
                        }
                    }
                }
            }
        }
        found
    }
}

/// Links that point at each other are an error of the system, not of the walk.
fn is_loop(error: &walkdir::Error) -> bool {
    error.io_error().and_then(io::Error::raw_os_error) == Some(libc::ELOOP)
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, globset::Error> {
        let matcher = glob(text)?.compile_matcher();
        let parts: Vec<&str> = text.split('/').collect();
        let fixed = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
        let root = match fixed {
            _ if fixed == parts.len() => PathBuf::from(text),
            fixed => PathBuf::from(format!("{}/", parts[..fixed].join("/"))),
        };
        // An alternative or a set may hold a slash; then the parts say nothing about the depth.
        let simple = !text.contains(['{', '\\']) && !text.contains("**") && fixed < parts.len();
        let folders = simple.then(|| {
            let upto = |end: usize| Ok(glob(&parts[..end].join("/"))?.compile_matcher());
            (fixed + 1..parts.len()).map(upto).collect::<Result<_, globset::Error>>()
        });
        Ok(Self { root, matcher, folders: folders.transpose()? })
    }

    fn entries(&self) -> impl Iterator<Item = walkdir::Result<DirEntry>> + '_ {
        let depth = self.folders.as_ref().map_or(MAX_DEPTH, |folders| folders.len() + 1);
        let leads_on = |entry: &DirEntry| match (&self.folders, entry.depth()) {
            (Some(folders), depth @ 1..) if entry.file_type().is_dir() => {
                folders.get(depth - 1).is_some_and(|folder| folder.is_match(entry.path()))
            }
            _ => true,
        };
        WalkDir::new(&self.root).follow_links(true).max_depth(depth).into_iter().filter_entry(leads_on)
    }
}

fn glob(text: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build()
}

fn absolute(text: &str, folder: &Path) -> String {
    if text.starts_with('/') {
        return text.to_owned();
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    format!("{}/{text}", globset::escape(folder.to_string_lossy().trim_end_matches('/')))
}
