//! Without a preset: Falco's JSON of the event, or what a template makes of it.

use super::{
    config::Batch,
    shape::{Frame, Shape, Unwritable},
    template::Template,
};
use crate::falco_event::FalcoEvent;
use lanner_conditions::Seen;
use lanner_engine::{event::otlp::LogReader, semantics::keys};

/// Most records of a body that holds several.
const MAX_RECORDS: usize = 1000;
/// A body takes no further record above this.
const MAX_BYTES: usize = 1 << 20;

/// What is written of a record.
pub enum Content {
    /// Falco's JSON.
    Event {
        /// The text of the alert as it came, where it was kept.
        original: bool,
    },
    Template(Box<Template>),
}

/// A body of the user's own choice.
pub struct Plain {
    pub content: Content,
    pub batch: Batch,
    pub content_type: String,
}

impl Shape for Plain {
    fn frame(&self) -> Frame {
        let several = |open, between, close| Frame {
            content_type: self.content_type.clone(),
            open,
            between,
            close,
            max_records: MAX_RECORDS,
            max_bytes: MAX_BYTES,
        };
        match self.batch {
            Batch::Event => Frame::single(self.content_type.clone()),
            Batch::Array => several("[", ",", "]"),
            Batch::Ndjson => several("", "\n", "\n"),
        }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        match &self.content {
            Content::Event { original } => match records.lent().attrs.get_str(&keys::ORIGINAL).filter(|_| *original) {
                // It may have been cut by the receiver's cap, and is then no JSON any more.
                Some(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Ok(one_line(text.into())),
                _ => Ok(FalcoEvent::read(records.lent()).to_bytes()),
            },
            Content::Template(template) => {
                let (resource, record) = records.decode()?;
                let rendered = template.render(Seen { resource: &resource, record: &record })?;
                Ok(if self.batch == Batch::Ndjson { one_line(rendered) } else { rendered })
            }
        }
    }

    fn take_undefined(&self) -> u64 {
        match &self.content {
            Content::Template(template) => template.take_undefined(),
            Content::Event { .. } => 0,
        }
    }

    fn has_key(&self) -> bool {
        true
    }
}

/// JSON on one line. In valid JSON a line break stands between tokens only: those in texts are escaped.
fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    json.retain(|byte| !matches!(byte, b'\n' | b'\r'));
    json
}
