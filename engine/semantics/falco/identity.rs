//! The `log.record.uid` of an alert.
//!
//! Parts: host name, source, rule, priority in lower case, time in nanoseconds as decimal digits, then the output, else
//! the message, else the output fields. A missing part is empty. Source and priority are those of the attributes, so
//! an alert keeps its id on the way through falcosidekick; its `uuid` is no part. An alert without any time has the
//! time 0, so two such alerts with equal text share an id.

use super::{
    alert::Alert,
    field::{Field, json_text},
    fields::OutputField,
    original::Original,
};
use crate::semantics::uid::{self, Hex};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// The id of an alert.
pub(super) fn of_alert(alert: &Alert<'_>, source: &str, priority: &str, time: u64, piece: &Original<'_>) -> Hex {
    let mut digest = uid::Digest::new(uid::FALCO_ALERT);
    let mut digits = [0u8; 20];
    for part in [alert.hostname.as_deref(), Some(source), alert.rule.as_deref(), Some(priority)] {
        digest.part(part.unwrap_or_default().as_bytes());
    }
    digest.part(decimal(time, &mut digits));
    match alert.output.as_deref().or(alert.message.as_deref()) {
        Some(text) => digest.part(text.as_bytes()),
        None => match piece.json() {
            Some(json) => raw_fields(&mut digest, &json),
            None => known_fields(&mut digest, alert),
        },
    }
    digest.hex()
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

/// Adds the output fields, sorted by key: each key is a part, then one type byte with the text of a string (`s`) or the
/// source's own JSON text (`n` number, `b` flag, `j` list or object). `null` is left out. The alert is read once more
/// for the numbers' own text, which happens only without output and message.
fn raw_fields(digest: &mut uid::Digest, piece: &str) {
    #[derive(Deserialize)]
    struct Raw<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);
    let Ok(Raw(alert)) = serde_json::from_str(piece) else { return };
    let Some(fields) = alert.iter().find(|(key, _)| key.eq_ignore_ascii_case("output_fields")) else { return };
    let Ok(Raw(fields)) = serde_json::from_str(fields.1.get()) else { return };
    for (key, value) in &fields {
        let raw = value.get();
        let (kind, text): (u8, Cow<'_, str>) = match raw.as_bytes().first() {
            Some(b'"') => (b's', serde_json::from_str::<String>(raw).unwrap_or_default().into()),
            Some(b'{' | b'[') => (b'j', raw.into()),
            Some(b't' | b'f') => (b'b', raw.into()),
            Some(b'n') | None => continue,
            Some(_) => (b'n', raw.into()),
        };
        field(digest, key, kind, &text);
    }
}

/// The same for an alert that did not come as JSON: numbers have the text that JSON would have.
fn known_fields(digest: &mut uid::Digest, alert: &Alert<'_>) {
    let mut fields: Vec<_> = alert.fields.list.iter().collect();
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    for OutputField { name, value, .. } in fields {
        let kind = match value {
            Field::Null => continue,
            Field::Text(text) => {
                field(digest, name, b's', text);
                continue;
            }
            Field::Bool(_) => b'b',
            Field::Int(_) | Field::Double(_) => b'n',
            Field::List { .. } | Field::Json(_) => b'j',
        };
        field(digest, name, kind, &json_text(value));
    }
}

fn field(digest: &mut uid::Digest, name: &str, kind: u8, text: &str) {
    digest.part(name.as_bytes());
    let mut part = Vec::with_capacity(1 + text.len());
    part.push(kind);
    part.extend_from_slice(text.as_bytes());
    digest.part(&part);
}
