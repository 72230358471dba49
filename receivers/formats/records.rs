//! `Records`: what was made of lines, on its way into a batch.

use lanner_engine::{prelude::*, semantics::Reasons};
use std::sync::Arc;

/// What a record weighs beside its text.
const RECORD_BYTES: usize = 1024;

/// Records made of lines, and what became of the other lines.
#[derive(Default)]
pub struct Records {
    pub logs: Logs,
    /// Memory that the records take, roughly.
    pub bytes: usize,
    /// Lines left out, by reason.
    pub skipped: Reasons,
    /// Oddities of lines that were kept.
    pub degraded: Reasons,
    /// Lines that are no event and were kept.
    pub unusable: Reasons,
}

impl Records {
    pub(super) fn push(&mut self, resource: Arc<Resource>, scope: Arc<Scope>, record: LogRecord, bytes: usize) {
        self.bytes += bytes + RECORD_BYTES;
        self.logs.push(resource, scope, record);
    }
}
