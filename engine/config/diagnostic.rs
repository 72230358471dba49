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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A second place the finding is about, and what it has to do with it.
    pub related: Option<(Origin, String)>,
}

impl Diagnostic {
    /// An error without help.
    pub fn error(code: &'static str, message: impl Into<String>, origin: Origin, path: impl ToString) -> Self {
        Self {
            level: Level::Error,
            code,
            message: message.into(),
            origin,
            path: path.to_string(),
            help: None,
            related: None,
        }
    }

    /// A warning without help.
    pub fn warning(code: &'static str, message: impl Into<String>, origin: Origin, path: impl ToString) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message, origin, path) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, origin: Origin, what: impl Into<String>) -> Self {
        self.related = Some((origin, what.into()));
        self
    }
}

/// Puts findings in the order of files and places and drops repeated ones, so that the same input gives the same
/// bytes.
pub fn sort(findings: &mut Vec<Diagnostic>) {
    findings.sort_by(|a, b| {
        (&a.origin, a.code, &a.path, &a.message, a.level).cmp(&(&b.origin, b.code, &b.path, &b.message, b.level))
    });
    findings.dedup_by(|a, b| (&a.origin, a.code, &a.message) == (&b.origin, b.code, &b.message));
}

/// Whether there is an error among the findings.
pub fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Error)
}
