//! How severe a rule's finding is.

use std::fmt;

/// Severity, the most severe first. `a < b` says that `a` is more severe; [`Priority::is_at_least`] reads better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// `Emergency`
    Emergency,
    /// `Alert`
    Alert,
    /// `Critical`
    Critical,
    /// `Error`
    Error,
    /// `Warning`
    Warning,
    /// `Notice`
    Notice,
    /// `Informational`, also written `info`.
    Informational,
    /// `Debug`
    Debug,
}

impl Priority {
    /// All, the most severe first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// Reads a priority, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|priority| priority.word().eq_ignore_ascii_case(word))
    }

    /// As Falco writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// Whether it is as severe as another, or more.
    pub fn is_at_least(self, other: Self) -> bool {
        self <= other
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
