//! From an `Alert` to a log record and its resource.
//!
//! Order of attributes: what makes the alert recognisable first, then the fields as they came, so that the cap
//! drops the least important ones. Every attribute dropped is counted in `dropped_attributes_count`.

mod tags;

use super::{
    Mapped, Settings,
    alert::Alert,
    convert::{self, Converted},
    field::Field,
    fields::OutputField,
    identity,
    index::{INDEX, preserved_name},
    names::{FIXED, TARGETS},
    original::Original,
    reasons,
    table::{FieldId, Place},
    time,
};
use crate::{
    event::{Attributes, Key, LogRecord, Priority, Resource, SeverityNumber, Text, Value},
    semantics::{Preserve, Reasons, SCHEMA_URL, event_names, keys},
};
use std::{borrow::Cow, sync::Arc};

/// Later than this ahead of the clock, in nanoseconds, an event counts as skewed: 24 hours.
const SKEW: u64 = 24 * 3600 * 1_000_000_000;

/// Maps an alert. `body` is what its text is a range of, where it is one.
pub(super) fn map(
    settings: &Settings,
    alert: &mut Alert<'_>,
    body: &Arc<str>,
    piece: &Original<'_>,
    observed: u64,
) -> Mapped {
    let mut mapping = Mapping {
        settings,
        body,
        record: Sink::new(settings, 24 + alert.fields.list.len() * 3 / 2),
        resource: Sink::new(settings, 12),
        degraded: Reasons::default(),
    };
    mapping.run(alert, piece, observed)
}

struct Mapping<'m> {
    settings: &'m Settings,
    body: &'m Arc<str>,
    record: Sink,
    resource: Sink,
    degraded: Reasons,
}

/// Attributes up to the cap.
struct Sink {
    attrs: Attributes,
    max: usize,
    dropped: u32,
}

impl Sink {
    fn new(settings: &Settings, capacity: usize) -> Self {
        Self {
            attrs: Attributes::with_capacity(capacity.min(settings.max_attributes)),
            max: settings.max_attributes,
            dropped: 0,
        }
    }

    /// Adds an attribute that is not there yet.
    #[inline]
    fn push(&mut self, key: &Key, value: Value) {
        if self.attrs.len() < self.max {
            self.attrs.push(key.clone(), value);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds an attribute unless it is there: the first one wins.
    fn push_new(&mut self, key: &Key, value: Value) {
        if !self.attrs.contains(key) {
            self.push(key, value);
        }
    }
}

impl Mapping<'_> {
    fn run(&mut self, alert: &mut Alert<'_>, piece: &Original<'_>, observed: u64) -> Mapped {
        self.degraded = std::mem::take(&mut alert.degraded);
        let alert = &*alert;
        let time = self.time(alert);
        let (priority, severity_number, severity_text) = self.priority(&alert.priority);
        let source = source(alert);
        let internal = source == "internal";
        self.note_missing(alert);

        let uid = identity::of_alert(alert, &source, &priority, time, piece);
        self.record.push(&keys::UID, Value::Text(uid));
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
            self.record.push(&keys::CLOCK_SKEW, Value::Bool(true));
            self.degraded.add(reasons::CLOCK_SKEW);
        }
        if self.settings.keep_original
            && let Some(json) = piece.json()
        {
            self.record.push(&keys::ORIGINAL, Value::Text(self.settings.json(self.body, &json)));
        }

        self.base_resource(alert);
        self.fields(alert);
        self.derived(alert);
        self.record.dropped = self.record.dropped.saturating_add(alert.fields.dropped);

        let body = alert
            .message
            .as_deref()
            .or(alert.output.as_deref())
            .map(|text| Value::Text(Text::slice_of(self.body, &self.settings.clean(text))));
        Mapped {
            resource: Arc::new(Resource {
                attrs: std::mem::take(&mut self.resource.attrs),
                dropped_attributes_count: self.resource.dropped,
                schema_url: Text::from_static(SCHEMA_URL),
            }),
            record: LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number,
                severity_text,
                event_name: Text::from_static(if internal {
                    event_names::FALCO_INTERNAL
                } else {
                    event_names::FALCO_ALERT
                }),
                body: body.unwrap_or_default(),
                attrs: std::mem::take(&mut self.record.attrs),
                dropped_attributes_count: self.record.dropped,
                ..LogRecord::default()
            },
            internal,
            degraded: std::mem::take(&mut self.degraded),
        }
    }

    /// Cuts a text at the cap and adds it to the record. For names, and for parts of what is clean already.
    fn text(&mut self, key: &Key, text: &str) {
        let value = self.value_of(text);
        self.record.push(key, value);
    }

    /// Adds the text of a field.
    fn clean_text(&mut self, key: &Key, text: &str) {
        let text = self.settings.text(self.body, text);
        self.record.push(key, Value::Text(text));
    }

    fn value_of(&self, text: &str) -> Value {
        Value::Text(Text::slice_of(self.body, self.settings.cut(text)))
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
    fn priority<'a>(&mut self, priority: &'a Field<'_>) -> (Cow<'a, str>, SeverityNumber, Text) {
        let known = match priority {
            Field::Text(word) if !priority.is_absent() => {
                let text = Text::slice_of(self.body, self.settings.cut(word));
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
                (known.lower().into(), known.severity_number(), Text::from_static(known.title()))
            }
            None => {
                let missing = priority.is_absent();
                self.degraded.add(if missing { reasons::MISSING_PRIORITY } else { reasons::UNKNOWN_PRIORITY });
                let text = priority.clone().into_text().filter(|_| !missing).unwrap_or_default();
                let severity_text = Text::from(&*text);
                (text, SeverityNumber::UNSPECIFIED, severity_text)
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
            self.resource.push(key, value.clone());
        }
        if let Some(hostname) = &alert.hostname {
            let host = self.value_of(hostname);
            if alert.in_pod() {
                self.resource.push(&keys::NODE_NAME, host.clone());
            }
            self.resource.push(&keys::HOST_NAME, host);
        }
    }

    /// Every output field, by its row or as `falco.output_fields.<field>`.
    fn fields(&mut self, alert: &Alert<'_>) {
        let on_host = alert.is_host();
        let mut rewritten = false;
        for field in &alert.fields.list {
            if field.value.is_absent() {
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
            let value = convert::same(self.settings, self.body, &field.name, &field.value);
            // `a[2]` and `a.2` get one name, and so may two long ones; the first stays.
            rewritten |= field.name.ends_with(']') || field.name.len() > self.settings.max_bytes;
            let made;
            let key = match field.slot {
                Some(slot) => INDEX.preserved(slot),
                None => {
                    made = Key::from_event(Text::from(preserved_name(self.settings.cut(&field.name))));
                    &made
                }
            };
            if rewritten && self.record.attrs.contains(key) {
                self.record.dropped = self.record.dropped.saturating_add(1);
            } else {
                self.record.push(key, value);
            }
        }
    }

    /// Fills the attributes of a field's row. Whether there was any place for it.
    fn field(&mut self, alert: &Alert<'_>, field: &OutputField<'_>, on_host: bool) -> bool {
        let Some(slot) = field.slot else {
            return field.name.starts_with("proc.aname[");
        };
        let Some((id, targets)) = TARGETS.get(slot.index()) else {
            return false;
        };
        if on_host && id.is_container() {
            return true;
        }
        let (mut mapped, mut unfit) = (false, false);
        for target in targets {
            match convert::convert(target.kind, *id, &field.value, alert, self.settings, self.body) {
                Converted::Value(value) => {
                    mapped = true;
                    let sink = match target.place {
                        Place::Record => &mut self.record,
                        Place::Resource => &mut self.resource,
                    };
                    if target.shared { sink.push_new(&target.key, value) } else { sink.push(&target.key, value) }
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
                let key = format!("k8s.pod.label.{}", self.settings.cut(name.trim()));
                let value = Value::Text(self.settings.named_text(self.body, name, label.trim()));
                self.resource.push_new(&Key::from_event(key.into()), value);
            }
        }
    }

    /// Attributes made of more than one field.
    fn derived(&mut self, alert: &Alert<'_>) {
        let fields = &alert.fields;
        // Parts of clean text, because a part alone may not look like the secret it belongs to.
        let settings = self.settings;
        if let Some(path) = fields.text(FieldId::ProcExepath).map(|path| settings.clean(path))
            && let Some(name) = last_part(&path)
        {
            self.text(&keys::EXECUTABLE_NAME, name);
        }
        self.ancestors(alert);
        if let Some(path) = alert.file_path().map(|path| settings.clean(path)) {
            let name = last_part(&path);
            if let Some(name) = name {
                self.text(&keys::FILE_NAME, name);
                if let Some((stem, extension)) = name.rsplit_once('.')
                    && !stem.is_empty()
                    && !extension.is_empty()
                {
                    self.text(&keys::FILE_EXTENSION, extension);
                }
            }
            match path.rfind('/') {
                Some(0) => self.record.push(&keys::FILE_DIRECTORY, Value::Text(Text::from_static("/"))),
                Some(end) => self.text(&keys::FILE_DIRECTORY, &path[..end]),
                None => {}
            }
        }
        if fields.list.iter().any(|field| field.name.starts_with("ka.")) {
            self.audit(alert);
        }
        if !alert.is_host()
            && let (Some(repository), Some(digest)) =
                (fields.text(FieldId::ContainerImageRepository), fields.text(FieldId::ContainerImageDigest))
        {
            let digest = self.settings.text(self.body, &format!("{repository}@{digest}"));
            self.resource.push(&keys::IMAGE_DIGESTS, Value::Array(vec![Value::Text(digest)]));
        }
    }

    /// `proc.aname[2]`, `[3]`, ... by rising number, unless `proc.aname` gave the list.
    fn ancestors(&mut self, alert: &Alert<'_>) {
        if alert.fields.has(FieldId::ProcAname) {
            return;
        }
        let mut found: Vec<(u32, &Field<'_>)> = Vec::new();
        for field in alert.fields.list.iter().filter(|field| !field.value.is_absent()) {
            if let Some(number) = field.name.strip_prefix("proc.aname[").and_then(|rest| rest.strip_suffix(']')) {
                found.push((number.parse().unwrap_or(u32::MAX), &field.value));
            }
        }
        if !found.is_empty() {
            found.sort_by_key(|(number, _)| *number);
            let same = |value| convert::same(self.settings, self.body, "proc.aname", value);
            let list = found.into_iter().map(|(_, value)| same(value)).collect();
            self.record.push(&FIXED.ancestors, Value::Array(list));
        }
    }

    /// What the fields of an audit rule say together.
    fn audit(&mut self, alert: &Alert<'_>) {
        let fields = &alert.fields;
        if let Some(uri) = fields.text(FieldId::KaUri).map(|uri| self.settings.clean(uri)) {
            let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
            if !path.is_empty() {
                self.text(&FIXED.url_path, path);
            }
            if !query.is_empty() {
                self.text(&FIXED.url_query, query);
            }
        }
        if let Some(method) = fields.text(FieldId::KaVerb).and_then(method_of) {
            self.record.push(&FIXED.method, Value::Text(Text::from_static(method)));
        }
        if !fields.has(FieldId::FdCip)
            && let Some(first) = fields.get(FieldId::KaSourceips).and_then(|ips| match ips {
                Field::List { items, .. } => items.first().and_then(Field::as_str),
                other => other.as_str(),
            })
        {
            self.clean_text(&FIXED.client_address, first);
        }
        if fields.get(FieldId::KaResponseCode).and_then(Field::as_int).is_some_and(|code| code >= 400)
            && let Some(reason) = fields.text(FieldId::KaResponseReason)
        {
            self.clean_text(&FIXED.error_type, reason);
        }
        if fields.text(FieldId::KaTargetResource) == Some("pods")
            && let Some(name) = fields.text(FieldId::KaTargetName)
        {
            self.clean_text(&keys::POD_NAME, name);
        }
    }
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
            _ if alert.fields.list.iter().any(|field| field.name.starts_with("ka.")) => "k8s_audit".into(),
            _ => "syscall".into(),
        },
    }
}

/// What is behind the last slash.
fn last_part(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// The HTTP method that the API server maps to a verb.
pub(in crate::semantics) fn method_of(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "get" | "list" | "watch" => "GET",
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        _ => return None,
    })
}
