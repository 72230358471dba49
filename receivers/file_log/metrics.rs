//! What this receiver counts beside what all receivers do. No name or label comes from a file.

use lanner_engine::{
    prelude::BuildCx,
    telemetry::{Counter, Gauge},
};

/// Cells of one receiver, made at build time.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub files: Gauge,
    pub open_files: Gauge,
    pub unread_bytes: Gauge,
    pub bytes: Counter,
    pub rotations: Counter,
    pub truncations: Counter,
    pub lost_bytes: Counter,
    pub checkpoint_failures: Counter,
    troubles: [Counter; Trouble::ALL.len()],
}

/// Why a file, or a folder, is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    PermissionDenied,
    SymlinkLoop,
    Unreadable,
    /// It is compressed.
    Compressed,
    /// `max_files` are followed already.
    MaxFiles,
    /// A search looked at too many entries.
    TooManyEntries,
    /// It was rotated to a name that is not found while it was not open.
    RotatedAway,
}

impl Trouble {
    /// All of them, in the order of the variants.
    pub const ALL: [Self; 7] = [
        Self::PermissionDenied,
        Self::SymlinkLoop,
        Self::Unreadable,
        Self::Compressed,
        Self::MaxFiles,
        Self::TooManyEntries,
        Self::RotatedAway,
    ];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::SymlinkLoop => "symlink_loop",
            Self::Unreadable => "unreadable",
            Self::Compressed => "compressed",
            Self::MaxFiles => "max_files",
            Self::TooManyEntries => "too_many_entries",
            Self::RotatedAway => "rotated_away",
        }
    }
}

impl Metrics {
    /// The cells of one receiver.
    pub fn new(cx: &BuildCx) -> Self {
        let (telemetry, labels) = (&cx.telemetry, [("receiver", cx.id.as_str())]);
        let counter = |name, help, unit| telemetry.counter(name, help, unit, &labels);
        let gauge = |name, help, unit| telemetry.gauge(name, help, unit, &labels);
        Self {
            files: gauge("lanner_file_log_files", "Files that are followed.", "{file}"),
            open_files: gauge("lanner_file_log_open_files", "Files that are open.", "{file}"),
            unread_bytes: gauge("lanner_file_log_unread_bytes", "Bytes of followed files that wait to be read.", "By"),
            bytes: counter("lanner_file_log_bytes", "Bytes read from files.", "By"),
            rotations: counter("lanner_file_log_rotations", "Times that a path had become another file.", "{rotation}"),
            truncations: counter(
                "lanner_file_log_truncations",
                "Times that a file was read from its beginning because it was truncated or written anew.",
                "{truncation}",
            ),
            lost_bytes: counter(
                "lanner_file_log_lost_bytes",
                "Bytes that were truncated away before they were read, as far as their size was seen.",
                "By",
            ),
            checkpoint_failures: counter(
                "lanner_file_log_checkpoint_failures",
                "Times that checkpoints could not be written; they are written with the next ones.",
                "{write}",
            ),
            troubles: Trouble::ALL.map(|reason| {
                let labels = [("receiver", cx.id.as_str()), ("reason", reason.as_str())];
                let help = "Files and folders that could not be read, once each until it changes, by reason.";
                telemetry.counter("lanner_file_log_unreadable_files", help, "{file}", &labels)
            }),
        }
    }

    /// Counts a file or a folder that is not read.
    pub fn trouble(&self, trouble: Trouble) {
        self.troubles[trouble as usize].add(1);
    }
}
