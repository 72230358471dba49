//! Incidents in the storage.
//!
//! Format: an entry is an OTLP log record whose body is JSON and whose attributes are the entry's. `head/<incident>` is the
//! incident, `node/<incident>/<number>` a span to be, `event/<incident>/<number>` an event of a span, written once;
//! `former/<incident>` is a closed incident. Numbers are hexadecimal. So an alert costs a head of about 1 KiB, a node and an event,
//! however many the incident has.

use super::{
    book::Closed,
    incident::{Head, Incident},
    tree::{self, Kept, Node, Tree},
};
use bytes::Bytes;
use lanner_engine::{
    component::Change,
    event::{SpanEvent, otlp},
    prelude::*,
    stage::Now,
};
use std::{collections::BTreeMap, sync::Arc};

const HEAD: &str = "head/";
const NODE: &str = "node/";
const EVENT: &str = "event/";
const FORMER: &str = "former/";

/// Where an event belongs, and what it is.
#[derive(Serialize, Deserialize)]
struct EventBody {
    node: Option<usize>,
}

/// What the storage had.
#[derive(Default)]
pub struct Loaded {
    pub incidents: BTreeMap<u64, Incident>,
    pub closed: BTreeMap<u64, Closed>,
    /// Entries that are of no use, to be removed.
    pub useless: Vec<String>,
}

fn head_key(number: u64) -> String {
    format!("{HEAD}{number:016x}")
}

fn node_key(number: u64, node: usize) -> String {
    format!("{NODE}{number:016x}/{node:08x}")
}

fn event_key(number: u64, event: u32) -> String {
    format!("{EVENT}{number:016x}/{event:08x}")
}

/// The key of a closed incident.
pub fn former_key(number: u64) -> String {
    format!("{FORMER}{number:016x}")
}

/// A closed incident as an entry.
pub fn former(closed: &Closed) -> Bytes {
    // Texts and numbers always become JSON.
    serde_json::to_vec(closed).unwrap_or_default().into()
}

/// Adds what changed of an incident.
pub fn changes(number: u64, incident: &mut Incident, changes: &mut Vec<Change>) {
    if std::mem::take(&mut incident.dirty) {
        let value = entry(&incident.head, &incident.place, Some(&incident.resource), LogRecord::default());
        changes.push((head_key(number), Some(value)));
    }
    for (index, node) in incident.tree.nodes.iter_mut().enumerate() {
        if std::mem::take(&mut node.dirty) {
            let value = entry(&node.head, &node.attrs, None, LogRecord::default());
            changes.push((node_key(number, index), Some(value)));
        }
    }
    for (event, kept) in incident.tree.events.iter_mut().filter(|(_, kept)| !kept.stored) {
        kept.stored = true;
        let SpanEvent { time_unix_nano, name, attrs, .. } = &kept.event;
        let record = LogRecord { time_unix_nano: *time_unix_nano, event_name: name.clone(), ..LogRecord::default() };
        let value = entry(&EventBody { node: kept.node }, attrs, None, record);
        changes.push((event_key(number, *event), Some(value)));
    }
    changes.extend(incident.tree.gone.drain(..).map(|event| (event_key(number, event), None)));
}

/// Removes an incident.
pub fn remove(number: u64, incident: &Incident, changes: &mut Vec<Change>) {
    changes.push((head_key(number), None));
    changes.extend((0..incident.tree.nodes.len()).map(|node| (node_key(number, node), None)));
    let stored = incident.tree.events.iter().filter(|(_, kept)| kept.stored).map(|(event, _)| event);
    changes.extend(stored.chain(&incident.tree.gone).map(|event| (event_key(number, *event), None)));
}

fn entry(body: &impl Serialize, attrs: &Attributes, resource: Option<&Arc<Resource>>, record: LogRecord) -> Bytes {
    let body = Value::text(serde_json::to_string(body).unwrap_or_default());
    let record = LogRecord { body, attrs: attrs.clone(), ..record };
    otlp::encode_logs(&Logs::one(resource.cloned().unwrap_or_default(), Arc::default(), record))
}

fn read<B: serde::de::DeserializeOwned>(value: &Bytes) -> Option<(B, Arc<Resource>, LogRecord)> {
    let group = otlp::decode_logs(value).ok()?.groups.into_iter().next()?;
    let record = group.records.into_iter().next()?;
    Some((serde_json::from_str(record.body.as_str()?).ok()?, group.resource, record))
}

/// Reads everything.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(storage: &dyn Storage, now: Now) -> Result<Loaded, BoxError> {
    let mut loaded = Loaded::default();
    for (key, value) in storage.scan(HEAD).await? {
        let number = numbers(&key, HEAD).map(|(number, _)| number);
        match number.zip(read::<Head>(&value)) {
            Some((number, (head, resource, record))) => {
                loaded.incidents.insert(number, restored(head, resource, record.attrs, now));
            }
            None => loaded.useless.push(key),
        }
    }
    for (key, value) in storage.scan(NODE).await? {
        if restore_node(&mut loaded, &key, &value, now).is_none() {
            loaded.useless.push(key);
        }
    }
    loaded.incidents.values_mut().for_each(|incident| incident.tree.repair());
    for (key, value) in storage.scan(EVENT).await? {
        if restore_event(&mut loaded, &key, &value).is_none() {
            loaded.useless.push(key);
        }
    }
    for (key, value) in storage.scan(FORMER).await? {
        match numbers(&key, FORMER).zip(serde_json::from_slice(&value).ok()) {
            Some(((number, _), closed)) => drop(loaded.closed.insert(number, closed)),
            None => loaded.useless.push(key),
        }
    }
    Ok(loaded)
}

fn restore_node(loaded: &mut Loaded, key: &str, value: &Bytes, now: Now) -> Option<()> {
    let (number, index) = numbers(key, NODE)?;
    let nodes = &mut loaded.incidents.get_mut(&number)?.tree.nodes;
    let (head, _, record) = read::<tree::Head>(value)?;
    // Keys come in order; a gap would give later nodes wrong numbers.
    (nodes.len() as u64 == index).then(|| {
        nodes.push(Node { head, attrs: record.attrs, seen: now.monotonic, dirty: false });
    })
}

fn restore_event(loaded: &mut Loaded, key: &str, value: &Bytes) -> Option<()> {
    let (number, event) = numbers(key, EVENT)?;
    let tree = &mut loaded.incidents.get_mut(&number)?.tree;
    let (EventBody { node }, _, record) = read(value)?;
    if node.is_some_and(|node| node >= tree.nodes.len()) {
        return None;
    }
    let LogRecord { time_unix_nano, event_name, attrs, .. } = record;
    let event_of_span = SpanEvent { time_unix_nano, name: event_name, attrs, dropped_attributes_count: 0 };
    tree.events.insert(u32::try_from(event).ok()?, Kept { node, event: event_of_span, stored: true });
    Some(())
}

fn restored(head: Head, resource: Arc<Resource>, place: Attributes, now: Now) -> Incident {
    // How long ago it was, on this process's clock, which begins at 0: that much may lie before its beginning.
    let ago = |unix: u64| now.monotonic.saturating_sub(now.unix.saturating_sub(unix));
    Incident {
        began: ago(head.began),
        seen: ago(head.touched),
        reported: now.monotonic,
        head,
        place,
        resource,
        tree: Tree::default(),
        dirty: false,
        weight: 0,
    }
}

fn numbers(key: &str, prefix: &str) -> Option<(u64, u64)> {
    let rest = key.strip_prefix(prefix)?;
    let (first, second) = rest.split_once('/').unwrap_or((rest, "0"));
    Some((u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(second, 16).ok()?))
}
