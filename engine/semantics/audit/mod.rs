//! From Kubernetes audit events to log records.
//!
//! Flow: a receiver cuts its input into items; `event` reads an item in one pass, borrowing its text and skipping the
//! objects; `record` maps it by the [`table`]; `objects` reads into the objects, masked, only where the options point.
//! Promises: never panics and never refuses; every item becomes exactly one record, an audit event or a plain one with
//! the reason; strings of the record are slices of the item; the data of Secrets and ConfigMaps never gets into a record
//! of an event.

mod event;
mod objects;
mod options;
#[cfg(test)]
pub(super) mod page;
pub mod reasons;
mod record;
pub mod table;
#[cfg(test)]
mod tests;

pub use objects::{InvalidPointer, without_payloads};
pub use options::AuditOptions;

use super::{
    Reasons, SCHEMA_URL,
    carried::{Form, Reading},
    falco::{Field, has_control},
    keys,
};
use crate::event::{Attributes, Key, LogRecord, Resource, Text, Value, cut, otlp::GroupWriter};
use objects::Pointer;
use record::Source;
use std::sync::Arc;

/// Longest text of a plain record, in bytes.
pub const MAX_PLAIN_BYTES: usize = 64 * 1024;

/// One event as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Item<'t> {
    /// Its JSON.
    pub text: &'t Arc<str>,
    /// BLAKE3 of what the receiver cut out of it because it was too large; part of the identity.
    pub removed: Option<[u8; 32]>,
}

/// Where events come from: one per request, so that its records share a resource.
#[derive(Clone, Debug)]
pub struct Origin {
    cluster: Text,
    resource: Arc<Resource>,
}

impl Origin {
    /// The resource of the records.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// The cluster's name; empty when nobody said.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }
}

/// An item as a record.
#[derive(Clone, Debug)]
pub struct Mapped {
    pub record: LogRecord,
    /// Why it is no audit event but a plain record.
    pub plain: Option<&'static str>,
    /// What was odd about it.
    pub degraded: Reasons,
}

/// An item that was written to a request.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Its `log.record.uid`.
    pub uid: String,
    /// Why it is no audit event but a plain record.
    pub plain: Option<&'static str>,
    /// What was odd about it.
    pub degraded: Reasons,
}

impl Mapped {
    /// Writes the record to a request.
    pub fn write_to(self, request: &mut GroupWriter) -> Encoded {
        let Self { record, plain, degraded } = self;
        request.push(&record);
        Encoded { uid: record.attrs.get_str(&keys::UID).unwrap_or_default().to_owned(), plain, degraded }
    }
}

/// Maps audit events. Built once from the options; shared by any number of tasks.
#[derive(Debug)]
pub struct AuditMapper {
    max_bytes: usize,
    max_attributes: usize,
    resource: Vec<(Key, Value)>,
    cluster: Text,
    pointers: Vec<Pointer>,
}

impl AuditMapper {
    /// A mapper of these options.
    ///
    /// # Errors
    /// A JSON pointer leads nowhere or names are not to be used.
    pub fn new(options: &AuditOptions) -> Result<Self, InvalidPointer> {
        let named = [
            (&keys::SERVICE_NAME, options.service_name.as_str()),
            (&keys::SERVICE_NAMESPACE, options.service_namespace.as_str()),
        ];
        let named = named.into_iter().filter(|(_, value)| !value.is_empty());
        Ok(Self {
            max_bytes: match options.max_attribute_bytes {
                0 => usize::MAX,
                bytes => bytes as usize,
            },
            max_attributes: usize::from(options.max_attributes.clamp(16, 4096)),
            resource: named.map(|(key, value)| ((*key).clone(), Value::text(value))).collect(),
            cluster: options.cluster_name.as_deref().unwrap_or_default().into(),
            pointers: options.attributes.iter().map(Pointer::parse).collect::<Result<_, _>>()?,
        })
    }

    /// The origin of events that a sender brings; `cluster` is the name in the path, and wins over the options.
    pub fn origin(&self, cluster: Option<&str>) -> Origin {
        let cluster = cluster.map_or_else(|| self.cluster.clone(), Text::from);
        let mut attrs: Attributes = self.resource.iter().cloned().collect();
        if !cluster.is_empty() {
            attrs.set(keys::CLUSTER_NAME.clone(), cluster.clone());
        }
        let schema_url = Text::from_static(SCHEMA_URL);
        Origin { cluster, resource: Arc::new(Resource { attrs, dropped_attributes_count: 0, schema_url }) }
    }

    /// Maps an item. `observed_unix_nano` is the time of receipt.
    pub fn map(&self, origin: &Origin, item: Item<'_>, observed_unix_nano: u64) -> Mapped {
        match event::read(item.text) {
            Ok(event) => {
                let Item { text, removed } = item;
                let source = Source { origin, text, removed, observed: observed_unix_nano };
                record::map(self, &event, &source, text)
            }
            Err(reason) => self.plain(origin, item.text, reason, observed_unix_nano),
        }
    }

    /// Whether [`encode`](Self::encode) writes everything that the options ask for.
    pub fn encodes(&self) -> bool {
        self.pointers.is_empty()
    }

    /// Writes an item to a request with the resource of `origin`: the bytes that encoding the record of
    /// [`map`](Self::map) gives, for who does not look at records, at half the work.
    pub fn encode(
        &self,
        origin: &Origin,
        text: &str,
        removed: Option<[u8; 32]>,
        observed_unix_nano: u64,
        request: &mut GroupWriter,
    ) -> Encoded {
        match event::read(text) {
            Ok(event) => {
                let source = Source { origin, text, removed, observed: observed_unix_nano };
                record::encode(self, &event, &source, request)
            }
            Err(reason) => self.plain(origin, &text.into(), reason, observed_unix_nano).write_to(request),
        }
    }

    /// The same for the events that a text begins with, one behind the other, as far as they are whole, well-formed and not
    /// longer than `max_bytes`: they are read once, while their ends are looked for. Calls `each` with the bytes
    /// of every one, and says how much of the text is done.
    pub fn encode_events(
        &self,
        origin: &Origin,
        text: &str,
        max_bytes: usize,
        observed_unix_nano: u64,
        request: &mut GroupWriter,
        mut each: impl FnMut(usize, Encoded),
    ) -> usize {
        let has_control = has_control(text);
        let mut done = 0;
        loop {
            let rest = text[done..].trim_start_matches([' ', '\t', '\r', '\n', ',']);
            if !rest.starts_with('{') {
                return done;
            }
            let Some((event, length)) = event::read_first(rest, has_control) else { return done };
            if length > max_bytes {
                return done;
            }
            let source = Source { origin, text: &rest[..length], removed: None, observed: observed_unix_nano };
            each(length, record::encode(self, &event, &source, request));
            done = text.len() - rest.len() + length;
        }
    }

    /// Maps what a record of another agent carries. Among all kinds of logs only that is an audit event which has
    /// `auditID` and one of `stage` and `verb`. The id of one that came as a map is of the JSON written anew, so it differs from that of the
    /// bytes the API server wrote; the same map always has the same.
    pub fn map_carried(&self, origin: &Origin, form: &Form<'_>, observed_unix_nano: u64) -> Reading<Mapped> {
        let text: Arc<str> = match form {
            Form::Text(body) if body.trim().len() == body.len() => Arc::clone(body),
            Form::Text(body) => body.trim().into(),
            Form::Map(value) => {
                let Value::Map(pairs) = value else { return Reading::Foreign };
                let has = |key: &str| pairs.iter().any(|(name, _)| name == key);
                if !(has("auditID") && (has("stage") || has("verb"))) {
                    return Reading::Foreign;
                }
                value.to_json().into()
            }
        };
        let has = |key: &str| memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some();
        if !(text.starts_with('{') && has(r#""auditID""#) && (has(r#""stage""#) || has(r#""verb""#))) {
            return Reading::Foreign;
        }
        match event::read(&text) {
            Ok(event) if !(is_said(&event.audit_id) && (is_said(&event.stage) || is_said(&event.verb))) => {
                Reading::Foreign
            }
            Ok(event) => {
                let source = Source { origin, text: &text, removed: None, observed: observed_unix_nano };
                Reading::Event(record::map(self, &event, &source, &text))
            }
            Err(reasons::NOT_JSON | reasons::WRONG_SHAPE) => Reading::Damaged,
            Err(_) => Reading::Foreign,
        }
    }

    /// Keeps a text that is no event, bounded.
    pub fn plain(&self, origin: &Origin, text: &Arc<str>, reason: &'static str, observed_unix_nano: u64) -> Mapped {
        let mut degraded = Reasons::default();
        let kept = cut(text, MAX_PLAIN_BYTES);
        let mut attrs = Attributes::default();
        if kept.len() < text.len() {
            degraded.add(reasons::TEXT_CUT);
        }
        attrs.set(keys::UID.clone(), record::digest(origin, text, None));
        let record = LogRecord {
            observed_time_unix_nano: observed_unix_nano,
            // A copy of the part that is kept, so that a large item does not stay in memory with it.
            body: Value::text(if kept.len() < text.len() { Text::from(kept) } else { Text::slice_of(text, kept) }),
            attrs,
            ..LogRecord::default()
        };
        Mapped { record, plain: Some(reason), degraded }
    }
}

fn is_said(field: &Field<'_>) -> bool {
    field.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether a key is one that API servers write; others stand there because somebody added them.
pub fn is_key(name: &str) -> bool {
    event::KEYS.contains(&name)
}
