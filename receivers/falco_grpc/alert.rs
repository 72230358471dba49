//! From Falco's messages to log records.
//!
//! Promises: an alert gets the record, with the same id, that `falco_http` makes of it; a message that cannot be read costs
//! itself and is counted; text that is not UTF-8 is kept with U+FFFD where it is broken.
//!
//! With `json_output: true` Falco writes the whole alert as JSON into `output`. A text line cannot be mistaken for that:
//! it begins with a time. Everything that is not such JSON is mapped from the message's own fields.

use crate::counters::ByReason;
use bytes::Bytes;
use lanner_engine::{
    prelude::*,
    semantics::{AlertParts, FalcoMapper, Mapped, MappingOptions, Reasons, scope},
};
use lanner_proto::falco::{
    outputs::{OutputField, Response},
    schema,
};
use prost::Message;
use std::{
    borrow::Cow,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Maps messages.
pub struct Mapping {
    mapper: FalcoMapper,
    scope: Arc<Scope>,
    degraded: ByReason,
}

/// What became of a batch of messages.
#[derive(Default)]
pub struct Records {
    pub logs: Logs,
    /// Messages of which there is no record, by reason.
    pub unreadable: Reasons,
    /// The time of the last alert, in nanoseconds since 1970; 0 when there is none.
    pub newest: u64,
}

impl Mapping {
    /// A mapping of these options.
    pub fn new(options: &MappingOptions, cx: &BuildCx) -> Self {
        Self {
            mapper: FalcoMapper::new(options),
            scope: scope("lanner.receiver.falco"),
            degraded: ByReason::degraded(cx),
        }
    }

    /// Maps messages in order.
    pub fn map(&self, messages: &[Bytes]) -> Records {
        let observed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let mut records = Records::default();
        for message in messages {
            let Ok(alert) = Response::decode(message.clone()) else {
                records.unreadable.add("undecodable");
                continue;
            };
            let Mapped { resource, record, degraded, .. } = self.alert(&alert, observed);
            for (reason, count) in degraded.iter() {
                self.degraded.add(reason, count);
            }
            records.newest = record.time_unix_nano;
            records.logs.push(resource, Arc::clone(&self.scope), record);
        }
        records
    }

    fn alert(&self, alert: &Response, observed: u64) -> Mapped {
        let mut text = Utf8::default();
        let output = text.of(&alert.output);
        if output.starts_with('{')
            && let Some(mapped) = self.mapper.map_line(&Arc::from(&*output), observed)
        {
            return mapped;
        }
        let (hostname, rule) = (text.of(&alert.hostname), text.of(&alert.rule));
        let source = match text.of(&alert.source) {
            Cow::Borrowed("") => source_of(alert.source_deprecated).into(),
            source => source,
        };
        let tags: Vec<_> = alert.tags.iter().map(|tag| text.of(tag)).collect();
        let fields: Vec<_> =
            alert.output_fields.iter().map(|OutputField { key, value }| (text.of(key), text.of(value))).collect();
        let mut mapped = self.mapper.map_parts(
            AlertParts {
                hostname: &hostname,
                rule: &rule,
                source: &source,
                output: &output,
                priority: alert.priority,
                time: alert.time.map(|time| (time.seconds, time.nanos)),
                tags: tags.iter().map(|tag| &**tag).collect(),
                fields: fields.iter().map(|(name, value)| (&**name, &**value)).collect(),
            },
            observed,
        );
        if text.broken {
            mapped.degraded.add("invalid_utf8");
        }
        mapped
    }
}

/// What the enumeration says about the source, for Falco before 0.31. 0 may be a missing field, as protobuf leaves it
/// out, so the alert's rule and fields decide, with `syscall` as the rest.
fn source_of(number: i32) -> &'static str {
    match schema::Source::try_from(number) {
        Ok(schema::Source::K8sAudit) => "k8s_audit",
        Ok(schema::Source::Internal) => "internal",
        Ok(schema::Source::Plugin) => "plugin",
        Ok(schema::Source::Syscall) | Err(_) => "",
    }
}

/// Reads text, and remembers whether some of it was broken.
#[derive(Default)]
struct Utf8 {
    broken: bool,
}

impl Utf8 {
    fn of<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                self.broken = true;
                String::from_utf8_lossy(bytes)
            }
        }
    }
}
