//! `body`: a minijinja template for what a sink of one's own wants.
//!
//! Promises
//! - Values are data: in JSON a value is written as JSON (a text with its quotes), in HTML and XML with entities. There is no
//!   `safe` filter. That a body is valid for hostile values is tried when the configuration is checked, and JSON is checked
//!   once more before it is sent.
//! - Bounded: so many steps ([`FUEL`]), so many bytes ([`MAX_BYTES`]), no files and no other templates. Nothing outlives a turn of
//!   a loop (no `namespace`, no macros), so no loop piles up text in memory.
//! - No clock and no chance, so that a repeated attempt sends the same bytes.
//! - What is not there is nothing (`null` in JSON), and counted.

use super::shape::Unwritable;
use crate::falco_event::{FalcoEvent, json_of};
use lanner_conditions::Seen;
use lanner_engine::{
    event::{Attributes, Key, LogRecord, Priority, Resource, Text, Value as Held},
    semantics::{event_names, keys},
};
use minijinja::{AutoEscape, Environment, State, UndefinedBehavior, Value, escape_formatter};
use serde_json::{Map, Value as Json};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Most steps of one rendering; an event with a hundred fields in a loop takes about a thousand.
const FUEL: u64 = 200_000;
/// Longest body of one event.
const MAX_BYTES: usize = 1 << 20;
/// Longest template.
pub const MAX_TEMPLATE: usize = 64 << 10;
const NAME: &str = "body";

/// A compiled template.
pub struct Template {
    environment: Environment<'static>,
    is_json: bool,
    undefined: Arc<AtomicU64>,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("line {line} of the template: {reason}; see the README for what a template may use")]
    Syntax { line: usize, reason: String },
    #[error("the template is longer than {MAX_TEMPLATE} bytes; write a shorter one")]
    TooLong,
    #[error(
        "what the template makes of a sample event is no JSON ({0}); write values without quotes around them, \
         `{{\"text\": {{{{ output }}}}}}`, or set `content_type`"
    )]
    NoJson(serde_json::Error),
}

impl Template {
    /// Compiles a template for bodies of this content type and tries it on a sample event.
    ///
    /// # Errors
    /// See [`Problem`].
    pub fn compile(text: &str, content_type: &str) -> Result<Self, Problem> {
        if text.len() > MAX_TEMPLATE {
            return Err(Problem::TooLong);
        }
        let escape = escape_of(content_type);
        let undefined = Arc::<AtomicU64>::default();
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| escape);
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.remove_filter("safe");
        environment.remove_global("namespace");
        environment.add_function("field", field);
        let count = Arc::clone(&undefined);
        environment.set_formatter(move |out, state, value| {
            if value.is_undefined() {
                count.fetch_add(1, Ordering::Relaxed);
            }
            escape_formatter(out, state, value)
        });
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| syntax(&error))?;
        let template = Self { environment, is_json: escape == AutoEscape::Json, undefined };
        let (resource, record) = sample();
        let made = template.fill(Seen { resource: &resource, record: &record }).map_err(|error| syntax(&error))?;
        if template.is_json {
            check_json(&made).map_err(Problem::NoJson)?;
        }
        template.undefined.store(0, Ordering::Relaxed);
        Ok(template)
    }

    /// How many values that are not there were written since the last call.
    pub fn take_undefined(&self) -> u64 {
        self.undefined.swap(0, Ordering::Relaxed)
    }

    /// The body of a record.
    ///
    /// # Errors
    /// It takes too many steps or bytes, a filter does not fit a value, or it is no JSON although it should be.
    pub fn render(&self, seen: Seen<'_>) -> Result<Vec<u8>, Unwritable> {
        let made = self.fill(seen).map_err(|error| Unwritable(format!("the template failed: {error}")))?;
        if self.is_json {
            check_json(&made).map_err(|error| Unwritable(format!("the template made no JSON: {error}")))?;
        }
        Ok(made)
    }

    fn fill(&self, seen: Seen<'_>) -> Result<Vec<u8>, minijinja::Error> {
        let mut out = Bounded(Vec::new());
        self.environment.get_template(NAME)?.render_captured_to(context(seen), &mut out)?;
        Ok(out.0)
    }
}

/// How values are written into this type of content.
fn escape_of(content_type: &str) -> AutoEscape {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        json if is_json(json) => AutoEscape::Json,
        html if html.ends_with("html") || html.ends_with("xml") => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

/// Whether bodies of this type are JSON, or lines of it.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("json") || essence.ends_with("+json") || essence.ends_with("jsonl")
}

fn check_json(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map(drop)
}

fn syntax(error: &minijinja::Error) -> Problem {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Problem::Syntax { line: error.line().unwrap_or(1), reason }
}

/// What a template sees of a record: the keys of Falco's JSON, and the record's own attributes.
fn context(seen: Seen<'_>) -> Value {
    let mut all = FalcoEvent::of(seen).to_json();
    let attributes = |attributes: &Attributes| -> Map<String, Json> {
        attributes.iter().map(|(key, value)| (key.as_str().to_owned(), json_of(value))).collect()
    };
    all.insert("attributes".into(), attributes(&seen.record.attrs).into());
    all.insert("resource".into(), attributes(&seen.resource.attrs).into());
    all.insert("event_name".into(), seen.record.event_name.as_str().into());
    all.insert("severity_number".into(), seen.record.severity_number.0.into());
    Value::from_serialize(&all)
}

/// `field("proc.name")`: an output field, else an attribute, else one of the resource.
fn field(state: &State<'_, '_>, name: &str) -> Value {
    let places = ["output_fields", "attributes", "resource"];
    let found = places.into_iter().filter_map(|place| state.lookup(place)?.get_item(&Value::from(name)).ok());
    found.into_iter().find(|value| !value.is_undefined()).unwrap_or(Value::UNDEFINED)
}

/// An event with everything that a template may expect, and in every text what a careless template trips over.
fn sample() -> (Resource, LogRecord) {
    const TEXT: &str = "a \"quoted\" \\ line\nand <b>another</b> {{ one }}";
    let attrs = [
        (keys::RULE.clone(), Held::text(TEXT)),
        (keys::PRIORITY.clone(), Held::text("warning")),
        (keys::SOURCE.clone(), Held::text("syscall")),
        (keys::TAGS.clone(), Held::Array(vec![Held::text(TEXT)])),
        (keys::UID.clone(), Held::text("00112233445566778899aabbccddeeff")),
        (Key::intern("falco.proc.name"), Held::text(TEXT)),
        (Key::intern("process.command_line"), Held::text(TEXT)),
        (Key::intern("process.pid"), Held::Int(4242)),
        (keys::FILE_PATH.clone(), Held::text(TEXT)),
    ];
    let names = [&keys::HOST_NAME, &keys::NAMESPACE_NAME, &keys::POD_NAME, &keys::CONTAINER_ID, &keys::CLUSTER_NAME];
    let resource = Resource {
        attrs: names.into_iter().map(|key| ((*key).clone(), Held::text(TEXT))).collect(),
        ..Resource::default()
    };
    let record = LogRecord {
        time_unix_nano: 1_000_000_000_000_000_001,
        severity_number: Priority::Warning.severity_number(),
        severity_text: Text::from_static(Priority::Warning.title()),
        event_name: Text::from_static(event_names::FALCO_ALERT),
        body: Held::text(TEXT),
        attrs: attrs.into_iter().collect(),
        ..LogRecord::default()
    };
    (resource, record)
}

/// Fails instead of growing over [`MAX_BYTES`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BYTES {
            return Err(io::Error::other("longer than 1 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
