//! From an `Event` to a log record. What makes the event recognisable comes first, so that the cap on attributes drops
//! the least important ones; every one dropped is counted in `dropped_attributes_count`.

use super::{
    AuditMapper, Encoded, Mapped, Origin,
    event::{Event, Pairs},
    reasons,
    table::{self, As, NAMES, ROWS},
};
use crate::{
    event::{
        Key, LogRecord, Raw, Scalar, SeverityNumber, Text, Value, cut,
        otlp::{GroupWriter, RecordHead},
    },
    semantics::{
        Reasons, event_names,
        falco::{Field, method_of, parse_rfc3339},
        keys,
        sink::{Capped, Kept, Sink},
        uid,
    },
};
use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

/// Later than this ahead of the clock, in nanoseconds, an event counts as skewed: 24 hours.
const SKEW: u64 = 24 * 3600 * 1_000_000_000;
/// Longest part of the id that the sender chooses.
const MAX_ID: usize = 128;
/// Longest part of the body line.
const MAX_PART: usize = 256;
/// The stages that there are.
const STAGES: [&str; 4] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

static DURATION: LazyLock<Key> = LazyLock::new(|| Key::intern(table::DURATION));
static OBJECTS_REMOVED: LazyLock<Key> = LazyLock::new(|| Key::intern(table::OBJECTS_REMOVED));

/// The digest of an item: cluster and raw bytes, and what was cut out of it.
pub(super) fn digest(origin: &Origin, text: &str, removed: Option<[u8; 32]>) -> Text {
    let mut digest = uid::Digest::new(uid::K8S_AUDIT_EVENT);
    digest.part(origin.cluster.as_bytes());
    digest.part(text.as_bytes());
    if let Some(removed) = removed {
        digest.part(&removed);
    }
    digest.finish()
}

/// An item to map.
pub(super) struct Source<'i> {
    pub origin: &'i Origin,
    pub text: &'i str,
    pub removed: Option<[u8; 32]>,
    /// When it was received.
    pub observed: u64,
}

/// Maps an event to a record, whose texts are ranges of `text`, the text of the source.
pub(super) fn map(mapper: &AuditMapper, event: &Event<'_>, source: &Source<'_>, text: &Arc<str>) -> Mapped {
    let mut mapping = Mapping::new(mapper, Kept::new(text, None, 40.min(mapper.max_attributes)));
    let said = mapping.run(event, source);
    mapping.chosen(event, text);
    let Mapping { attrs, degraded, .. } = mapping;
    Mapped {
        record: LogRecord {
            time_unix_nano: said.time,
            observed_time_unix_nano: source.observed,
            severity_number: said.severity_number,
            event_name: Text::from_static(event_names::K8S_AUDIT_EVENT),
            body: Value::text(line(event, said.code)),
            attrs: attrs.sink.attrs,
            dropped_attributes_count: attrs.dropped,
            raw: Raw::new(Arc::clone(text)),
            ..LogRecord::default()
        },
        plain: None,
        degraded,
    }
}

/// Writes an event to a request, as the record of [`map`] would be written but for what the options point at.
pub(super) fn encode(
    mapper: &AuditMapper,
    event: &Event<'_>,
    source: &Source<'_>,
    request: &mut GroupWriter,
) -> Encoded {
    let mut mapping = Mapping::new(mapper, request.attributes());
    let said = mapping.run(event, source);
    let Mapping { attrs, degraded, .. } = mapping;
    let head = RecordHead {
        time_unix_nano: said.time,
        observed_time_unix_nano: source.observed,
        severity_number: said.severity_number,
        event_name: event_names::K8S_AUDIT_EVENT,
        dropped_attributes_count: attrs.dropped,
        ..RecordHead::default()
    };
    request.write(attrs.sink, &head, &line(event, said.code));
    Encoded { uid: said.uid, plain: None, degraded }
}

struct Mapping<'m, S> {
    mapper: &'m AuditMapper,
    attrs: Capped<S>,
    degraded: Reasons,
}

/// What an event says besides its attributes.
struct Said {
    uid: String,
    time: u64,
    severity_number: SeverityNumber,
    code: Option<i64>,
}

impl<'m, S: Sink> Mapping<'m, S> {
    fn new(mapper: &'m AuditMapper, sink: S) -> Self {
        Self { mapper, attrs: Capped::new(sink, mapper.max_attributes), degraded: Reasons::default() }
    }

    fn run(&mut self, event: &Event<'_>, source: &Source<'_>) -> Said {
        let time = self.time(event);
        let stage = event.stage.as_str().unwrap_or_default();
        let code = event.response_status.as_ref().and_then(|status| status.code.as_int());
        self.note(event, stage);
        let uid = [
            &*cleaned(event.audit_id.as_str().unwrap_or_default(), MAX_ID),
            &*cleaned(stage, MAX_ID),
            &*digest(source.origin, source.text, source.removed),
        ];
        let uid = uid.join("/");
        self.attrs.push(&keys::UID, &Scalar::Text(Cow::Borrowed(&uid)));
        if time > source.observed.saturating_add(SKEW) {
            self.attrs.push(&keys::CLOCK_SKEW, &Scalar::Bool(true));
            self.degraded.add(reasons::CLOCK_SKEW);
        }
        if source.removed.is_some() {
            self.attrs.push(&OBJECTS_REMOVED, &Scalar::Bool(true));
            self.degraded.add(reasons::OBJECTS_REMOVED);
        }
        self.rows(event, code);
        self.duration(event);
        self.pairs(table::ANNOTATION, event.annotations.as_ref());
        self.pairs(table::USER_EXTRA, event.user.as_ref().and_then(|user| user.extra.as_ref()));
        Said { uid, time, severity_number: table::severity(stage, code), code }
    }

    /// Adds a text up to the cap.
    fn text(&mut self, key: &Key, text: &str) {
        self.attrs.push(key, &Scalar::Text(Cow::Borrowed(cut(text, self.mapper.max_bytes))));
    }

    /// Adds the texts of a list; `is_cut` says that it had more.
    fn list(&mut self, key: &Key, items: &[Field<'_>], is_cut: bool) {
        if is_cut {
            self.degraded.add(reasons::LIST_CUT);
        }
        let max = self.mapper.max_bytes;
        let texts = items.iter().filter_map(Field::as_str).map(|text| Scalar::Text(Cow::Borrowed(cut(text, max))));
        self.attrs.push_list(key, texts);
    }

    /// When the stage was reached; 0 when nothing tells.
    fn time(&mut self, event: &Event<'_>) -> u64 {
        let (received, reached) = (&event.request_received_timestamp, &event.stage_timestamp);
        let of_stage = if event.stage.as_str() == Some("RequestReceived") { received } else { reached };
        if let Some(time) = moment(of_stage) {
            return time;
        }
        self.degraded.add(reasons::BAD_TIME);
        [reached, received, &event.timestamp].into_iter().find_map(moment).unwrap_or_else(|| {
            self.degraded.add(reasons::NO_TIME);
            0
        })
    }

    fn note(&mut self, event: &Event<'_>, stage: &str) {
        if event.audit_id.is_absent() {
            self.degraded.add(reasons::NO_AUDIT_ID);
        }
        if !STAGES.contains(&stage) {
            self.degraded.add(reasons::UNKNOWN_STAGE);
        }
        if !event.api_version.is_absent() && event.api_version.as_str() != Some("audit.k8s.io/v1") {
            self.degraded.add(reasons::FOREIGN_API_VERSION);
        }
        let annotations = event.annotations.as_ref();
        if annotations.and_then(|pairs| pairs.text("audit.k8s.io/truncated")) == Some("true") {
            self.degraded.add(reasons::TRUNCATED);
        }
    }

    fn rows(&mut self, event: &Event<'_>, code: Option<i64>) {
        let of_pods = event.object_ref.as_ref().is_some_and(|object| object.resource.as_str() == Some("pods"));
        let failed = code.is_some_and(|code| code >= 400);
        for (row, key) in ROWS.iter().zip(NAMES.iter()) {
            let Some(field) = (row.get)(event).filter(|field| !field.is_absent()) else { continue };
            let applies = match row.kind {
                As::OfPods => of_pods,
                As::OfFailure => failed,
                _ => true,
            };
            if applies && self.row(row.kind, key, field).is_none() {
                self.degraded.add(reasons::WRONG_TYPE);
            }
        }
    }

    /// Adds what a field says as the attribute `key`, if anything; `None` when it has the wrong type.
    fn row(&mut self, kind: As, key: &Key, field: &Field<'_>) -> Option<()> {
        match kind {
            As::Text | As::OfPods | As::OfFailure => match field {
                Field::Text(text) => self.text(key, text),
                other => self.text(key, &other.clone().into_text()?),
            },
            As::Int => self.attrs.push(key, &Scalar::Int(field.as_int()?)),
            As::List => match field {
                Field::List { items, cut } => self.list(key, items, *cut),
                one => {
                    one.as_str()?;
                    self.list(key, one.items(), false);
                }
            },
            As::First => self.text(key, field.items().first().and_then(Field::as_str)?),
            As::UrlPath | As::UrlQuery => {
                let uri = field.as_str().unwrap_or_default();
                let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
                let part = if kind == As::UrlPath { path } else { query };
                if !part.is_empty() {
                    self.text(key, part);
                }
            }
            As::Method => {
                if let Some(method) = field.as_str().and_then(method_of) {
                    self.attrs.push(key, &Scalar::Word(method));
                }
            }
        }
        Some(())
    }

    fn duration(&mut self, event: &Event<'_>) {
        let (from, to) = (moment(&event.request_received_timestamp), moment(&event.stage_timestamp));
        if let (Some(from), Some(to)) = (from, to)
            && let Some(nanos) = to.checked_sub(from)
        {
            self.attrs.push(&DURATION, &Scalar::Double(nanos as f64 / 1e9));
        }
    }

    fn pairs(&mut self, prefix: &str, pairs: Option<&Pairs<'_>>) {
        let Some(pairs) = pairs else { return };
        self.attrs.drop(pairs.dropped);
        for (name, field) in &pairs.list {
            if field.is_absent() {
                continue;
            }
            let key = Key::from_event(Text::from([prefix, cut(name, self.mapper.max_bytes)].concat()));
            // Names may become equal when they are cut, or be repeated.
            if self.attrs.contains(&key) {
                if let Field::List { cut: true, .. } = field {
                    self.degraded.add(reasons::LIST_CUT);
                }
                self.attrs.drop(1);
                continue;
            }
            match field {
                Field::List { items, cut } => self.list(&key, items, *cut),
                Field::Json(text) => self.text(&key, text),
                scalar => {
                    if let Some(text) = scalar.clone().into_text() {
                        self.text(&key, &text);
                    }
                }
            }
        }
    }
}

impl Mapping<'_, Kept<'_>> {
    /// What the options point at.
    fn chosen(&mut self, event: &Event<'_>, text: &Arc<str>) {
        if self.mapper.pointers.is_empty() {
            return;
        }
        let sensitive = super::objects::is_sensitive(event);
        let Some(whole) = super::objects::masked(text, sensitive) else {
            return self.degraded.add(reasons::OBJECTS_UNREADABLE);
        };
        for pointer in &self.mapper.pointers {
            if let Some(value) = pointer.find(&whole, self.mapper.max_bytes)
                && !self.attrs.contains(&pointer.key)
            {
                self.attrs.push_value(&pointer.key, value);
            }
        }
    }
}

fn moment(field: &Field<'_>) -> Option<u64> {
    field.as_str().and_then(parse_rfc3339)
}

/// A text without control characters, up to `max` bytes.
fn cleaned(text: &str, max: usize) -> Cow<'_, str> {
    let kept = cut(text, max);
    // Those of two bytes begin with 0xc2, as some other characters do.
    if !kept.bytes().any(|byte| matches!(byte, 0..0x20 | 0x7f | 0xc2)) {
        return Cow::Borrowed(kept);
    }
    let mut clean: String = kept.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    clean.truncate(cut(&clean, max).len());
    Cow::Owned(clean)
}

/// The event in one line: user, verb, resource, namespace and name, code.
fn line(event: &Event<'_>, code: Option<i64>) -> String {
    let mut line = String::with_capacity(128);
    let mut add = |texts: &[Option<&str>]| {
        let mut before = " ";
        for text in texts.iter().flatten().filter(|text| !text.is_empty()) {
            if !line.is_empty() {
                line.push_str(before);
            }
            line.push_str(&cleaned(text, MAX_PART));
            before = "/";
        }
    };
    add(&[event.user.as_ref().and_then(|user| user.username.as_str())]);
    add(&[event.verb.as_str()]);
    match event.object_ref.as_ref().filter(|object| !object.resource.is_absent()) {
        Some(object) => {
            add(&[object.resource.as_str(), object.subresource.as_str()]);
            add(&[object.namespace.as_str(), object.name.as_str()]);
        }
        None => add(&[event.request_uri.as_str().map(|uri| uri.split('?').next().unwrap_or(uri))]),
    }
    add(&[code.map(|code| code.to_string()).as_deref()]);
    line
}
