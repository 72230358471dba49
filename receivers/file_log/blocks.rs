//! Opening and reading without surprises.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// Opens a file for reading. Returns at once even when somebody puts a pipe in its place.
///
/// # Errors
/// The file is not there, may not be read, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Reads from `offset` until the buffer is full or the file ends; says how many bytes there were.
///
/// # Errors
/// The file cannot be read.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Where the last line of a file begins that is not finished; the file's end when there is none. `None` when the line's
/// beginning is more than `max_line` bytes away.
///
/// # Errors
/// The file cannot be read.
pub fn last_line(file: &File, size: u64, max_line: usize) -> io::Result<Option<u64>> {
    const BLOCK: u64 = 16 << 10;
    let least = size.saturating_sub(max_line as u64);
    let mut buffer = vec![0; BLOCK as usize];
    let mut end = size;
    while end > least {
        let from = end.saturating_sub(BLOCK).max(least);
        let block = &mut buffer[..(end - from) as usize];
        let found = read_at(file, block, from)?;
        if let Some(newline) = memchr::memrchr(b'\n', &block[..found]) {
            return Ok(Some(from + newline as u64 + 1));
        }
        end = from;
    }
    Ok((end == 0).then_some(0))
}
