//! From what Falco and its forwarders send to log records.
//!
//! Flow: [`split`] finds the pieces of a body; `alert` reads a piece in one pass, borrowing its text; `record` maps it by
//! the [`table`]; `identity` gives it its id. Strings of the record are slices of the body, so that mapping an alert
//! copies none of its text.
//! Promises: never panics and never refuses; every piece becomes exactly one record and is counted in the [`Summary`];
//! work and memory are linear in the body. No text that came out of a field or of the message holds
//! a secret that `secrets` knows, unless the options say so; ids are made of what was sent.

mod alert;
mod convert;
mod field;
mod fields;
mod identity;
mod index;
mod names;
mod original;
#[cfg(test)]
mod page;
mod parts;
mod reader;
pub mod reasons;
mod record;
mod split;
pub mod table;
#[cfg(test)]
mod tests;
mod texts;
mod time;
mod types;

pub use index::preserved_name;
pub use parts::AlertParts;

pub(super) use field::{Field, FieldSeed, TextSeed};
pub(super) use reader::{Error, Reader, has_control};
pub(super) use record::method_of;
pub(super) use time::parse_rfc3339;
pub use time::to_rfc3339;

use super::{
    MappingOptions, Preserve, Reasons, SCHEMA_URL, Summary,
    carried::{Form, Reading},
    keys, secrets,
};
use crate::event::{
    self, Attributes, Key, KeySet, LogRecord, Logs, OtlpRequest, Resource, Scope, Signal, Text, Value,
    otlp::EncodedScope,
};
use alert::Alert;
use original::Original;
use serde::Deserialize;
use split::Piece;
use std::{borrow::Cow, sync::Arc};

/// Longest text of a plain record, in bytes.
pub const MAX_PLAIN_BYTES: usize = 64 * 1024;

/// Maps alerts. Built once from the options; shared by any number of tasks.
#[derive(Debug)]
pub struct FalcoMapper {
    settings: Settings,
    /// The resource of plain records.
    plain_resource: Arc<Resource>,
    /// What the strings of an alert that came as a map are no range of.
    no_body: Arc<str>,
}

/// The options in the form the hot path wants.
#[derive(Debug)]
struct Settings {
    keep_original: bool,
    redact: bool,
    preserve: Preserve,
    max_bytes: usize,
    max_attributes: usize,
    /// Attributes of every resource.
    resource: Vec<(Key, Text)>,
}

/// An alert as a record.
#[derive(Clone, Debug)]
pub struct Mapped {
    pub resource: Arc<Resource>,
    pub record: LogRecord,
    /// Whether it is Falco's message about itself.
    pub internal: bool,
    /// What was odd about it.
    pub degraded: Reasons,
}

/// The scope of a component that writes mapped records, for example `lanner.receiver.falco`.
pub fn scope(name: &'static str) -> Arc<Scope> {
    let version = super::MappingVersion::V1.as_str();
    Arc::new(Scope {
        name: Text::from_static(name),
        version: Text::from_static(env!("CARGO_PKG_VERSION")),
        attrs: Attributes::from_iter([(keys::MAPPING.clone(), Value::Text(Text::from_static(version)))]),
        dropped_attributes_count: 0,
        schema_url: Text::from_static(SCHEMA_URL),
    })
}

impl FalcoMapper {
    /// A mapper of these options. Values outside their documented range are moved to its nearest end.
    pub fn new(options: &MappingOptions) -> Self {
        let named = [
            (&keys::SERVICE_NAME, options.service_name.as_str()),
            (&keys::SERVICE_NAMESPACE, options.service_namespace.as_str()),
            (&keys::CLUSTER_NAME, options.cluster_name.as_deref().unwrap_or_default()),
        ];
        let named = named.into_iter().filter(|(_, value)| !value.is_empty());
        let resource: Vec<_> = named.map(|(key, value)| ((*key).clone(), Text::from(value))).collect();
        let settings = Settings {
            keep_original: options.keep_original,
            redact: options.redact_command_lines,
            preserve: options.preserve,
            max_bytes: match options.max_attribute_bytes {
                0 => usize::MAX,
                bytes => bytes as usize,
            },
            max_attributes: usize::from(options.max_attributes.clamp(16, 4096)),
            resource,
        };
        let plain_resource = Arc::new(Resource {
            attrs: settings.resource.iter().map(|(key, text)| (key.clone(), Value::Text(text.clone()))).collect(),
            dropped_attributes_count: 0,
            schema_url: Text::from_static(SCHEMA_URL),
        });
        Self { settings, plain_resource, no_body: "".into() }
    }

    /// The text of a plain record without secrets.
    fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.settings.redact { secrets::redact(text) } else { Cow::Borrowed(text) }
    }

    /// Maps the body of a request: one alert, an array of alerts, alerts line by line or one behind the other. Every
    /// piece that is no alert becomes a plain record with the text as its body.
    /// `observed_unix_nano` is the time of receipt. Records are added to `logs`.
    pub fn map_body(&self, body: &Arc<str>, observed_unix_nano: u64, scope: &Arc<Scope>, logs: &mut Logs) -> Summary {
        self.map_pieces(body, observed_unix_nano, scope, None, logs)
    }

    /// The same for who looks at no attributes but `wanted`, and besides those at no more than the times, severity and event
    /// name of a record: an alert has nothing else then, and costs half as much. What is odd is counted all the same.
    pub fn map_body_for(
        &self,
        wanted: &KeySet,
        body: &Arc<str>,
        observed_unix_nano: u64,
        scope: &Arc<Scope>,
        logs: &mut Logs,
    ) -> Summary {
        self.map_pieces(body, observed_unix_nano, scope, Some(wanted), logs)
    }

    fn map_pieces(
        &self,
        body: &Arc<str>,
        observed: u64,
        scope: &Arc<Scope>,
        wanted: Option<&KeySet>,
        logs: &mut Logs,
    ) -> Summary {
        let mut summary = Summary::default();
        split::pieces(body, |piece| match piece {
            Piece::Alert { alert, text } => {
                let mapped = record::map(&self.settings, alert, body, &Original::Text(text), observed, wanted);
                if mapped.internal {
                    summary.internal += 1;
                } else {
                    summary.alerts += 1;
                }
                for (reason, count) in mapped.degraded.iter() {
                    summary.degraded.add_many(reason, count);
                }
                logs.push(mapped.resource, Arc::clone(scope), mapped.record);
            }
            Piece::Plain { text, reason } => {
                summary.plain.add(reason);
                let clean = self.clean(text);
                let cut = event::cut(&clean, MAX_PLAIN_BYTES);
                if cut.len() < clean.len() {
                    summary.degraded.add(reasons::TEXT_CUT);
                }
                let record = LogRecord {
                    observed_time_unix_nano: observed,
                    body: Value::Text(Text::slice_of(body, cut)),
                    ..LogRecord::default()
                };
                logs.push(Arc::clone(&self.plain_resource), Arc::clone(scope), record);
            }
        });
        summary
    }

    /// Maps a body that is one alert and nothing else, straight to the request that encoding the record of
    /// [`map_body`](Self::map_body) gives, for who does not look at records: half the work. `None` for any other body.
    pub fn encode_body(
        &self,
        body: &str,
        observed_unix_nano: u64,
        scope: &EncodedScope,
    ) -> Option<(OtlpRequest, Summary)> {
        let text = body.trim_ascii();
        let mut alert = Alert::default();
        if !split::whole_alert(text, &mut alert) || (alert.rule.is_none() && alert.output.is_none()) {
            return None;
        }
        let (bytes, internal, degraded) =
            record::encode(&self.settings, &mut alert, &Original::Text(text), observed_unix_nano, scope);
        let summary =
            Summary { alerts: usize::from(!internal), internal: usize::from(internal), degraded, ..Summary::default() };
        Some((OtlpRequest { signal: Signal::Logs, bytes, items: 1 }, summary))
    }

    /// Maps a line of a log: `Some` when it is one JSON object with `rule` and `time` and nothing behind it, else `None`,
    /// and the caller decides what the line is.
    pub fn map_line(&self, line: &Arc<str>, observed_unix_nano: u64) -> Option<Mapped> {
        let text = line.trim();
        let mut alert = Alert::default();
        if !split::whole_alert(text, &mut alert) || alert.rule.is_none() || alert.time == time::Time::Missing {
            return None;
        }
        Some(record::map(&self.settings, &mut alert, line, &Original::Text(text), observed_unix_nano, None))
    }

    /// Maps what a record of another agent carries. Among all kinds of logs only that is an alert which has `rule`,
    /// `priority` and one of `output`, `message` and `output_fields`, in Falco's own spelling; a log line of some other
    /// program may well have a rule and a time.
    pub fn map_carried(&self, form: &Form<'_>, observed_unix_nano: u64) -> Reading<Mapped> {
        match form {
            Form::Text(body) => {
                let text = body.trim();
                if !has_keys_of_an_alert(text) {
                    return Reading::Foreign;
                }
                let mut alert = Alert::default();
                match split::whole_alert(text, &mut alert) {
                    true if is_whole(&alert) => Reading::Event(record::map(
                        &self.settings,
                        &mut alert,
                        body,
                        &Original::Text(text),
                        observed_unix_nano,
                        None,
                    )),
                    true => Reading::Foreign,
                    false => Reading::Damaged,
                }
            }
            Form::Map(value) => match Alert::deserialize(*value) {
                Ok(mut alert) if is_whole(&alert) => Reading::Event(record::map(
                    &self.settings,
                    &mut alert,
                    &self.no_body,
                    &Original::Map(value),
                    observed_unix_nano,
                    None,
                )),
                _ => Reading::Foreign,
            },
        }
    }

    /// Maps an alert that does not come as JSON. There is no original to keep, so `keep_original` has no effect.
    pub fn map_parts(&self, parts: AlertParts<'_>, observed_unix_nano: u64) -> Mapped {
        // The parts stand in no common text, so the record gets copies.
        record::map(&self.settings, &mut parts.into_alert(), &self.no_body, &Original::Parts, observed_unix_nano, None)
    }

    /// The body of a line of Falco's that is no alert, such as one of its text format.
    pub fn plain_body(&self, line: &Arc<str>) -> Value {
        Value::Text(Text::slice_of(line, &self.clean(line)))
    }

    /// The resource of records that are no alerts: `service.name` and what else the options say.
    pub fn plain_resource(&self) -> &Arc<Resource> {
        &self.plain_resource
    }
}

/// Whether a key is one of an alert; others stand there because somebody added them.
pub fn is_key(name: &str) -> bool {
    alert::is_key(name)
}

/// Cheap, and true of every alert that Falco writes: an object with these keys somewhere.
fn has_keys_of_an_alert(text: &str) -> bool {
    let has = |key: &str| memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some();
    // `"output` is the start of `"output_fields"` too.
    text.starts_with('{') && has(r#""rule""#) && has(r#""priority""#) && (has(r#""output"#) || has(r#""message""#))
}

fn is_whole(alert: &Alert<'_>) -> bool {
    let says = alert.output.is_some() || alert.message.is_some() || alert.fields.present;
    alert.rule.is_some() && !alert.priority.is_absent() && says
}
