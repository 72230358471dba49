//! `Sources`: the texts that were read, for lines, columns and snippets.

use super::Origin;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The texts of all files that were read.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    name: Arc<PathBuf>,
    text: Arc<str>,
}

/// A place in a text.
pub(crate) struct Place<'a> {
    pub file: &'a Path,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line, without its end.
    pub text: &'a str,
    /// How many characters of the line are meant; at least 1.
    pub width: usize,
}

impl Sources {
    /// Remembers a text and gives back the shared form of its name.
    pub fn add(&mut self, name: PathBuf, text: Arc<str>) -> Arc<PathBuf> {
        let name = Arc::new(name);
        self.0.push(Source { name: Arc::clone(&name), text });
        name
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Line and column of an origin in a file; `None` for environment, `--set` and defaults.
    pub(crate) fn place<'a>(&'a self, origin: &'a Origin) -> Option<Place<'a>> {
        let Origin::File { file, start, end } = origin else { return None };
        let source = self.0.iter().find(|source| source.name == *file)?;
        let text = &*source.text;
        let start = floor(text, *start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = floor(text, (*end).clamp(start, line_end));
        Some(Place {
            file,
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end_matches('\r'),
            width: text[start..end].trim_end().chars().count().max(1),
        })
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
