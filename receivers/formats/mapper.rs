//! `Mapper`: lines become records.

use super::{
    audit::Audit,
    json,
    options::{NonJson, Options},
    records::Records,
};
use crate::container::{Stream, Whole, Wrapping};
use lanner_engine::{
    prelude::*,
    semantics::{AuditMapper, FalcoMapper, SCHEMA_URL, keys, scope, uid},
};
use std::{borrow::Cow, sync::Arc};

/// The kind of a plain line's digest.
const LINE: &str = "log.line";

/// How lines become records. Built once from the options; shared by all files of a receiver.
pub struct Mapper {
    kind: Kind,
    keep: bool,
    whole_lines: bool,
    plain_resource: Arc<Resource>,
    plain_scope: Arc<Scope>,
    stream: Key,
    incomplete: Key,
    cut: Key,
}

enum Kind {
    Falco { mapper: FalcoMapper, scope: Arc<Scope> },
    Audit(Box<Audit>),
    Json,
    Text,
}

/// What the lines of one file have in common.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Identifies the file for [`Records`]: stays the same when it is renamed, grows or is read again.
    pub identity: Vec<u8>,
    /// Attributes of every record.
    pub attrs: Vec<(Key, Value)>,
}

impl Mapper {
    pub(super) fn falco(mapper: FalcoMapper, options: &Options) -> Self {
        let resource = Arc::clone(mapper.plain_resource());
        let kind = Kind::Falco { mapper, scope: scope("lanner.receiver.falco") };
        Self { plain_resource: resource, ..Self::of(kind, options, NonJson::Skip) }
    }

    pub(super) fn k8s_audit(mapper: AuditMapper, options: &Options) -> Self {
        let (origin, scope) = (mapper.origin(None), scope("lanner.receiver.k8s_audit"));
        let audit = Audit { mapper, origin, scope, max_event: options.max_line };
        Self::of(Kind::Audit(Box::new(audit)), options, NonJson::Keep)
    }

    pub(super) fn json(options: &Options) -> Self {
        Self::of(Kind::Json, options, NonJson::Keep)
    }

    pub(super) fn text(options: &Options) -> Self {
        Self::of(Kind::Text, options, NonJson::Keep)
    }

    fn of(kind: Kind, options: &Options, non_json: NonJson) -> Self {
        let resource = Resource { schema_url: Text::from_static(SCHEMA_URL), ..Resource::default() };
        Self {
            whole_lines: options.container != Wrapping::None || !matches!(kind, Kind::Text),
            kind,
            keep: options.non_json.unwrap_or(non_json) == NonJson::Keep,
            plain_resource: Arc::new(resource),
            plain_scope: scope(options.scope),
            stream: Key::intern("log.iostream"),
            incomplete: Key::intern("lanner.line.incomplete"),
            cut: Key::intern("lanner.line.cut"),
        }
    }

    /// Whether half a line is worthless: that of JSON or of a wrapping is, that of text is not.
    pub fn needs_whole_lines(&self) -> bool {
        self.whole_lines
    }

    /// Adds the records of a line. `now` is the time of reading in nanoseconds since 1970.
    pub fn map(&self, source: &Source, line: &Whole, now: u64, into: &mut Records) {
        if line.text.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        for (odd, reason) in [(line.cut, "line_cut"), (line.incomplete, "line_incomplete"), (line.bare, "not_wrapped")]
        {
            if odd {
                into.degraded.add(reason);
            }
        }
        let observed = if line.time == 0 { now } else { line.time };
        let finish = |record: &mut LogRecord| self.finish(source, line, record);
        if let Kind::Audit(audit) = &self.kind {
            return audit.map(line, observed, into, finish);
        }
        let (text, valid): (Arc<str>, bool) = match String::from_utf8_lossy(&line.text) {
            Cow::Borrowed(text) => (text.into(), true),
            Cow::Owned(text) => (text.into(), false),
        };
        let body = match &self.kind {
            Kind::Falco { mapper, scope } => {
                // Falco never writes alerts to stderr, but a program that it watches may choose what is on its command
                // line.
                let alert = if line.stream == Some(Stream::Stderr) { None } else { mapper.map_line(&text, observed) };
                if let Some(mut mapped) = alert {
                    for (reason, count) in mapped.degraded.iter() {
                        into.degraded.add_many(reason, count);
                    }
                    if !valid {
                        into.degraded.add("invalid_utf8");
                    }
                    finish(&mut mapped.record);
                    return into.push(mapped.resource, Arc::clone(scope), mapped.record, text.len());
                }
                Err("not_an_alert")
            }
            Kind::Json => json::body(&text),
            Kind::Text | Kind::Audit(_) => Ok(Value::Text(Arc::clone(&text).into())),
        };
        let body = match body {
            Ok(body) => body,
            Err(reason) if !self.keep => return into.skipped.add(reason),
            Err(reason) => {
                // Falco's own text is nothing odd.
                if matches!(self.kind, Kind::Json) {
                    into.unusable.add(reason);
                }
                match &self.kind {
                    Kind::Falco { mapper, .. } => mapper.plain_body(&text),
                    _ => Value::Text(Arc::clone(&text).into()),
                }
            }
        };
        if !valid {
            into.degraded.add("invalid_utf8");
        }
        let mut record = LogRecord {
            time_unix_nano: line.time,
            observed_time_unix_nano: observed,
            body,
            attrs: Attributes::with_capacity(6),
            ..LogRecord::default()
        };
        record.attrs.set(keys::UID.clone(), line_uid(source, line));
        finish(&mut record);
        into.push(Arc::clone(&self.plain_resource), Arc::clone(&self.plain_scope), record, 2 * text.len());
    }

    fn finish(&self, source: &Source, line: &Whole, record: &mut LogRecord) {
        for (key, value) in &source.attrs {
            record.attrs.set(key.clone(), value.clone());
        }
        if let Some(stream) = line.stream {
            record.attrs.set(self.stream.clone(), stream.as_str());
        }
        if line.incomplete {
            record.attrs.set(self.incomplete.clone(), true);
        }
        if line.cut {
            record.attrs.set(self.cut.clone(), true);
        }
    }
}

/// The id of a plain line. The place makes equal lines of one file different, the identity those of two files.
fn line_uid(source: &Source, line: &Whole) -> Text {
    let mut digest = uid::Digest::new(LINE);
    digest.part(&source.identity);
    digest.part(line.at.to_string().as_bytes());
    digest.part(line.time.to_string().as_bytes());
    digest.part(&line.text);
    digest.finish()
}
