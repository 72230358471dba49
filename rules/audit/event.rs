//! Events, seen through what rules ask for.

use super::{
    extract::{self, Lookup},
    json::Json,
};
use crate::{
    evaluate::{Arena, Field, FieldId, Fields, Value},
    generic,
};
use std::cell::Cell;

/// Whether mistakes of Falco's plugins are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parity {
    /// They are.
    #[default]
    Corrected,
    /// They are kept, for comparing with Falco.
    Upstream,
}

/// Where the fields of a program are. Made once per program.
#[derive(Debug, Clone)]
pub struct AuditPlan {
    pub(super) lookups: Vec<Lookup>,
}

impl AuditPlan {
    /// A plan for the fields of a program that was compiled against [`super::schema`].
    pub fn new(fields: &[Field], parity: Parity) -> Self {
        Self { lookups: fields.iter().map(|field| Lookup::new(field, parity)).collect() }
    }
}

/// What is known of an event besides its JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meta<'a> {
    /// `evt.num`.
    pub number: u64,
    /// When the event was, in nanoseconds since 1970, if its JSON has no `stageTimestamp`.
    pub time: Option<u64>,
    /// `evt.hostname`; empty if it is not known.
    pub hostname: &'a str,
}

/// A text that is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is not a JSON object in UTF-8")]
pub struct NotJson;

/// One audit event.
pub struct AuditEvent<'a> {
    pub(super) root: Json<'a>,
    pub(super) meta: Meta<'a>,
    pub(super) arena: &'a Arena,
    /// Whether there is an audit id; without one there are no `ka.*` fields.
    pub(super) is_audit: bool,
    time: Cell<Option<Option<u64>>>,
    plan: &'a AuditPlan,
    known: &'a [Cell<Option<Value<'a>>>],
}

impl<'a> AuditEvent<'a> {
    /// An event. The arena must not be reset as long as it is used.
    ///
    /// # Errors
    /// If the text is not one JSON object. Only the outermost level is looked at here: what is malformed inside of a
    /// member is found too, since its end must be found.
    pub fn new(text: &'a [u8], meta: Meta<'a>, plan: &'a AuditPlan, arena: &'a Arena) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(text).map_err(|_| NotJson)?;
        let root = Json::parse(text, arena).ok_or(NotJson)?;
        let known = arena.bump().alloc_slice_fill_copy(plan.lookups.len(), None);
        let known = Cell::from_mut(known).as_slice_of_cells();
        let is_audit = root.get("auditID").is_some();
        Ok(Self { root, meta, arena, is_audit, time: Cell::new(None), plan, known })
    }

    /// Whether it has an audit id. Without one no `ka.*` field has a value.
    pub fn is_audit(&self) -> bool {
        self.is_audit
    }

    /// When the event was, in nanoseconds since 1970.
    pub fn time(&self) -> Option<u64> {
        if let Some(known) = self.time.get() {
            return known;
        }
        let stamp = self.root.get("stageTimestamp").and_then(|stamp| generic::nanoseconds(stamp.text()));
        let time = stamp.or(self.meta.time);
        self.time.set(Some(time));
        time
    }
}

impl Fields for AuditEvent<'_> {
    #[inline]
    fn get(&self, field: FieldId) -> Value<'_> {
        let (Some(lookup), Some(known)) = (self.plan.lookups.get(field.index()), self.known.get(field.index())) else {
            return Value::Absent;
        };
        if let Some(value) = known.get() {
            return value;
        }
        let value = extract::look_up(lookup, self);
        known.set(Some(value));
        value
    }
}
