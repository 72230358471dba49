//! Opsgenie: an alert for each event. Limits: message 130 characters, description 15000, alias and entity 512, source 100, 20
//! tags of 50, details 8000 in all.
//!
//! The alias is the rule and where it fired, so that Opsgenie counts repetitions of an open alert instead of calling again.

use crate::{
    falco_event::{FalcoEvent, shown},
    webhook::{
        chat::tame,
        shape::{Frame, Shape, TokenHeader, Unwritable, bytes_of},
        sign::hex,
    },
};
use http::header;
use lanner_engine::event::{Priority, otlp::LogReader};
use serde_json::{Map, Value as Json, json};

const MAX_ALIAS: usize = 512;
const MAX_DETAILS: usize = 7500;

pub struct Opsgenie;

impl Shape for Opsgenie {
    fn frame(&self) -> Frame {
        Frame::single("application/json".into())
    }

    fn token(&self) -> TokenHeader {
        TokenHeader { name: header::AUTHORIZATION, prefix: "GenieKey " }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let place = |name: &str| event.field(name).unwrap_or_default();
        let pod = place("k8s.pod.name");
        let entity = if pod.is_empty() { event.hostname } else { &pod };
        let cluster = place("k8s.cluster.name");
        let alias = [event.rule.as_ref(), &cluster, &place("k8s.ns.name"), entity].join("/");
        let message = match event.rule.as_ref() {
            "" => event.output.as_ref(),
            rule => rule,
        };
        // A message of nothing is refused.
        let message = if message.is_empty() { "(no text)" } else { message };
        bytes_of(&json!({
            "message": tame(message, 130),
            "alias": alias_of(&alias),
            "description": tame(&event.output, 15_000),
            "entity": tame(entity, 512),
            "source": tame(event.source, 100),
            "priority": priority(event.priority),
            "tags": event.tags.iter().take(20).map(|tag| tame(tag, 50)).collect::<Vec<_>>(),
            "details": details(&event),
        }))
    }
}

/// The alias itself, or its digest where it is too long or has characters that are not shown as they are.
fn alias_of(text: &str) -> String {
    let tamed = tame(text, MAX_ALIAS);
    if tamed == text {
        return tamed;
    }
    hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
}

fn details(event: &FalcoEvent<'_>) -> Map<String, Json> {
    let mut details = Map::new();
    let mut left = MAX_DETAILS;
    let own = [("time", event.time_text().unwrap_or_default()), ("hostname", event.hostname.to_owned())];
    let fields = event.fields.iter().map(|(name, value)| (name.as_ref(), shown(value).into_owned()));
    for (name, value) in own.into_iter().chain(fields) {
        let (name, value) = (tame(name, 100), tame(&value, 500));
        let needed = name.encode_utf16().count() + value.encode_utf16().count();
        if needed <= left && !value.is_empty() {
            left -= needed;
            details.insert(name, value.into());
        }
    }
    details
}

/// P1 is the most urgent.
fn priority(priority: Option<Priority>) -> &'static str {
    match priority {
        Some(Priority::Emergency | Priority::Alert) => "P1",
        Some(Priority::Critical) => "P2",
        Some(Priority::Error) => "P3",
        Some(Priority::Warning) => "P4",
        _ => "P5",
    }
}
