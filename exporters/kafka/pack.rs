//! From a request to messages: grouped by key, written, and cut to the size that the topic takes.
//!
//! Promises
//! - Every item of a request is in exactly one message, or in the list of those that no message can hold.
//! - The records of one key stay in their order; a request whose records all have one key goes out byte for byte.
//! - The same request makes the same messages with the same ids, so that a repetition can be recognised.

use super::{
    check::Target,
    config::LogsEncoding,
    message::{Id, Message},
};
use crate::{
    falco_event::{FalcoEvent, text_of},
    file::otlp_json::write_request,
};
use lanner_conditions::Seen;
use lanner_engine::{
    event::{self, LogGroup, OtlpRequest, otlp},
    prelude::*,
};
use std::{collections::HashMap, sync::Arc};

/// What a record's headers and the format itself may take beside key and value.
const OVERHEAD: usize = 256;
/// So many records are written before other tasks get a turn.
const RECORDS_PER_TURN: usize = 64;
/// A longer key is cut: values come from events.
const LONGEST_KEY: usize = 512;
/// Between the values of a key; no name of a host, container or pod holds it.
const SEPARATOR: char = '/';

/// What a request became.
#[derive(Debug, Default)]
pub struct Packed {
    pub messages: Vec<Message>,
    /// Items that no message can hold, and why.
    pub refused: Vec<(usize, String)>,
}

/// An item that is too long even alone.
#[derive(Debug, thiserror::Error)]
#[error(
    "a message of {0} bytes is over the limit; raise `producer.max_message_bytes` and the topic's `max.message.bytes`"
)]
struct TooLarge(usize);

impl Packed {
    /// Items whose message has `length` bytes and cannot be cut.
    fn refuse(&mut self, items: Vec<usize>, length: usize) {
        let reason = TooLarge(length).to_string();
        self.refused.extend(items.into_iter().map(|item| (item, reason.clone())));
    }
}

/// How requests of one signal are packed.
pub struct Packer<'p> {
    pub target: &'p Target,
    /// Attributes that make the key; only logs have one.
    pub key: &'p [Vec<Key>],
    pub max_message: usize,
}

impl Packer<'_> {
    /// The messages of a request, of all its items.
    ///
    /// # Errors
    /// The request cannot be read; nobody will ever take it.
    pub async fn pack(&self, request: &Request) -> Result<Packed, String> {
        if self.target.encoding == LogsEncoding::FalcoJson {
            return self.pack_events(request).await;
        }
        let mut packed = Packed::default();
        let whole = OtlpRequest { signal: request.signal(), bytes: request.bytes().clone(), items: request.items() };
        let mut groups = match request.signal() {
            Signal::Logs if !self.key.is_empty() => self.group(request).await?,
            _ => vec![(None, Group::default())],
        };
        if let [(key, _)] = &mut groups[..] {
            self.write(key.take(), whole, (0..request.items()).collect(), &mut packed);
            return Ok(packed);
        }
        for (key, Group { logs, items }) in groups {
            let part = OtlpRequest { signal: Signal::Logs, bytes: otlp::encode_logs(&logs), items: logs.len() };
            self.write(key, part, items, &mut packed);
            tokio::task::yield_now().await;
        }
        Ok(packed)
    }

    /// Cuts a message in two that the broker found too large; one that cannot be cut is refused.
    pub fn halve(&self, message: Message) -> Packed {
        let mut packed = Packed::default();
        match message.part {
            Some(part) if part.items > 1 => {
                self.cut(message.key, part, message.items, message.value.len(), &mut packed)
            }
            _ => packed.refuse(message.items, message.value.len()),
        }
        packed
    }

    /// One message for each record.
    async fn pack_events(&self, request: &Request) -> Result<Packed, String> {
        let mut packed = Packed::default();
        for (item, (_, seen)) in records(request)?.into_iter().enumerate() {
            let value = FalcoEvent::of(seen).to_bytes();
            let key = self.key_of(seen);
            if value.len() > self.room(key.as_deref()) {
                packed.refuse(vec![item], value.len());
                continue;
            }
            let id = Id::of_record(seen.record, &value);
            packed.messages.push(Message { key, value: value.into(), id, items: vec![item], part: None });
            if item % RECORDS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(packed)
    }

    /// The records by key, in the order in which the keys come.
    async fn group(&self, request: &Request) -> Result<Vec<(Option<Arc<str>>, Group)>, String> {
        let mut groups: Vec<(Option<Arc<str>>, Group)> = Vec::new();
        let mut places: HashMap<Option<Arc<str>>, usize> = HashMap::new();
        for (item, (group, seen)) in records(request)?.into_iter().enumerate() {
            let key = self.key_of(seen);
            let place = *places.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Group::default()));
                groups.len() - 1
            });
            if let Some((_, into)) = groups.get_mut(place) {
                into.logs.push(Arc::clone(&group.resource), Arc::clone(&group.scope), seen.record.clone());
                into.items.push(item);
            }
            if item % RECORDS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(groups)
    }

    /// Writes a part as one message, or cuts it.
    fn write(&self, key: Option<Arc<str>>, part: OtlpRequest, items: Vec<usize>, packed: &mut Packed) {
        let value = match self.target.encoding {
            LogsEncoding::OtlpJson => {
                let mut text = Vec::with_capacity(part.bytes.len() * 2);
                if let Err(error) = write_request(part.signal, &part.bytes, &mut text) {
                    packed.refused.extend(items.into_iter().map(|item| (item, error.to_string())));
                    return;
                }
                text.into()
            }
            LogsEncoding::OtlpProto | LogsEncoding::FalcoJson => part.bytes.clone(),
        };
        if value.len() > self.room(key.as_deref()) {
            return self.cut(key, part, items, value.len(), packed);
        }
        let id = Id::of_part(&part, &value);
        packed.messages.push(Message { key, value, id, items, part: Some(part) });
    }

    /// Writes the halves of a part whose message has `length` bytes.
    fn cut(&self, key: Option<Arc<str>>, part: OtlpRequest, mut items: Vec<usize>, length: usize, packed: &mut Packed) {
        let halves = otlp::split(&part, part.items.div_ceil(2), 0).unwrap_or_default();
        if halves.len() < 2 || halves.iter().map(|half| half.items).sum::<usize>() != items.len() {
            return packed.refuse(items, length);
        }
        for half in halves {
            let rest = items.split_off(half.items.min(items.len()));
            self.write(key.clone(), half, std::mem::replace(&mut items, rest), packed);
        }
    }

    /// The longest value beside a key.
    fn room(&self, key: Option<&str>) -> usize {
        self.max_message.saturating_sub(OVERHEAD + key.map_or(0, str::len))
    }

    fn key_of(&self, seen: Seen<'_>) -> Option<Arc<str>> {
        let value = |key: &Key| {
            let of_record = seen.record.attrs.get(key);
            of_record.or_else(|| seen.resource.attrs.get(key)).filter(|value| **value != Value::Empty)
        };
        self.key.iter().find_map(|names| {
            let values: Option<Vec<_>> = names.iter().map(value).collect();
            let mut key = String::new();
            for (place, value) in values?.into_iter().enumerate() {
                if place > 0 {
                    key.push(SEPARATOR);
                }
                key.push_str(&text_of(value));
            }
            Some(event::cut(&key, LONGEST_KEY).into())
        })
    }
}

/// The records of one key.
#[derive(Default)]
struct Group {
    logs: Logs,
    items: Vec<usize>,
}

/// The records of a request, each with the group that it stands in.
fn records(request: &Request) -> Result<Vec<(&LogGroup, Seen<'_>)>, String> {
    let logs = request.logs().map_err(|error| error.to_string())?;
    let mut all = Vec::with_capacity(request.items());
    for group in &logs.groups {
        let seen = group.records.iter().map(|record| (group, Seen { resource: &group.resource, record }));
        all.extend(seen);
    }
    Ok(all)
}
