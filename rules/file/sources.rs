//! The texts of all files, and places in them.

use crate::language::{Place, Span, excerpt};
use std::sync::Arc;

/// A part of a file, by byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(super) struct Spot {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Spot {
    pub fn new(file: u32, start: usize, end: usize) -> Self {
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: offset(start), end: offset(end.max(start)) }
    }
}

/// The texts of all files.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(Vec<(Arc<str>, Arc<str>)>);

impl Files {
    pub fn add(&mut self, name: &str, text: &str) -> u32 {
        self.0.push((name.into(), text.into()));
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }

    pub fn text(&self, file: u32) -> &str {
        self.0.get(file as usize).map_or("", |(_, text)| text)
    }

    /// What stands at a spot.
    pub fn slice(&self, spot: Spot) -> &str {
        self.text(spot.file).get(spot.start as usize..spot.end as usize).unwrap_or_default()
    }

    /// The file's name, the place, and the line with carets.
    pub fn describe(&self, spot: Spot) -> (Arc<str>, Place, String) {
        let Some((name, text)) = self.0.get(spot.file as usize) else {
            return ("".into(), Place { line: 1, column: 1 }, String::new());
        };
        let span = Span { text: 0, start: spot.start, end: spot.end };
        (Arc::clone(name), span.place(text), excerpt(text, span))
    }
}
