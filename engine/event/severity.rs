//! Severity: Falco priorities and OpenTelemetry severity numbers (`docs/mapping.md`, section 1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// OpenTelemetry's SeverityNumber: 0 unspecified, 1 to 24 from TRACE to FATAL4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeverityNumber(pub u8);

impl SeverityNumber {
    /// Unspecified.
    pub const UNSPECIFIED: Self = Self(0);
}

/// A Falco priority. Ordered by urgency: `Debug < Emergency`. In a configuration it is the lower-case word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    Debug,
    Informational,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Priority {
    /// All of them, least urgent first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Informational,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// Matched without case; `info` equals `informational`.
    pub fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|priority| priority.lower().eq_ignore_ascii_case(word))
    }

    /// The lower-case word, as `falco.priority` holds it.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Informational => "informational",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The word as Falco writes it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Debug => "Debug",
            Self::Informational => "Informational",
            Self::Notice => "Notice",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::Critical => "Critical",
            Self::Alert => "Alert",
            Self::Emergency => "Emergency",
        }
    }

    /// The OpenTelemetry severity number.
    pub const fn severity_number(self) -> SeverityNumber {
        SeverityNumber(match self {
            Self::Debug => 5,
            Self::Informational => 9,
            Self::Notice => 10,
            Self::Warning => 13,
            Self::Error => 17,
            Self::Critical => 18,
            Self::Alert => 19,
            Self::Emergency => 21,
        })
    }

    /// falcosidekick's number: 1 Debug to 8 Emergency.
    pub const fn falcosidekick_number(self) -> u8 {
        self as u8 + 1
    }

    /// Falco's and falco-exporter's number: 0 Emergency to 7 Debug.
    pub const fn falco_number(self) -> u8 {
        7 - self as u8
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
