//! Values of records as values of the language, and back.

use jiff::Timestamp;
use lanner_engine::event::Value;
use lanner_rules::{
    evaluate::{Arena, Value as Seen},
    schema::Kind,
};
use std::io::Write;

/// A value as a field of this type. What cannot be read as it is missing.
/// A list of one is the one, since Falco has a single value where OpenTelemetry has a list; not so for fields that have
/// many values.
pub fn read<'e>(value: &'e Value, kind: Kind, is_list: bool, arena: &'e Arena) -> Seen<'e> {
    match value {
        Value::Array(members) => match members.as_slice() {
            [one] if !is_list => single(one, kind, arena),
            members => arena.list_of(members.iter().map(|member| single(member, kind, arena))),
        },
        one => single(one, kind, arena),
    }
}

fn single<'e>(value: &'e Value, kind: Kind, arena: &'e Arena) -> Seen<'e> {
    match kind {
        Kind::Any => any(value, arena),
        Kind::Text => match value {
            Value::Text(text) => Seen::Text(text.as_str().as_bytes()),
            other => shown(other, arena),
        },
        Kind::Bytes => match value {
            Value::Bytes(bytes) => Seen::Bytes(bytes),
            Value::Text(text) => Seen::Bytes(text.as_str().as_bytes()),
            _ => Seen::Absent,
        },
        Kind::Int | Kind::Uint | Kind::Rank => match value {
            Value::Int(number) => Seen::Int(*number),
            Value::Text(text) => integer(text.as_str()),
            _ => Seen::Absent,
        },
        Kind::Float => match value {
            Value::Double(number) => Seen::Float(*number),
            Value::Int(number) => Seen::Float(*number as f64),
            Value::Text(text) => text.as_str().parse().map_or(Seen::Absent, Seen::Float),
            _ => Seen::Absent,
        },
        Kind::Bool => match value {
            Value::Bool(flag) => Seen::Bool(*flag),
            Value::Text(text) => text.as_str().parse().map_or(Seen::Absent, Seen::Bool),
            _ => Seen::Absent,
        },
        Kind::Ip | Kind::Net => match value {
            Value::Text(text) => text.as_str().parse().map_or(Seen::Absent, Seen::Ip),
            _ => Seen::Absent,
        },
    }
}

/// An integer, or the nanoseconds of a time, which the mapping writes for people.
fn integer(text: &str) -> Seen<'static> {
    if let Ok(number) = text.parse::<i64>() {
        return Seen::Int(number);
    }
    if let Ok(number) = text.parse::<u64>() {
        return Seen::Uint(number);
    }
    let time = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    time.map_or(Seen::Absent, Seen::Uint)
}

fn any<'e>(value: &'e Value, arena: &'e Arena) -> Seen<'e> {
    match value {
        Value::Empty => Seen::Absent,
        Value::Text(text) => Seen::Text(text.as_str().as_bytes()),
        Value::Bool(flag) => Seen::Bool(*flag),
        Value::Int(number) => Seen::Int(*number),
        Value::Double(number) => Seen::Float(*number),
        Value::Bytes(bytes) => Seen::Bytes(bytes),
        Value::Array(_) | Value::Map(_) => shown(value, arena),
    }
}

/// A value as text.
fn shown<'e>(value: &Value, arena: &'e Arena) -> Seen<'e> {
    match value {
        Value::Empty => Seen::Absent,
        Value::Bool(flag) => Seen::Text(if *flag { b"true" } else { b"false" }),
        Value::Int(number) => {
            let mut digits = [0_u8; 20];
            let mut rest = &mut digits[..];
            // An i64 has at most 20 characters.
            let _ = write!(rest, "{number}");
            let left = rest.len();
            arena.text(digits.get(..20 - left).unwrap_or_default())
        }
        Value::Double(number) => arena.text(number.to_string().as_bytes()),
        other => arena.text(other.to_json().as_bytes()),
    }
}

/// A value of the language as one that a record can hold; `None` where there is none.
pub fn to_owned(value: Seen<'_>) -> Option<Value> {
    Some(match value {
        Seen::Absent | Seen::List([]) => return None,
        Seen::Text(bytes) => Value::text(&*String::from_utf8_lossy(bytes)),
        Seen::Bytes(bytes) => Value::Bytes(bytes.to_vec().into()),
        Seen::Int(number) => Value::Int(number),
        Seen::Uint(number) => match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::text(number.to_string()),
        },
        Seen::Float(number) => Value::Double(number),
        Seen::Bool(flag) => Value::Bool(flag),
        Seen::Ip(address) => Value::text(address.to_string()),
        Seen::List(members) => Value::Array(members.iter().filter_map(|member| to_owned(*member)).collect()),
    })
}
