//! Diagnostics: everything that is wrong with a configuration, in one run, each with its place and its remedy.

use super::Origin;
use serde::Serialize;

/// How bad it is. An error keeps Lanner from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    pub level: Level,
    /// Stable code, for example `L0104`; never reused for something else.
    pub code: &'static str,
    pub message: String,
    pub origin: Origin,
    /// `exporters::otlp_grpc/tempo::endpoint`, the Collector's spelling of a place.
    pub path: String,
    /// What to do.
    pub help: Option<String>,
}
