//! `format: records`: one flat JSON object per log record, made for `jq` and `grep`.

use super::otlp_json::{double, text};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use lanner_engine::prelude::*;

/// Appends a line for each record.
pub fn write_records(logs: &Logs, out: &mut Vec<u8>) {
    for group in &logs.groups {
        for record in &group.records {
            write_record(record, &group.resource, out);
            out.push(b'\n');
        }
    }
}

fn write_record(record: &LogRecord, resource: &Resource, out: &mut Vec<u8>) {
    let mut object = Object::start(out);
    if let Some(time) = time_text(record) {
        object.field("time", |out| text(&time, out));
    }
    if !record.severity_text.is_empty() {
        object.field("severity", |out| text(&record.severity_text, out));
    }
    if record.severity_number.0 != 0 {
        object.field("severity_number", |out| out.extend_from_slice(record.severity_number.0.to_string().as_bytes()));
    }
    if !record.event_name.is_empty() {
        object.field("event_name", |out| text(&record.event_name, out));
    }
    if record.body != Value::Empty {
        object.field("body", |out| value(&record.body, out));
    }
    object.field("attributes", |out| attributes(&record.attrs, out));
    object.field("resource", |out| attributes(&resource.attrs, out));
    if record.trace_id != [0; 16] {
        object.field("trace_id", |out| text(&format!("{:032x}", u128::from_be_bytes(record.trace_id)), out));
    }
    if record.span_id != [0; 8] {
        object.field("span_id", |out| text(&format!("{:016x}", u64::from_be_bytes(record.span_id)), out));
    }
    object.end();
}

/// When it happened, else when it was received, as RFC 3339; the bare number when it is outside the calendar.
pub fn time_text(record: &LogRecord) -> Option<String> {
    let nanos = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        happened => happened,
    };
    let time = Timestamp::from_nanosecond(i128::from(nanos));
    (nanos != 0).then(|| time.map_or_else(|_| nanos.to_string(), |time| time.to_string()))
}

/// Attributes as an object.
pub fn attributes(attributes: &Attributes, out: &mut Vec<u8>) {
    let mut object = Object::start(out);
    for (key, held) in attributes.iter() {
        object.field(key.as_str(), |out| value(held, out));
    }
    object.end();
}

/// Integers stay numbers here: `jq` compares them, and the exact request is what `format: json` is for.
pub fn value(held: &Value, out: &mut Vec<u8>) {
    match held {
        Value::Empty => out.extend_from_slice(b"null"),
        Value::Text(held) => text(held, out),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double(number) => double(*number, out),
        Value::Bytes(bytes) => text(&STANDARD.encode(bytes), out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                value(item, out);
            }
            out.push(b']');
        }
        Value::Map(fields) => {
            let mut object = Object::start(out);
            for (key, held) in fields {
                object.field(key, |out| value(held, out));
            }
            object.end();
        }
    }
}

/// A JSON object being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    fn start(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { start: out.len(), out }
    }

    fn field(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if self.out.len() > self.start {
            self.out.push(b',');
        }
        text(name, self.out);
        self.out.push(b':');
        write(self.out);
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
