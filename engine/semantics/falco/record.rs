//! From an `Alert` to a log record and its resource.
//!
//! Order of attributes: what makes the alert recognisable first, then the fields as they came, so that the cap
//! drops the least important ones. Every attribute dropped is counted in `dropped_attributes_count`.

mod derived;
mod tags;

pub(in crate::semantics) use derived::method_of;

use super::{
    Mapped, Settings,
    alert::Alert,
    convert::{self, Converted},
    field::Field,
    fields::{ANCESTOR, OutputField},
    identity,
    index::{INDEX, preserved_name},
    names::TARGETS,
    original::Original,
    reasons,
    table::{FieldId, Place},
    texts::Texts,
    time,
};
use crate::{
    event::{
        Key, KeySet, LogRecord, Priority, Resource, Scalar, SeverityNumber, Text, Value,
        otlp::{EncodedScope, OneRecord, RecordHead, ResourceHead},
    },
    semantics::{
        Preserve, Reasons, SCHEMA_URL, event_names, keys,
        sink::{Capped, Kept, Sink},
    },
};
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc};

/// Later than this ahead of the clock, in nanoseconds, an event counts as skewed: 24 hours.
const SKEW: u64 = 24 * 3600 * 1_000_000_000;

/// Maps an alert to a record, with the attributes that are wanted and no body if not everything is. `body` is what its text
/// is a range of, where it is one.
pub(super) fn map(
    settings: &Settings,
    alert: &mut Alert<'_>,
    body: &Arc<str>,
    piece: &Original<'_>,
    observed: u64,
    wanted: Option<&KeySet>,
) -> Mapped {
    let room = |count: usize| Kept::new(body, wanted, count.min(settings.max_attributes));
    let mut degraded = std::mem::take(&mut alert.degraded);
    let fields = alert.fields.list.len();
    let texts = if wanted.is_some() { Texts::of_few(settings) } else { Texts::of(settings, piece) };
    let mut mapping = Mapping {
        settings,
        texts: &texts,
        record: Capped::new(room(24 + fields * 3 / 2), settings.max_attributes),
        resource: Capped::new(room(12), settings.max_attributes),
        degraded: &mut degraded,
    };
    let said = mapping.run(alert, piece, observed);
    let Mapping { record, resource, .. } = mapping;
    let event_name = said.event_name();
    let keep = |text: Scalar<'_>| match text.keep(body) {
        Value::Text(text) => text,
        _ => Text::EMPTY,
    };
    Mapped {
        resource: Arc::new(Resource {
            attrs: resource.sink.attrs,
            dropped_attributes_count: resource.dropped,
            schema_url: Text::from_static(SCHEMA_URL),
        }),
        record: LogRecord {
            time_unix_nano: said.time,
            observed_time_unix_nano: observed,
            severity_number: said.severity_number,
            severity_text: keep(said.severity_text),
            event_name: Text::from_static(event_name),
            body: said.message.map(|text| Scalar::Text(text).keep(body)).unwrap_or_default(),
            attrs: record.sink.attrs,
            dropped_attributes_count: record.dropped,
            ..LogRecord::default()
        },
        internal: said.internal,
        degraded,
    }
}

/// Maps an alert to a request with one record, the bytes that encoding the record of [`map`] gives.
/// Says whether it is Falco's message about itself, and what was odd.
pub(super) fn encode(
    settings: &Settings,
    alert: &mut Alert<'_>,
    piece: &Original<'_>,
    observed: u64,
    scope: &EncodedScope,
) -> (Bytes, bool, Reasons) {
    let mut degraded = std::mem::take(&mut alert.degraded);
    let OneRecord { record, resource } = OneRecord::begin();
    let texts = Texts::of(settings, piece);
    let mut mapping = Mapping {
        settings,
        texts: &texts,
        record: Capped::new(record, settings.max_attributes),
        resource: Capped::new(resource, settings.max_attributes),
        degraded: &mut degraded,
    };
    let said = mapping.run(alert, piece, observed);
    let Mapping { record, resource, .. } = mapping;
    let head = RecordHead {
        time_unix_nano: said.time,
        observed_time_unix_nano: observed,
        severity_number: said.severity_number,
        severity_text: said.severity_text.as_str().unwrap_or_default(),
        event_name: said.event_name(),
        dropped_attributes_count: record.dropped,
        ..RecordHead::default()
    };
    let of_resource = ResourceHead { dropped_attributes_count: resource.dropped, schema_url: SCHEMA_URL };
    let one = OneRecord { record: record.sink, resource: resource.sink };
    let bytes = one.finish(&of_resource, scope, &head, said.message.as_deref());
    (bytes, said.internal, degraded)
}

struct Mapping<'m, S> {
    settings: &'m Settings,
    texts: &'m Texts<'m>,
    record: Capped<S>,
    resource: Capped<S>,
    degraded: &'m mut Reasons,
}

/// What an alert says besides its attributes.
struct Said<'a> {
    time: u64,
    severity_number: SeverityNumber,
    severity_text: Scalar<'a>,
    message: Option<Cow<'a, str>>,
    internal: bool,
}

impl Said<'_> {
    fn event_name(&self) -> &'static str {
        if self.internal { event_names::FALCO_INTERNAL } else { event_names::FALCO_ALERT }
    }
}

impl<S: Sink> Mapping<'_, S> {
    fn run<'a>(&mut self, alert: &'a Alert<'_>, piece: &Original<'_>, observed: u64) -> Said<'a> {
        let time = self.time(alert);
        let (priority, severity_number, severity_text) = self.priority(&alert.priority);
        let source = source(alert);
        let internal = source == "internal";
        self.note_missing(alert);

        if self.record.sink.wants(&keys::UID) {
            let uid = identity::of_alert(alert, &source, &priority, time, piece);
            self.text(&keys::UID, uid.as_str());
        } else {
            self.text(&keys::UID, "");
        }
        if let Some(rule) = &alert.rule {
            self.text(&keys::RULE, rule);
        }
        if !priority.is_empty() {
            self.text(&keys::PRIORITY, &priority);
        }
        self.text(&keys::SOURCE, &source);
        self.tags(alert, &source, internal);
        if let Some(uuid) = &alert.uuid {
            self.text(&keys::FALCO_UUID, uuid);
        }
        if time > observed.saturating_add(SKEW) {
            self.record.push(&keys::CLOCK_SKEW, &Scalar::Bool(true));
            self.degraded.add(reasons::CLOCK_SKEW);
        }
        if self.settings.keep_original
            && let Some(json) = piece.json()
        {
            self.record.push(&keys::ORIGINAL, &Scalar::Text(self.texts.json(&json)));
        }

        self.base_resource(alert);
        self.fields(alert);
        self.derived(alert);
        self.record.drop(alert.fields.dropped);
        let message = alert.message.as_deref().or(alert.output.as_deref());
        let message = message.filter(|_| self.record.sink.wants_body()).map(|text| self.texts.clean(text));
        Said { time, severity_number, severity_text, message, internal }
    }

    /// Cuts a text at the cap and adds it to the record. For names, and for parts of what is clean already.
    fn text(&mut self, key: &Key, text: &str) {
        let text = self.texts.cut(text);
        self.record.push(key, &Scalar::Text(Cow::Borrowed(text)));
    }

    /// Adds the text of a field.
    fn clean_text(&mut self, key: &Key, text: &str) {
        let text = self.texts.text(text);
        self.record.push(key, &Scalar::Text(text));
    }

    /// The time of the event: `time`, else the first usable time field; 0 when there is none.
    fn time(&mut self, alert: &Alert<'_>) -> u64 {
        if let Some((nanos, odd)) = time::resolve(&alert.time) {
            if odd {
                self.degraded.add(reasons::TIME_FORM);
            }
            return nanos;
        }
        self.degraded.add(if alert.time == time::Time::Missing { reasons::MISSING_TIME } else { reasons::BAD_TIME });
        let fields = [FieldId::EvtTime, FieldId::EvtTimeIso, FieldId::EvtRawtime];
        match fields.into_iter().find_map(|id| alert.fields.get(id).and_then(time::of_field)) {
            Some((nanos, odd)) => {
                if odd {
                    self.degraded.add(reasons::TIME_FORM);
                }
                nanos
            }
            None => {
                self.degraded.add(reasons::NO_TIME);
                0
            }
        }
    }

    /// Lower-case priority, severity number and severity text.
    fn priority<'a>(&mut self, priority: &'a Field<'_>) -> (Cow<'a, str>, SeverityNumber, Scalar<'a>) {
        let known = match priority {
            Field::Text(word) if !priority.is_absent() => {
                let text = Scalar::Text(Cow::Borrowed(self.texts.cut(word)));
                match Priority::parse(word) {
                    Some(known) => return (known.lower().into(), known.severity_number(), text),
                    None => {
                        self.degraded.add(reasons::UNKNOWN_PRIORITY);
                        return (word.to_lowercase().into(), SeverityNumber::UNSPECIFIED, text);
                    }
                }
            }
            // The enumeration of Falco's gRPC schema counts from the most urgent.
            Field::Int(number) => {
                usize::try_from(*number).ok().and_then(|number| Priority::ALL.iter().rev().nth(number)).copied()
            }
            _ => None,
        };
        match known {
            Some(known) => {
                self.degraded.add(reasons::NUMERIC_PRIORITY);
                (known.lower().into(), known.severity_number(), Scalar::Word(known.title()))
            }
            None => {
                let missing = priority.is_absent();
                self.degraded.add(if missing { reasons::MISSING_PRIORITY } else { reasons::UNKNOWN_PRIORITY });
                let text = priority.clone().into_text().filter(|_| !missing).unwrap_or_default();
                let text: Cow<'a, str> = Cow::Owned(text.into_owned());
                (text.clone(), SeverityNumber::UNSPECIFIED, Scalar::Text(text))
            }
        }
    }

    fn note_missing(&mut self, alert: &Alert<'_>) {
        if alert.rule.is_none() {
            self.degraded.add(reasons::MISSING_RULE);
        }
        if alert.output.is_none() && alert.message.is_none() {
            self.degraded.add(reasons::MISSING_OUTPUT);
        }
        if !alert.fields.present {
            self.degraded.add(reasons::MISSING_OUTPUT_FIELDS);
        }
    }

    /// What config and hostname say about the origin.
    fn base_resource(&mut self, alert: &Alert<'_>) {
        for (key, value) in &self.settings.resource {
            self.resource.push(key, &Scalar::Shared(value));
        }
        if let Some(hostname) = &alert.hostname {
            let host = Scalar::Text(Cow::Borrowed(self.texts.cut(hostname)));
            if alert.in_pod() {
                self.resource.push(&keys::NODE_NAME, &host);
            }
            self.resource.push(&keys::HOST_NAME, &host);
        }
    }

    /// Every output field, by its row or as `falco.output_fields.<field>`.
    fn fields(&mut self, alert: &Alert<'_>) {
        let on_host = alert.is_host();
        let mut rewritten = false;
        for field in &alert.fields.list {
            // What says nothing.
            if matches!(field.value, Field::Null) {
                continue;
            }
            let mapped = self.field(alert, field, on_host);
            let keep = match self.settings.preserve {
                Preserve::All => true,
                Preserve::Unmapped => !mapped,
                Preserve::None => false,
            };
            if !keep {
                continue;
            }
            // `a[2]` and `a.2` get one name, and so may two long ones; the first stays.
            rewritten |= field.name.ends_with(']') || field.name.len() > self.settings.max_bytes;
            let made;
            let key = match field.slot {
                Some(slot) => INDEX.preserved(slot),
                None => {
                    made = Key::from_event(Text::from(preserved_name(self.texts.cut(&field.name))));
                    &made
                }
            };
            if rewritten && self.record.contains(key) {
                self.record.drop(1);
                continue;
            }
            let (texts, name) = (texts_for(&self.record, key, self.texts), &*field.name);
            match &field.value {
                Field::List { items, .. } => {
                    self.record.push_list(key, items.iter().map(|item| convert::item(texts, name, item)));
                }
                value => self.record.push(key, &convert::item(texts, name, value)),
            }
        }
    }

    /// Fills the attributes of a field's row. Whether there was any place for it.
    fn field(&mut self, alert: &Alert<'_>, field: &OutputField<'_>, on_host: bool) -> bool {
        let Some(slot) = field.slot else {
            return field.name.starts_with(ANCESTOR);
        };
        let Some((id, targets)) = TARGETS.get(slot.index()) else {
            return false;
        };
        if on_host && id.is_container() {
            return true;
        }
        let (mut mapped, mut unfit) = (false, false);
        for target in targets {
            let sink = match target.place {
                Place::Record => &mut self.record,
                Place::Resource => &mut self.resource,
            };
            let has_place = |sink: &Capped<S>| !(target.shared && sink.contains(&target.key));
            let key = &target.key;
            let texts = texts_for(sink, key, self.texts);
            match convert::convert(target.kind, *id, &field.value, alert, texts) {
                Converted::One(value) => {
                    mapped = true;
                    if has_place(sink) {
                        sink.push(key, &value);
                    }
                }
                Converted::ListOf(value) => {
                    mapped = true;
                    if has_place(sink) {
                        sink.push_list(key, std::iter::once(value));
                    }
                }
                Converted::List(items) => {
                    mapped = true;
                    if has_place(sink) {
                        let name = id.row().field;
                        sink.push_list(key, items.iter().map(|item| convert::item(texts, name, item)));
                    }
                }
                Converted::Labels => {
                    mapped = true;
                    self.labels(&field.value);
                }
                Converted::Elsewhere => mapped = true,
                Converted::NotForThis => {}
                Converted::Unfit => unfit = true,
            }
        }
        if unfit {
            self.degraded.add(reasons::FIELD_TYPE);
        }
        mapped
    }

    fn labels(&mut self, value: &Field<'_>) {
        for pair in value.as_str().unwrap_or_default().split(',') {
            if let Some((name, label)) = pair.split_once([':', '='])
                && !name.trim().is_empty()
            {
                let key = format!("k8s.pod.label.{}", self.texts.cut(name.trim()));
                let value = Scalar::Text(self.texts.named_text(name, label.trim()));
                self.resource.push_new(&Key::from_event(key.into()), &value);
            }
        }
    }
}

/// How the value of an attribute is made: one that nobody looks at is neither searched for secrets nor cut.
fn texts_for<'t>(sink: &Capped<impl Sink>, key: &Key, texts: &'t Texts<'t>) -> &'t Texts<'t> {
    if sink.sink.wants(key) { texts } else { &Texts::UNREAD }
}

/// The source: as sent, with falcosidekick's plural undone; an old Falco sends none.
fn source<'a>(alert: &'a Alert<'_>) -> Cow<'a, str> {
    let internal = || alert.rule.as_deref().is_some_and(|rule| rule.starts_with("Falco internal:"));
    match alert.source.as_deref() {
        Some("syscalls") if internal() => "internal".into(),
        Some("syscalls") => "syscall".into(),
        Some(source) => source.into(),
        None if internal() => "internal".into(),
        None => match alert.fields.list.iter().find(|field| field.name == "evt.source").map(|field| &field.value) {
            Some(Field::Text(source)) => (&**source).into(),
            _ if alert.fields.audit => "k8s_audit".into(),
            _ => "syscall".into(),
        },
    }
}
