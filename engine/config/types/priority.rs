//! Falco priorities as a least one to ask for.

use crate::event::Priority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Falco priority, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MinPriority {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl From<MinPriority> for Priority {
    fn from(written: MinPriority) -> Self {
        match written {
            MinPriority::Emergency => Self::Emergency,
            MinPriority::Alert => Self::Alert,
            MinPriority::Critical => Self::Critical,
            MinPriority::Error => Self::Error,
            MinPriority::Warning => Self::Warning,
            MinPriority::Notice => Self::Notice,
            MinPriority::Informational => Self::Informational,
            MinPriority::Debug => Self::Debug,
        }
    }
}
