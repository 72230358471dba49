//! Log records for a person to read.
//!
//! Promises: `normal` is one line per record, whatever its fields hold; no control character and no mark that turns
//! the direction of writing reaches the terminal (S11); a field is cut at [`FIELD_LIMIT`].

use crate::file::records::{time_text, value};
use lanner_engine::{net::client::push_escaped, prelude::*};
use std::{fmt::Write, sync::LazyLock};

/// Longest part of a field that is printed, in bytes.
pub const FIELD_LIMIT: usize = 4096;

struct Keys {
    rule: Key,
    namespace: Key,
    pod: Key,
    container: Key,
    container_id: Key,
    host: Key,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rule: Key::intern("security_rule.name"),
    namespace: Key::intern("k8s.namespace.name"),
    pod: Key::intern("k8s.pod.name"),
    container: Key::intern("container.name"),
    container_id: Key::intern("container.id"),
    host: Key::intern("host.name"),
});

/// Writes a line for each record, with all attributes below it when `detailed`.
pub fn write_logs(logs: &Logs, detailed: bool, colour: bool, out: &mut String) {
    for group in &logs.groups {
        if detailed {
            out.push_str("resource\n");
            attributes(&group.resource.attrs, out);
            out.push_str("scope ");
            push_escaped(out, &group.scope.name, FIELD_LIMIT);
            out.push('\n');
            attributes(&group.scope.attrs, out);
        }
        for record in &group.records {
            line(record, &group.resource, colour, out);
            if detailed {
                attributes(&record.attrs, out);
            }
        }
    }
}

/// Time, priority, rule, where, output.
fn line(record: &LogRecord, resource: &Resource, colour: bool, out: &mut String) {
    match time_text(record) {
        None => out.push('-'),
        Some(time) => out.push_str(&time),
    }
    out.push(' ');
    let paint = if colour { paint(record.severity_number.0) } else { "" };
    out.push_str(paint);
    match record.severity_text.as_str() {
        "" => out.push('-'),
        text => push_escaped(out, text, 32),
    }
    if !paint.is_empty() {
        out.push_str("\u{1b}[0m");
    }
    let what = record.attrs.get_str(&KEYS.rule).unwrap_or(&record.event_name);
    if !what.is_empty() {
        out.push_str(" \"");
        push_escaped(out, what, FIELD_LIMIT);
        out.push('"');
    }
    place(record, resource, out);
    if record.body != Value::Empty {
        out.push(' ');
        any(&record.body, out);
    }
    out.push('\n');
}

/// `[namespace/pod/container]`, or the host.
fn place(record: &LogRecord, resource: &Resource, out: &mut String) {
    let find = |key| resource.attrs.get_str(key).or_else(|| record.attrs.get_str(key));
    let container = find(&KEYS.container).or_else(|| find(&KEYS.container_id));
    let mut parts: Vec<&str> = [find(&KEYS.namespace), find(&KEYS.pod), container].into_iter().flatten().collect();
    if parts.is_empty() {
        parts.extend(find(&KEYS.host));
    }
    for (index, part) in parts.iter().enumerate() {
        out.push_str(if index == 0 { " [" } else { "/" });
        push_escaped(out, part, 253);
    }
    if !parts.is_empty() {
        out.push(']');
    }
}

fn attributes(attributes: &Attributes, out: &mut String) {
    for (key, held) in attributes.iter() {
        out.push_str("    ");
        push_escaped(out, key.as_str(), FIELD_LIMIT);
        out.push_str(": ");
        any(held, out);
        out.push('\n');
    }
}

/// Text as it is, everything else as JSON.
fn any(held: &Value, out: &mut String) {
    match held {
        Value::Text(text) => push_escaped(out, text, FIELD_LIMIT),
        other => {
            let mut json = Vec::new();
            value(other, &mut json);
            push_escaped(out, &String::from_utf8_lossy(&json), FIELD_LIMIT);
        }
    }
}

/// Red from ERROR on, yellow for WARN.
fn paint(severity_number: u8) -> &'static str {
    match severity_number {
        17.. => "\u{1b}[31m",
        13..=16 => "\u{1b}[33m",
        _ => "",
    }
}

/// The line of `basic`.
pub fn write_summary(request: &Request, out: &mut String) {
    let signal = request.signal();
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{signal}: {} {}, {} bytes", request.items(), signal.items(), request.bytes().len());
}
