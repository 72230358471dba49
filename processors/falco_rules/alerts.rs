//! Second-level rules: rules that are tried on Falco's alerts, by the alert's source.
//!
//! Their fields are those of `lanner_conditions`: what the alert says, by Falco's names or by the attributes that the mapping
//! made of them, and what the rule was: `security_rule.name`, `falco.priority`, `falco.tags`.
//!
//! Promises: macros of Falco's rules keep their meaning where alerts can carry it, so an alert without a container is one
//! of the `host`; an alert that a rule inside of Lanner made is not judged again.

use super::alert::MATCHED_UID;
use lanner_conditions::{Access, Seen, SeenFields, record_schema};
use lanner_engine::{
    prelude::*,
    semantics::{is_alert, keys},
};
use lanner_rules::{
    evaluate::{Arena, Field, FieldId, Fields, Value},
    schema::{FieldSpec, ImpossibleValue, Schema},
};

const CONTAINER_ID: &str = "container.id";
/// What `container.id` is outside of containers.
const HOST: &str = "host";

/// The fields of alerts.
pub struct AlertSchema;

impl Schema for AlertSchema {
    fn field(&self, name: &str) -> Option<FieldSpec> {
        record_schema().field(name)
    }

    fn names(&self) -> Vec<&str> {
        record_schema().names()
    }

    fn check_value(&self, key: u32, value: &[u8]) -> Result<(), ImpossibleValue> {
        if value == HOST.as_bytes() && record_schema().field(CONTAINER_ID).is_some_and(|spec| spec.key == key) {
            return Ok(());
        }
        record_schema().check_value(key, value)
    }

    fn rank(&self, key: u32, word: &[u8]) -> Result<i64, ImpossibleValue> {
        record_schema().rank(key, word)
    }
}

/// The source whose rules are for a record, if it is an alert to judge.
pub fn source_of(record: &LogRecord) -> Option<&str> {
    let is_judged = is_alert(record) && !record.attrs.contains(&MATCHED_UID);
    is_judged.then(|| record.attrs.get_str(&keys::SOURCE)).flatten()
}

/// Where the fields of a source's rules are in an alert.
pub struct AlertPlan {
    access: Access,
    /// The fields that are the id of the container.
    container_ids: Box<[bool]>,
}

impl AlertPlan {
    /// For the fields of a program that was compiled against [`AlertSchema`].
    pub fn new(fields: &[Field]) -> Self {
        let container_ids = fields.iter().map(|field| &*field.name == CONTAINER_ID).collect();
        Self { access: Access::new(fields), container_ids }
    }

    /// An alert through these fields.
    pub fn fields<'e>(&'e self, resource: &'e Resource, record: &'e LogRecord, arena: &'e Arena) -> AlertFields<'e> {
        AlertFields { plan: self, seen: SeenFields::new(&self.access, Seen { resource, record }, arena) }
    }
}

/// An alert as its rules see it.
pub struct AlertFields<'e> {
    plan: &'e AlertPlan,
    seen: SeenFields<'e>,
}

impl Fields for AlertFields<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        match self.seen.get(field) {
            Value::Absent if self.plan.container_ids.get(field.index()) == Some(&true) => Value::from(HOST),
            value => value,
        }
    }
}
