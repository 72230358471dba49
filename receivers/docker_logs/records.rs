//! Log records out of lines.
//!
//! A line of stdout that is a Falco alert becomes the record that the same alert would become over HTTP, with the
//! same id; only the observed time differs: it is the time at which the daemon read the line. The container in an
//! alert is the one the alert is about, so nothing of the container Falco runs in is added. Any other line
//! becomes, when it is kept, a plain record whose resource is the container it came from.

use super::select::Candidate;
use crate::{
    container::{Line, Stream},
    formats::NonJson,
};
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, Mapped, MappingOptions, SCHEMA_URL, keys, scope, uid},
};
use std::{borrow::Cow, sync::Arc};

/// The kind of a plain line's digest.
const CONTAINER_LINE: &str = "container.line";

/// How lines become records.
pub struct Mapping {
    non_json: NonJson,
    container_labels: Vec<(String, Key)>,
    falco: FalcoMapper,
    alert_scope: Arc<Scope>,
    line_scope: Arc<Scope>,
    keys: Keys,
}

struct Keys {
    id: Key,
    name: Key,
    image: Key,
    tags: Key,
    stream: Key,
    incomplete: Key,
    cut: Key,
}

/// What plain lines of one container have in common.
pub struct Source {
    id: String,
    resource: Arc<Resource>,
}

impl Mapping {
    /// A mapping; the labels are added to the resource of plain lines.
    pub fn new(options: &MappingOptions, non_json: NonJson, container_labels: Vec<(String, Key)>) -> Self {
        Self {
            non_json,
            container_labels,
            falco: FalcoMapper::new(options),
            alert_scope: scope("lanner.receiver.falco"),
            line_scope: scope("lanner.receiver.docker"),
            keys: Keys {
                id: Key::intern("container.id"),
                name: Key::intern("container.name"),
                image: Key::intern("container.image.name"),
                tags: Key::intern("container.image.tags"),
                stream: Key::intern("log.iostream"),
                incomplete: Key::intern("lanner.line.incomplete"),
                cut: Key::intern("lanner.line.cut"),
            },
        }
    }

    /// The common part of a container's plain lines.
    pub fn source(&self, container: &Candidate) -> Source {
        let mut attrs = Attributes::default();
        let (image, tag) = image_and_tag(&container.image);
        attrs.set(self.keys.id.clone(), container.id.as_str());
        attrs.set(self.keys.name.clone(), container.name.as_str());
        attrs.set(self.keys.image.clone(), image);
        if let Some(tag) = tag {
            attrs.set(self.keys.tags.clone(), Value::Array(vec![tag.into()]));
        }
        for (label, key) in &self.container_labels {
            if let Some(value) = container.labels.get(label) {
                attrs.set(key.clone(), value.as_str());
            }
        }
        let resource = Arc::new(Resource { attrs, schema_url: Text::from_static(SCHEMA_URL), ..Resource::default() });
        Source { id: container.id.clone(), resource }
    }

    /// Adds the record of a line. Returns `false` when the line is no alert and such lines are left out.
    pub fn map(&self, source: &Source, line: &Line, ordinal: u64, logs: &mut Logs) -> bool {
        let text: Arc<str> = match String::from_utf8_lossy(&line.content) {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        };
        // Falco never writes alerts to stderr, but a program that it watches may choose what is on its command line.
        if line.stream == Stream::Stdout
            && let Some(Mapped { resource, record, .. }) = self.falco.map_line(&text, line.time)
        {
            logs.push(resource, Arc::clone(&self.alert_scope), record);
            return true;
        }
        if self.non_json == NonJson::Skip {
            return false;
        }
        let mut attrs = Attributes::with_capacity(4);
        attrs.set(self.keys.stream.clone(), line.stream.as_str());
        attrs.set(keys::UID.clone(), line_uid(&source.id, line, ordinal));
        if line.incomplete {
            attrs.set(self.keys.incomplete.clone(), true);
        }
        if line.cut {
            attrs.set(self.keys.cut.clone(), true);
        }
        let record = LogRecord {
            time_unix_nano: line.time,
            observed_time_unix_nano: line.time,
            body: Value::Text(text.into()),
            attrs,
            ..LogRecord::default()
        };
        logs.push(Arc::clone(&source.resource), Arc::clone(&self.line_scope), record);
        true
    }
}

/// Divides `registry:5000/falco:0.40@sha256:...` into name and tag.
fn image_and_tag(image: &str) -> (&str, Option<&str>) {
    let image = image.split_once('@').map_or(image, |(image, _digest)| image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

/// The id of a plain line: the same whenever the line is read again.
fn line_uid(container: &str, line: &Line, ordinal: u64) -> Text {
    let mut digest = uid::Digest::new(CONTAINER_LINE);
    digest.part(container.as_bytes());
    digest.part(line.stream.as_str().as_bytes());
    digest.part(line.time.to_string().as_bytes());
    digest.part(&line.content);
    digest.part(ordinal.to_string().as_bytes());
    digest.finish()
}
