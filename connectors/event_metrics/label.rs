//! Labels: where a metric attribute takes its value from.
//!
//! Promises: a value is text of at most [`MAX_VALUE`] bytes, cut at a character boundary; reading one allocates
//! nothing. All values of a series stand one after the other in a byte string, which is the key of its table: per
//! label one byte for presence, two for the length, then the text. So two different lists of values never give
//! the same key, whatever bytes a hostile event puts into them.

use lanner_engine::prelude::*;
use std::sync::LazyLock;

static PRIORITY: LazyLock<Key> = LazyLock::new(|| Key::intern("falco.priority"));

/// A label value is cut at this many bytes.
pub const MAX_VALUE: usize = 128;
/// The tags of an alert together are cut at this many bytes.
const MAX_TAGS: usize = 1024;

/// An attribute of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Attribute name on the data point.
    pub name: String,
    pub source: Source,
    /// The value when the event has none; without it the attribute is left out.
    pub absent: Option<&'static str>,
}

/// Where the value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The first of these attributes that is present, on the record or else on its resource.
    Attributes(Vec<Key>),
    /// The number of the alert's priority on a compatibility scale.
    Priority(Scale),
    /// `2xx` of the status code in this attribute.
    StatusClass(Key),
    /// A list of texts as `,a,b,`.
    Tags(Key),
    /// A list of texts as one attribute `tag_<text>` = `true` each.
    TagFlags(Key),
    /// Always this.
    Fixed(&'static str),
}

/// How a priority is numbered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// 1 Debug to 8 Emergency.
    Falcosidekick,
    /// 0 Emergency to 7 Debug.
    Falco,
}

impl Label {
    /// The attribute `name` under its own name.
    pub fn attribute(name: &str) -> Self {
        Self { name: name.to_owned(), source: Source::Attributes(vec![Key::intern(name)]), absent: None }
    }

    /// An attribute under another name.
    pub fn renamed(name: &str, attribute: &str) -> Self {
        Self { name: name.to_owned(), ..Self::attribute(attribute) }
    }

    /// With a value for events that have none.
    pub fn or(self, absent: &'static str) -> Self {
        Self { absent: Some(absent), ..self }
    }

    /// The attributes that the value is made of.
    pub fn reads(&self) -> Vec<Key> {
        match &self.source {
            Source::Attributes(names) => names.clone(),
            Source::StatusClass(name) | Source::Tags(name) | Source::TagFlags(name) => vec![name.clone()],
            Source::Priority(_) => vec![PRIORITY.clone()],
            Source::Fixed(_) => Vec::new(),
        }
    }

    /// Appends this label's value to the key of a series.
    pub fn append(&self, key: &mut Vec<u8>, record: &LogRecord, resource: &Resource) {
        let find = |name: &Key| record.attrs.get(name).or_else(|| resource.attrs.get(name));
        let start = key.len();
        key.extend_from_slice(&[1, 0, 0]);
        let present = match &self.source {
            Source::Attributes(names) => match names.iter().find_map(find) {
                Some(value) => put_value(key, value),
                None => false,
            },
            Source::Priority(scale) => put_priority(key, record, *scale),
            Source::StatusClass(name) => put_class(key, find(name)),
            Source::Tags(name) | Source::TagFlags(name) => put_tags(key, find(name)),
            Source::Fixed(text) => put(key, text, MAX_VALUE),
        };
        if !present {
            key.truncate(start + 3);
            match self.absent {
                Some(text) => {
                    put(key, text, MAX_VALUE);
                }
                None => key[start] = 0,
            }
        }
        // At most MAX_TAGS, which fits 16 bits.
        let len = (key.len() - start - 3) as u16;
        key[start + 1..start + 3].copy_from_slice(&len.to_be_bytes());
    }
}

/// Reads a key back: one value per label, `None` where the attribute is left out.
pub fn values(mut key: &[u8]) -> impl Iterator<Item = Option<&str>> {
    std::iter::from_fn(move || {
        let (&[present, high, low], rest) = key.split_first_chunk::<3>()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        key = rest;
        Some((present == 1).then(|| std::str::from_utf8(text).unwrap_or_default()))
    })
}

/// Appends `text`, cut so that at most `room` bytes are added. An empty text is no value.
fn put(key: &mut Vec<u8>, text: &str, room: usize) -> bool {
    let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    key.extend_from_slice(text.as_bytes());
    !text.is_empty()
}

fn put_value(key: &mut Vec<u8>, value: &Value) -> bool {
    use std::io::Write as _;
    // Writing into a vector cannot fail; the results say nothing.
    match value {
        Value::Text(text) => put(key, text, MAX_VALUE),
        Value::Bool(flag) => put(key, if *flag { "true" } else { "false" }, MAX_VALUE),
        Value::Int(number) => write!(key, "{number}").is_ok(),
        Value::Double(number) => {
            let start = key.len();
            let written = write!(key, "{number}").is_ok();
            key.truncate(start + MAX_VALUE); // 1e300 has 301 digits, all of them ASCII
            written
        }
        Value::Array(items) => {
            let start = key.len();
            for text in items.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()) {
                let used = key.len() - start;
                if used + 1 >= MAX_VALUE {
                    break;
                }
                if used > 0 {
                    key.push(b',');
                }
                put(key, text, MAX_VALUE - (key.len() - start));
            }
            key.len() > start
        }
        Value::Empty | Value::Bytes(_) | Value::Map(_) => false,
    }
}

fn put_priority(key: &mut Vec<u8>, record: &LogRecord, scale: Scale) -> bool {
    let word = record.attrs.get_str(&PRIORITY).unwrap_or(&record.severity_text);
    let Some(priority) = Priority::parse(word) else { return false };
    key.push(match scale {
        Scale::Falcosidekick => b'0' + priority.falcosidekick_number(),
        Scale::Falco => b'0' + priority.falco_number(),
    });
    true
}

fn put_class(key: &mut Vec<u8>, code: Option<&Value>) -> bool {
    let Some(code) = code.and_then(Value::as_int) else { return false };
    if !(100..600).contains(&code) {
        return put(key, "other", MAX_VALUE);
    }
    // 1 to 5, as just checked.
    key.extend_from_slice(&[b'0' + (code / 100) as u8, b'x', b'x']);
    true
}

fn put_tags(key: &mut Vec<u8>, tags: Option<&Value>) -> bool {
    let Some(Value::Array(tags)) = tags else { return false };
    let start = key.len();
    for tag in tags.iter().filter_map(Value::as_str).filter(|tag| !tag.is_empty()) {
        if key.len() - start + tag.len() + 2 > MAX_TAGS {
            break;
        }
        if key.len() == start {
            key.push(b',');
        }
        key.extend_from_slice(tag.as_bytes());
        key.push(b',');
    }
    key.len() > start
}
