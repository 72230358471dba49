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
pub(super) struct Files(Vec<File>);

#[derive(Debug, Clone)]
struct File {
    name: Arc<str>,
    text: Arc<str>,
    /// Where each line begins: there may be many findings, and a file may be large.
    lines: Arc<[usize]>,
}

impl Files {
    pub fn add(&mut self, name: &str, text: &str) -> u32 {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        self.0.push(File { name: name.into(), text: text.into(), lines });
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().map(|file| file.text.len()).sum()
    }

    /// What stands at a spot.
    pub fn slice(&self, spot: Spot) -> &str {
        let file = self.0.get(spot.file as usize);
        file.and_then(|file| file.text.get(spot.start as usize..spot.end as usize)).unwrap_or_default()
    }

    /// The file's name, the place, and the line with carets.
    pub fn describe(&self, spot: Spot) -> (Arc<str>, Place, String) {
        let Some(File { name, text, lines }) = self.0.get(spot.file as usize) else {
            return ("".into(), Place { line: 1, column: 1 }, String::new());
        };
        let start = spot.start as usize;
        let number = lines.partition_point(|line| *line <= start).max(1);
        let begin = lines.get(number - 1).copied().unwrap_or_default();
        let line = text.get(begin..lines.get(number).copied().unwrap_or(text.len())).unwrap_or_default();
        let offset = |n: usize| u32::try_from(n - begin.min(n)).unwrap_or(u32::MAX);
        let span = Span { text: 0, start: offset(start), end: offset((spot.end as usize).min(begin + line.len())) };
        let column = span.place(line).column;
        let place = Place { line: u32::try_from(number).unwrap_or(u32::MAX), column };
        (Arc::clone(name), place, excerpt(line.trim_end_matches(['\n', '\r']), span))
    }
}
