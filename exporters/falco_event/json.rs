//! The event as JSON, as falcosidekick forwards it.
//!
//! Promises: keys in the order of falcosidekick, each once, output fields included; what a value holds stays a value. Written
//! to bytes it makes no tree, since a sink may take one event a request; [`FalcoEvent::to_json`] makes one for whoever goes on
//! working on it.

use super::FalcoEvent;
use lanner_engine::event::{Value, ValueRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;

/// Room for most events.
const USUAL: usize = 2 << 10;

/// What a key of the event has.
enum Member<'e> {
    Text(&'e str),
    Nothing,
    Tags,
    Fields,
}

impl FalcoEvent<'_> {
    /// Gives every key with what it has, in order.
    fn each(&self, mut member: impl FnMut(&'static str, Member<'_>)) {
        if !self.uid.is_empty() {
            member("uuid", Member::Text(&uuid(self.uid)));
        }
        member("output", Member::Text(&self.output));
        member("priority", Member::Text(self.priority_text()));
        member("rule", Member::Text(&self.rule));
        match self.time_text() {
            Some(time) => member("time", Member::Text(&time)),
            None => member("time", Member::Nothing),
        }
        member("source", Member::Text(self.source));
        member("output_fields", Member::Fields);
        if !self.tags.is_empty() {
            member("tags", Member::Tags);
        }
        if !self.hostname.is_empty() {
            member("hostname", Member::Text(self.hostname));
        }
    }

    /// The event as a tree.
    pub fn to_json(&self) -> Map<String, Json> {
        let mut event = Map::new();
        self.each(|name, member| {
            let fields = || self.fields.iter().map(|(name, value)| (name.to_string(), json_of(&value.to_value())));
            let json = match member {
                Member::Text(text) => text.into(),
                Member::Nothing => Json::Null,
                Member::Tags => self.tags.iter().copied().collect(),
                Member::Fields => Json::Object(fields().collect()),
            };
            event.insert(name.to_owned(), json);
        });
        event
    }

    /// The same as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL);
        let mut open = b'{';
        self.each(|name, member| {
            out.push(std::mem::replace(&mut open, b','));
            key(&mut out, name);
            match member {
                Member::Text(written) => text(&mut out, written),
                Member::Nothing => out.extend_from_slice(b"null"),
                Member::Tags => list(&mut out, *b"[]", &self.tags, |out, tag| text(out, tag)),
                Member::Fields => list(&mut out, *b"{}", &self.fields, |out, (name, value)| {
                    key(out, name);
                    match value {
                        ValueRef::Text(written) => text(out, written),
                        ValueRef::Int(number) => put(out, number),
                        // A map from another agent may have a key twice; the tree has it once.
                        other => put(out, &json_of(&other.to_value())),
                    }
                }),
            }
        });
        out.push(b'}');
        out
    }
}

fn list<T>(out: &mut Vec<u8>, [open, close]: [u8; 2], items: &[T], item: impl Fn(&mut Vec<u8>, &T)) {
    out.push(open);
    for (place, each) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        item(out, each);
    }
    out.push(close);
}

fn key(out: &mut Vec<u8>, name: &str) {
    text(out, name);
    out.push(b':');
}

fn text(out: &mut Vec<u8>, text: &str) {
    if needs_escape(text.as_bytes()) {
        return put(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether JSON writes some of these bytes in another way. Most texts are short and have none, so no byte ends the look at the
/// others of its chunk: the CPU looks at all of these at once.
fn needs_escape(text: &[u8]) -> bool {
    fn escapes(chunk: &[u8]) -> bool {
        chunk.iter().fold(false, |any, byte| any | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
    }
    // The last chunk overlaps the one in front of it.
    if let Some(last) = text.last_chunk::<16>() {
        let (chunks, _) = text.as_chunks::<16>();
        return escapes(last) || chunks.iter().any(|chunk| escapes(chunk));
    }
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => escapes(first) || escapes(last),
        _ => escapes(text),
    }
}

fn put(out: &mut Vec<u8>, json: &(impl Serialize + ?Sized)) {
    // Keys are text, and writing to memory cannot fail.
    let _ = serde_json::to_writer(out, json);
}

/// A value as JSON. OTLP nests at most 64 deep, so it always fits.
pub fn json_of(value: &Value) -> Json {
    Json::deserialize(value).unwrap_or_default()
}

/// 32 hexadecimal digits in the form of a UUID; other ids as they are.
fn uuid(uid: &str) -> Cow<'_, str> {
    if uid.len() != 32 || !uid.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return uid.into();
    }
    let mut uuid = String::with_capacity(36);
    for (group, dash) in [(0..8, "-"), (8..12, "-"), (12..16, "-"), (16..20, "-"), (20..32, "")] {
        uuid.push_str(uid.get(group).unwrap_or_default());
        uuid.push_str(dash);
    }
    uuid.make_ascii_lowercase();
    uuid.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every byte at every place of texts of all lengths up to two chunks and a bit, among others and next to one that
    /// is escaped.
    /// Guarantee: a text is written as JSON writes it.
    #[test]
    fn texts_are_written_as_json() {
        for (length, around) in (0..34).flat_map(|length| ['a', '\u{1f}', ' ', 'ä'].map(|around| (length, around))) {
            for (place, tried) in (0..=length).flat_map(|place| ('\0'..'\u{180}').map(move |tried| (place, tried))) {
                let mut sample: String = std::iter::repeat_n(around, length).collect();
                let place = sample.char_indices().nth(place).map_or(sample.len(), |(at, _)| at);
                sample.insert(place, tried);
                let mut out = Vec::new();
                text(&mut out, &sample);
                assert_eq!(out, serde_json::to_vec(&sample).unwrap(), "{sample:?}");
            }
        }
    }
}
