//! What Secrets, ConfigMaps and tokens hold, kept out of alerts.
//!
//! Promises: of such objects an alert shows the names of keys and never a value; every other field is what it is in the
//! event. Only fields that can reach into objects of any kind are concerned: JSON pointers, the whole event, and the data of
//! a ConfigMap.

use lanner_engine::config::Secret;
use lanner_rules::{
    audit::AuditEvent,
    evaluate::{FieldId, Fields, Value},
    output::Template,
};

/// Whether a field can show a part of such an object.
pub fn is_shown_by(field: &str) -> bool {
    matches!(field, "ka.req.configmap.obj" | "evt.plugininfo")
        || field.starts_with("jevt.")
        || field.starts_with("json.")
}

/// Whether a template mentions such a field, perhaps inside of a transformer.
pub fn is_mentioned(template: &Template) -> bool {
    template.names().iter().any(|(name, _)| is_shown_by(name))
}

/// An event whose payloads are masked.
pub struct Masked<'m, 'e, 'o> {
    pub event: &'m AuditEvent<'e>,
    /// The same event with the values masked; none if that cannot be made, then nothing of these fields is shown.
    pub masked: Option<&'m AuditEvent<'o>>,
    /// By the number of the field: whether it may show a payload.
    pub payloads: &'m [bool],
}

impl Fields for Masked<'_, '_, '_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        match (self.payloads.get(field.index()), self.masked) {
            (Some(false), _) => self.event.get(field),
            (_, Some(masked)) => masked.get(field),
            (_, None) => Value::from(Secret::REDACTED),
        }
    }
}
