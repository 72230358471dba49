//! The log as lines: text with `key=value` fields, or JSON.
//!
//! Promises: one event is one line and one write; control characters of any value are escaped, so a hostile value
//! can neither forge a line nor reach a terminal; a destination that cannot be written costs the line, not the process.

use super::config::{LogEncoding, OutputPath};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::{
    fmt::{self, Write as _},
    fs::{File, OpenOptions},
    io::{self, Write as _},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// A layer that writes lines.
pub struct Lines {
    encoding: LogEncoding,
    initial: Fields,
    outputs: Mutex<Vec<Output>>,
}

enum Output {
    Stderr,
    Stdout,
    File(File),
}

/// Names and values in order.
#[derive(Clone, Default)]
struct Fields(Vec<(String, Value)>);

impl Lines {
    /// Opens the files.
    ///
    /// # Errors
    /// One cannot be opened for appending.
    pub fn open(
        encoding: LogEncoding,
        paths: &[OutputPath],
        initial: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, io::Error> {
        let open = |path: &OutputPath| match path {
            OutputPath::Stderr => Ok(Output::Stderr),
            OutputPath::Stdout => Ok(Output::Stdout),
            OutputPath::File(path) => {
                OpenOptions::new().create(true).append(true).open(path).map(Output::File).map_err(|error| {
                    io::Error::new(error.kind(), format!("cannot open log {}: {error}", path.display()))
                })
            }
        };
        let outputs: Result<Vec<Output>, io::Error> = paths.iter().map(open).collect();
        let initial = Fields(initial.into_iter().map(|(name, value)| (name, Value::String(value))).collect());
        Ok(Self { encoding, initial, outputs: Mutex::new(outputs?) })
    }

    fn line(&self, event: &Event<'_>, spans: Vec<Fields>) -> String {
        let mut own = Fields::default();
        event.record(&mut own);
        let message = own.0.iter().position(|(name, _)| name == "message").map(|at| own.0.remove(at).1);
        let message = match message {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let fields = self.initial.0.iter().chain(spans.iter().flat_map(|span| &span.0)).chain(&own.0);
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_ascii_lowercase();
        let time = jiff::Timestamp::now();
        match self.encoding {
            LogEncoding::Json => json(&time.to_string(), &level, metadata.target(), message, fields),
            LogEncoding::Console => text(&format!("{time:.3}"), &level, metadata.target(), &message, fields),
        }
    }
}

fn json<'a>(
    time: &str,
    level: &str,
    target: &str,
    message: String,
    fields: impl Iterator<Item = &'a (String, Value)>,
) -> String {
    let mut line = Map::new();
    line.insert("ts".into(), time.into());
    line.insert("level".into(), level.into());
    line.insert("logger".into(), target.into());
    line.insert("msg".into(), message.into());
    for (name, value) in fields {
        // What every line has cannot be overwritten by a field.
        let name = if FIXED.contains(&name.as_str()) { format!("field.{name}") } else { name.clone() };
        line.insert(name, value.clone());
    }
    // A map of strings and numbers always has a JSON form.
    let mut line = Value::Object(line).to_string();
    line.push('\n');
    line
}

const FIXED: [&str; 4] = ["ts", "level", "logger", "msg"];

fn text<'a>(
    time: &str,
    level: &str,
    target: &str,
    message: &str,
    fields: impl Iterator<Item = &'a (String, Value)>,
) -> String {
    let mut line = format!("{time} {level:<5} {target}: ");
    escape(&mut line, message, false);
    for (name, value) in fields {
        // Writing into a string cannot fail.
        let _ = write!(line, " {name}=");
        match value {
            Value::String(text) => {
                let quote = text.is_empty() || text.contains([' ', '"', '=']);
                if quote {
                    line.push('"');
                }
                escape(&mut line, text, quote);
                if quote {
                    line.push('"');
                }
            }
            other => {
                let _ = write!(line, "{other}");
            }
        }
    }
    line.push('\n');
    line
}

/// Control characters, also those beyond ASCII and those that reorder text, become `\u{..}`.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' if quotes => out.push_str("\\\""),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
                out.extend(letter.escape_unicode());
            }
            _ if letter.is_control() => out.extend(letter.escape_unicode()),
            _ => out.push(letter),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let scope = cx.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = scope.filter_map(|span| span.extensions().get::<Fields>().cloned()).collect();
        let line = self.line(event, spans);
        for output in self.outputs.lock().iter_mut() {
            // There is nowhere left to report that the log cannot be written.
            let _ = match output {
                Output::Stderr => io::stderr().lock().write_all(line.as_bytes()),
                Output::Stdout => io::stdout().lock().write_all(line.as_bytes()),
                Output::File(file) => file.write_all(line.as_bytes()),
            };
        }
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name().to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                let _ = write!(text, ": {cause_text}");
            }
            source = cause.source();
        }
        self.put(field, text.into());
    }
}
