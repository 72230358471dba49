//! One incident: what is known of it, and the spans and log records that tell it.

mod telling;

use super::{
    entity::By,
    ids,
    process::{bounded, weight},
    tree::{Interval, Node, Trace, Tree},
};
use lanner_engine::{
    event::{SpanEvent, cut},
    prelude::*,
    semantics::keys,
    stage::Now,
};
use std::sync::Arc;

/// Most names of rules and tactics that an incident lists.
const NAMES: usize = 20;
/// Longest of them, in bytes.
const NAME: usize = 256;
/// Most attributes of the place that an incident keeps.
const PLACE: usize = 64;

/// Why an incident ended. Constants, because they become label values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing happened for `quiet`.
    Quiet,
    /// It lasted for `max_duration`.
    MaxDuration,
    /// There were `max_incidents`, and another began.
    Limit,
    /// The process stopped, and there is no storage.
    Shutdown,
}

impl End {
    pub const ALL: [Self; 4] = [Self::Quiet, Self::MaxDuration, Self::Limit, Self::Shutdown];

    /// The constant word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::MaxDuration => "max_duration",
            Self::Limit => "limit",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A closed incident, as the next one of the same place refers to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Former {
    pub id: String,
    pub trace_id: [u8; 16],
    pub root: [u8; 8],
}

/// What the storage keeps of an incident beside attributes, nodes and events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub id: String,
    pub trace_id: [u8; 16],
    pub root: [u8; 8],
    /// False while there was only a way in, and no alert yet.
    pub open: bool,
    /// Of alerts, by their own time.
    pub time: Interval,
    /// Of spans; contains `time`.
    pub span: Interval,
    /// Nanoseconds since 1970, when it began and was last seen; for restarts.
    pub began: u64,
    pub touched: u64,
    pub priority: Option<Priority8>,
    pub rules: Vec<String>,
    pub tactics: Vec<String>,
    pub alerts: u64,
    pub correlation: Vec<String>,
    /// Names of its place, by which others find it.
    pub names: Vec<String>,
    pub previous: Option<Former>,
    /// Log records made of it so far.
    pub reports: u32,
    /// Whether something is new since the last of them.
    pub changed: bool,
    /// The number of the next span event.
    pub next_event: u32,
    pub dropped_events: u32,
    pub dropped_processes: u64,
}

/// A priority, by its urgency: 0 Debug to 7 Emergency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Priority8(pub u8);

impl Priority8 {
    /// From the enumeration.
    pub fn of(priority: Priority) -> Self {
        Self(priority.falcosidekick_number() - 1)
    }

    /// As the enumeration.
    pub fn priority(self) -> Priority {
        Priority::ALL.get(usize::from(self.0)).copied().unwrap_or(Priority::Emergency)
    }
}

/// An incident.
#[derive(Clone, Debug)]
pub struct Incident {
    pub head: Head,
    /// Attributes of the place: k8s.*, container.*, host.*.
    pub place: Attributes,
    pub resource: Arc<Resource>,
    pub tree: Tree,
    /// Monotonic: when it began, was last seen, and was last reported.
    pub began: u64,
    pub seen: u64,
    pub reported: u64,
    pub dirty: bool,
    /// About how many bytes it takes.
    pub weight: usize,
}

impl Incident {
    /// An incident of which nothing has happened yet.
    pub fn new(resource: &Resource, record: &LogRecord, time: u64, now: Now) -> Self {
        let head = Head {
            id: ids::ulid(now.unix),
            trace_id: ids::trace_id(),
            root: ids::span_id(),
            open: false,
            time: Interval { start: time, end: time },
            span: Interval { start: time, end: time },
            began: now.unix,
            touched: now.unix,
            priority: None,
            rules: Vec::new(),
            tactics: Vec::new(),
            alerts: 0,
            correlation: Vec::new(),
            names: Vec::new(),
            previous: None,
            reports: 0,
            changed: false,
            next_event: 0,
            dropped_events: 0,
            dropped_processes: 0,
        };
        let mut incident = Self {
            head,
            place: Attributes::default(),
            resource: Arc::default(),
            tree: Tree::default(),
            began: now.monotonic,
            seen: now.monotonic,
            reported: now.monotonic,
            dirty: true,
            weight: 0,
        };
        incident.place_at(resource, record);
        incident
    }

    /// Where it is: of the first alert, else of the way in.
    pub fn place_at(&mut self, resource: &Resource, record: &LogRecord) {
        let of_place = |key: &Key| {
            let name = key.as_str();
            ["k8s.", "container.", "host."].iter().any(|start| name.starts_with(start))
                && !name.starts_with("k8s.audit.")
        };
        let copy = |attributes: &Attributes, wanted: &dyn Fn(&Key) -> bool| -> Attributes {
            attributes
                .iter()
                .filter(|(key, _)| wanted(key))
                .take(PLACE)
                .map(|(key, value)| (key.clone(), bounded(value)))
                .collect()
        };
        let mut place = copy(&record.attrs, &of_place);
        for (key, value) in copy(&resource.attrs, &of_place) {
            if !place.contains(&key) && place.len() < PLACE {
                place.push(key, value);
            }
        }
        self.place = place;
        let attrs = copy(&resource.attrs, &|key| of_place(key) || key.as_str().starts_with("service."));
        self.resource =
            Arc::new(Resource { attrs, dropped_attributes_count: 0, schema_url: resource.schema_url.clone() });
        self.dirty = true;
    }

    /// What its spans have in common.
    pub fn trace(&self, join_window: u64) -> Trace {
        Trace { trace_id: self.head.trace_id, root: self.head.root, join_window }
    }

    /// Notes an alert: what the incident as a whole knows of it.
    pub fn note(&mut self, record: &LogRecord, priority: Option<Priority>, by: By) {
        let head = &mut self.head;
        head.alerts += 1;
        head.priority = head.priority.max(priority.map(Priority8::of));
        if let Some(rule) = record.attrs.get_str(&keys::RULE) {
            list(&mut head.rules, rule);
        }
        match record.attrs.get(&keys::THREAT_TACTIC_NAME) {
            Some(Value::Text(tactic)) => list(&mut head.tactics, tactic),
            Some(Value::Array(tactics)) => {
                tactics.iter().filter_map(Value::as_str).for_each(|tactic| list(&mut head.tactics, tactic));
            }
            _ => {}
        }
        list(&mut head.correlation, by.as_str());
        head.changed = true;
        self.dirty = true;
    }

    /// Adds an event to a node, or to the root; without one, counts that there is no room for it. About how many bytes it
    /// takes.
    pub fn add_event(&mut self, node: Option<usize>, event: Option<SpanEvent>) -> usize {
        let Some(event) = event else {
            match node {
                Some(node) => self.tree.drop_event(node),
                None => self.head.dropped_events = self.head.dropped_events.saturating_add(1),
            }
            return 0;
        };
        let number = self.head.next_event;
        self.head.next_event = number.saturating_add(1);
        let weight = self.tree.event(number, node, event);
        self.weight += weight;
        weight
    }

    /// Weighs the node that was added last.
    pub fn weigh_last_node(&mut self) -> usize {
        let weight = self.tree.nodes.last().map_or(0, Node::weight);
        self.weight += weight;
        weight
    }

    /// Whether it is found by more than the host.
    pub fn is_of_pod(&self) -> bool {
        self.head.names.iter().any(|name| !name.starts_with("host\0"))
    }

    /// Whether the highest priority is Warning or above.
    pub fn is_error(&self) -> bool {
        self.head.priority.is_some_and(|priority| priority.priority() >= Priority::Warning)
    }

    /// The word of the highest priority.
    pub fn priority_word(&self) -> &'static str {
        self.head.priority.map_or("unknown", |priority| priority.priority().lower())
    }

    /// Counts anew how many bytes it takes.
    pub fn weigh(&mut self) -> usize {
        self.weight = size_of::<Self>() + weight(&self.place) + weight(&self.resource.attrs) + self.tree.weight();
        self.weight
    }
}

/// Adds a name to a list, once, as long as there is room.
fn list(names: &mut Vec<String>, name: &str) {
    let name = cut(name, NAME);
    if names.len() < NAMES && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}
