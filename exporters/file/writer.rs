//! `Writer`: appends lines to a file.
//!
//! Promises: after `append` returned `Ok` the operating system has the whole line, so that it survives a crash of
//! this process (not of the machine: there is no fsync); lines stay whole: what a failed write left behind is cut off
//! again, and a line that a crash cut is closed with a line break before the next one; a new file is readable by its
//! owner only.

use super::rotation::Rotation;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A file being appended to.
pub struct Writer {
    path: PathBuf,
    rotation: Option<Rotation>,
    /// None after a rotation or failure; opened again by the next append.
    open: Option<Open>,
}

struct Open {
    file: File,
    /// Bytes in it, up to the end of the last whole line.
    size: u64,
    /// The last line is cut and could not be removed.
    torn: bool,
}

impl Writer {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// The file or its directory cannot be opened or made.
    pub fn open(path: PathBuf, create_directory: bool, rotation: Option<Rotation>) -> io::Result<Self> {
        if create_directory && let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let open = Some(Open::new(&path)?);
        Ok(Self { path, rotation, open })
    }

    /// Appends whole lines, each with its line break, starting a new file first when they would not fit.
    ///
    /// # Errors
    /// Nothing was written, or what was written has been cut off again.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let (Some(rotation), Some(open)) = (&self.rotation, &self.open)
            && open.size > 0
            && open.size.saturating_add(lines.len() as u64) > rotation.max_bytes
        {
            rotation.set_aside(&self.path)?;
            self.open = None;
            rotation.prune(&self.path);
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open::new(&self.path)?),
        };
        open.append(lines)
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let metadata = file.metadata()?;
        // Pipes and devices have no size and no last line.
        if !metadata.is_file() || metadata.len() == 0 {
            return Ok(Self { file, size: 0, torn: false });
        }
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(Self { file, size: metadata.len(), torn: last != *b"\n" })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.size += 1;
            self.torn = false;
        }
        match self.file.write_all(lines) {
            Ok(()) => {
                self.size += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = self.file.set_len(self.size).is_err();
                Err(error)
            }
        }
    }
}
