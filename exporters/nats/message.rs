//! From the records of a request to messages.
//!
//! Promises: a message's id is made of the ids of its events alone, so a repetition has the same; a message with an event that has
//! no id has none, because a stream drops what has the id of another, and equal texts may be two events.

use super::{config::Encoding, subject::Subject};
use crate::{falco_event::FalcoEvent, file::otlp_json};
use bytes::Bytes;
use lanner_conditions::Seen;
use lanner_engine::{
    event::otlp::encode_logs,
    prelude::*,
    semantics::{keys, uid::Digest},
};
use lanner_nats::jetstream::{Outgoing, is_plain_id};
use std::{collections::HashMap, sync::Arc};

/// The kind of the digest that identifies several events.
const BATCH: &str = "nats.batch";
/// The kind of the digest of an id that cannot be one as it is.
const ODD_ID: &str = "nats.id";

/// The records of a request.
pub struct Records<'r> {
    request: &'r Request,
    logs: &'r Logs,
    seen: Vec<Place<'r>>,
}

struct Place<'r> {
    seen: Seen<'r>,
    scope: &'r Arc<Scope>,
    resource: &'r Arc<Resource>,
}

/// Records that share a message, by their number in the request.
#[derive(Debug, PartialEq, Eq)]
pub struct Share {
    pub subject: String,
    pub items: Vec<usize>,
}

impl<'r> Records<'r> {
    pub fn new(request: &'r Request, logs: &'r Logs) -> Self {
        let seen = logs.groups.iter().flat_map(|group| {
            group.records.iter().map(|record| Place {
                seen: Seen { resource: &group.resource, record },
                scope: &group.scope,
                resource: &group.resource,
            })
        });
        Self { request, logs, seen: seen.collect() }
    }

    /// Puts the records that are open into messages, in order.
    pub fn shares(&self, open: Vec<usize>, subject: &Subject, encoding: Encoding) -> Vec<Share> {
        let subject_of = |item: usize| match subject.constant() {
            Some(subject) => subject.to_owned(),
            None => self.seen.get(item).map(|place| subject.of(place.seen)).unwrap_or_default(),
        };
        if encoding == Encoding::FalcoJson {
            return open.into_iter().map(|item| Share { subject: subject_of(item), items: vec![item] }).collect();
        }
        let mut shares: Vec<Share> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for item in open {
            let subject = subject_of(item);
            match known.get(&subject).and_then(|at| shares.get_mut(*at)) {
                Some(share) => share.items.push(item),
                None => {
                    known.insert(subject.clone(), shares.len());
                    shares.push(Share { subject, items: vec![item] });
                }
            }
        }
        shares
    }

    /// Writes a message.
    ///
    /// # Errors
    /// The records cannot be written in this encoding; says why.
    pub fn message(&self, subject: &str, items: &[usize], encoding: Encoding) -> Result<Outgoing, String> {
        let payload = match encoding {
            Encoding::FalcoJson => self.falco_json(items)?,
            Encoding::OtlpProto => self.otlp(items),
            Encoding::OtlpJson => {
                let mut text = Vec::new();
                otlp_json::write_request(Signal::Logs, &self.otlp(items), &mut text)
                    .map_err(|error| error.to_string())?;
                text.into()
            }
        };
        Ok(Outgoing { subject: subject.to_owned(), payload, id: self.id(items), headers: Vec::new() })
    }

    fn places(&self, items: &[usize]) -> impl Iterator<Item = &Place<'r>> {
        items.iter().filter_map(|item| self.seen.get(*item))
    }

    fn falco_json(&self, items: &[usize]) -> Result<Bytes, String> {
        let place = self.places(items).next().ok_or("the request has fewer records than it says")?;
        Ok(FalcoEvent::of(place.seen).to_bytes().into())
    }

    /// The request as it is, when all of it goes together.
    fn otlp(&self, items: &[usize]) -> Bytes {
        if items.len() == self.logs.len() {
            return self.request.bytes().clone();
        }
        let mut logs = Logs::default();
        for place in self.places(items) {
            logs.push(Arc::clone(place.resource), Arc::clone(place.scope), place.seen.record.clone());
        }
        encode_logs(&logs)
    }

    fn id(&self, items: &[usize]) -> Option<String> {
        let uids: Option<Vec<&str>> =
            self.places(items).map(|place| place.seen.record.attrs.get_str(&keys::UID)).collect();
        match uids?.as_slice() {
            [] => None,
            [uid] if is_plain_id(uid) => Some((*uid).to_owned()),
            uids => {
                let mut digest = Digest::new(if uids.len() == 1 { ODD_ID } else { BATCH });
                uids.iter().for_each(|uid| digest.part(uid.as_bytes()));
                Some(digest.finish().to_string())
            }
        }
    }
}
