//! Old files: how they are named and which are deleted.
//!
//! `alerts.jsonl` becomes `alerts-2026-11-22T13-05-09.123.jsonl`, the Collector's form, so that names sort by time.
//! Only files of exactly this form are ever deleted.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FORM: &str = "%Y-%m-%dT%H-%M-%S%.3f";

/// When to start a new file and which old ones to keep.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub max_bytes: u64,
    /// 0 is for ever.
    pub max_days: u32,
    /// 0 is all.
    pub max_backups: usize,
    pub localtime: bool,
    /// The clock, which tests replace.
    pub now: fn() -> Timestamp,
}

impl Rotation {
    fn now(&self) -> DateTime {
        let zone = if self.localtime { TimeZone::system() } else { TimeZone::UTC };
        (self.now)().to_zoned(zone).datetime()
    }

    /// Moves the file at `path` out of the way.
    ///
    /// # Errors
    /// It cannot be renamed; it then still is at `path`.
    pub fn set_aside(&self, path: &Path) -> io::Result<()> {
        let (stem, extension) = parts(path);
        // Later than every old file, even when the clock went back or several files are full within a
        // millisecond: `prune` takes the latest names for the newest files.
        let newest = self.backups(path)?.into_iter().map(|(time, _)| time).max();
        let mut time = self.now();
        if let Some(newest) = newest.filter(|newest| *newest >= time) {
            time = newest;
        }
        loop {
            let backup = path.with_file_name(format!("{stem}-{}{extension}", time.strftime(FORM)));
            if !backup.try_exists()? {
                return fs::rename(path, backup);
            }
            time = time.checked_add(SignedDuration::from_millis(1)).map_err(io::Error::other)?;
        }
    }

    /// Deletes what is too old or too many. What cannot be deleted now is tried again next time.
    pub fn prune(&self, path: &Path) {
        let mut backups = self.backups(path).unwrap_or_default();
        backups.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = (self.max_days > 0)
            .then(|| self.now())
            .and_then(|now| now.checked_sub(SignedDuration::from_hours(24 * i64::from(self.max_days))).ok());
        for (index, (time, backup)) in backups.iter().enumerate() {
            let too_many = self.max_backups > 0 && index >= self.max_backups;
            let too_old = oldest.is_some_and(|oldest| *time < oldest);
            if (too_many || too_old)
                && let Err(error) = fs::remove_file(backup)
            {
                tracing::warn!(file = %backup.display(), %error, "cannot delete an old file");
            }
        }
    }

    fn backups(&self, path: &Path) -> io::Result<Vec<(DateTime, PathBuf)>> {
        let (stem, extension) = parts(path);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut backups = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let stamp = name
                .to_str()
                .and_then(|name| name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(extension.as_str()));
            if let Some(time) = stamp.and_then(|stamp| DateTime::strptime(FORM, stamp).ok()) {
                backups.push((time, entry.path()));
            }
        }
        Ok(backups)
    }
}

/// `alerts` and `.jsonl`.
fn parts(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    (stem, extension)
}
