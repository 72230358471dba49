//! Lines of an API server's audit log. A line is an event; EventLists and arrays are understood as well.

use super::records::Records;
use crate::{
    container::Whole,
    k8s_audit::{
        pieces,
        split::{Piece, Splitter},
    },
};
use lanner_engine::{
    prelude::*,
    semantics::{
        AuditMapper,
        audit::{Origin, reasons},
    },
};
use std::sync::Arc;

/// What audit lines need.
pub(super) struct Audit {
    pub mapper: AuditMapper,
    pub origin: Origin,
    pub scope: Arc<Scope>,
    /// An event longer than this loses its objects.
    pub max_event: usize,
}

impl Audit {
    /// Adds the events of a line; `finish` completes every record.
    pub fn map(&self, line: &Whole, observed: u64, into: &mut Records, finish: impl Fn(&mut LogRecord)) {
        let mut keep = |piece: Piece<'_>| {
            let (mapped, bytes) = pieces::map(&self.mapper, &self.origin, &piece, observed);
            if let Some(reason) = mapped.plain {
                into.unusable.add(reason);
            }
            for (reason, count) in mapped.degraded.iter() {
                into.degraded.add_many(reason, count);
            }
            let mut record = mapped.record;
            finish(&mut record);
            into.push(Arc::clone(self.origin.resource()), Arc::clone(&self.scope), record, bytes);
        };
        let mut splitter = Splitter::new(self.max_event);
        splitter.feed(&line.text, &mut keep);
        if !splitter.finish(&mut keep) {
            into.degraded.add(reasons::CUT_SHORT);
        }
    }
}
