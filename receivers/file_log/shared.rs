//! What every file of a receiver needs to know.

use super::{checkpoints::Cursor, metrics::Metrics};
use crate::{container::Wrapping, formats::Mapper};
use lanner_engine::prelude::*;
use std::{fs::File, io, path::Path, time::Duration};

/// What all files of a receiver share.
pub struct Shared {
    pub mapper: Mapper,
    pub wrapping: Wrapping,
    /// Half a line is worthless.
    pub whole_lines: bool,
    pub max_line: usize,
    pub fingerprint_size: usize,
    pub force_flush: Option<Duration>,
    pub start_at: Start,
    pub max_open: usize,
    pub max_files: usize,
    pub name: Option<Key>,
    pub path: Option<Key>,
    pub metrics: Metrics,
    /// How files are opened.
    pub open: fn(&Path) -> io::Result<File>,
}

impl Shared {
    /// The attributes of the records of a file.
    pub fn attributes(&self, path: &Path) -> Vec<(Key, Value)> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let both = [(&self.name, name), (&self.path, path.to_string_lossy())];
        both.into_iter().filter_map(|(key, value)| Some((key.clone()?, Value::text(&*value)))).collect()
    }
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Beginning,
    End,
    At(Cursor),
}
