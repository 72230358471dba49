//! The spans below the root of an incident: its processes, and the ways somebody came in.
//!
//! Promises
//! - A span's parent is in the same trace, there is no circle, and the parent's time contains the span's.
//! - A span that was sent never changes: a process that goes on after that continues in a new span, which has a link to the
//!   one before; so does everything above it.
//! - Every id that was given to a log record is that of a span that is or will be sent.
//!
//! A process hangs below the process with its parent's pid, else below the latest entrance before its start, else below
//! the root. That is decided when it is sent and not earlier, because an audit event may come half a minute after the
//! alerts it caused. Children are sent before their parents, so that a parent can be as long as they are.

mod sending;

use super::{
    ids,
    process::{Process, weight},
};
use lanner_engine::{event::SpanEvent, prelude::*};
use std::collections::BTreeMap;

/// How far the clocks of API server and nodes may be apart for one to be the cause of the other, in nanoseconds.
const SKEW: u64 = 2_000_000_000;

/// How many levels above a process are kept from being sent as long as it is active; sent ones continue in a new span.
const TOUCHED: usize = 32;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Process,
    Entrance,
}

/// What a span hangs below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Parent {
    Undecided,
    Root,
    Node(usize),
}

impl Parent {
    fn node(self) -> Option<usize> {
        match self {
            Self::Node(index) => Some(index),
            Self::Undecided | Self::Root => None,
        }
    }
}

/// A span to be, without attributes and events; what the storage keeps beside those.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub kind: Kind,
    pub name: String,
    pub span_id: [u8; 8],
    parent: Parent,
    pub sent: bool,
    /// The span that this one continues.
    continues: Option<[u8; 8]>,
    pid: Option<i64>,
    parent_pid: Option<i64>,
    created: Option<u64>,
    /// Of an entrance: which request.
    request: Option<String>,
    start: u64,
    end: u64,
    error: bool,
    dropped_events: u32,
}

/// A span to be.
#[derive(Clone, Debug)]
pub struct Node {
    pub head: Head,
    pub attrs: Attributes,
    /// Monotonic: when it, or something below it, was last seen.
    pub seen: u64,
    pub dirty: bool,
}

/// An event of a span to be.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `None` is the root.
    pub node: Option<usize>,
    pub event: SpanEvent,
    pub stored: bool,
}

/// The time from the first to the last thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    pub start: u64,
    pub end: u64,
}

impl Interval {
    /// Makes it contain another.
    pub fn include(&mut self, other: Self) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
    }
}

/// What spans of one incident have in common.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    pub trace_id: [u8; 16],
    pub root: [u8; 8],
    /// How long before a process an entrance can have been its cause, in nanoseconds.
    pub join_window: u64,
}

/// When something happened, and when it is being looked at.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Since 1970.
    pub event: u64,
    /// Monotonic.
    pub now: u64,
}

/// The spans of an incident.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub events: BTreeMap<u32, Kept>,
    /// Events that were sent and are still in the storage.
    pub gone: Vec<u32>,
}

impl Tree {
    /// The node of a process, made when it is new; `None` when there are `most` already.
    pub fn process(
        &mut self,
        process: &Process,
        attrs: impl FnOnce() -> Attributes,
        when: When,
        trace: Trace,
        most: usize,
    ) -> Option<usize> {
        // An earlier creation is not shown as a part of the incident, and a later one is none.
        let created = process.created.filter(|created| *created <= when.event);
        let near = created.filter(|created| when.event - created <= trace.join_window);
        let interval = Interval { start: near.unwrap_or(when.event), end: when.event };
        let same = |head: &Head| {
            head.kind == Kind::Process
                && head.pid == process.pid
                && match (head.created, created) {
                    (Some(known), Some(created)) if process.pid.is_some() => known == created,
                    _ => head.name == process.name,
                }
        };
        if let Some(index) = self.nodes.iter().position(|node| same(&node.head)) {
            let sent = self.nodes.get(index).is_some_and(|node| node.head.sent);
            self.extend(index, if sent { Interval { start: when.event, ..interval } } else { interval });
            if let Some(node) = self.nodes.get_mut(index) {
                node.head.created = node.head.created.or(created);
            }
            self.touch(index, when.now, trace);
            return Some(index);
        }
        let head = Head {
            pid: process.pid,
            parent_pid: process.parent_pid,
            created,
            ..head(Kind::Process, &process.name, interval)
        };
        let index = self.add(head, attrs, when.now, most)?;
        self.touch(index, when.now, trace);
        Some(index)
    }

    /// The node of a request, made when it is new; `None` when there are `most` nodes already.
    pub fn entrance(
        &mut self,
        name: &str,
        request: &str,
        attrs: impl FnOnce() -> Attributes,
        when: When,
        most: usize,
    ) -> Option<usize> {
        let interval = Interval { start: when.event, end: when.event };
        if let Some(index) = self.nodes.iter().position(|node| node.head.request.as_deref() == Some(request)) {
            self.extend(index, interval);
            return Some(index);
        }
        let head =
            Head { request: Some(request.to_owned()), parent: Parent::Root, ..head(Kind::Entrance, name, interval) };
        self.add(head, attrs, when.now, most)
    }

    fn add(&mut self, head: Head, attrs: impl FnOnce() -> Attributes, seen: u64, most: usize) -> Option<usize> {
        if self.nodes.len() >= most {
            return None;
        }
        self.nodes.push(Node { head, attrs: attrs(), seen, dirty: true });
        Some(self.nodes.len() - 1)
    }

    /// Adds an event to a node, or to the root. About how many bytes it takes.
    pub fn event(&mut self, number: u32, node: Option<usize>, event: SpanEvent) -> usize {
        let kept = Kept { node, event, stored: false };
        let weight = kept.weight();
        self.events.insert(number, kept);
        weight
    }

    /// Whether there is this process, or with this pid one that can be its parent.
    pub fn has_process(&self, pid: i64, process: &Process) -> bool {
        self.nodes.iter().map(|node| &node.head).filter(|head| head.pid == Some(pid)).any(|head| {
            match (head.created, process.created) {
                (Some(known), Some(created)) if process.pid == Some(pid) => known == created,
                (Some(known), Some(created)) => known <= created,
                _ => true,
            }
        })
    }

    /// A node could not keep an event.
    pub fn drop_event(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.head.dropped_events = node.head.dropped_events.saturating_add(1);
            node.dirty = true;
        }
    }

    /// An alert of a node was urgent.
    pub fn set_error(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.dirty |= !node.head.error;
            node.head.error = true;
        }
    }

    /// Makes a node contain an interval; a sent one begins a new span, and so does everything above it.
    fn extend(&mut self, index: usize, interval: Interval) {
        let mut next = Some(index);
        while let Some(node) = next.and_then(|index| self.nodes.get_mut(index)) {
            let head = &mut node.head;
            node.dirty = true;
            next = None;
            if head.sent {
                let before = std::mem::replace(&mut head.span_id, ids::span_id());
                head.continues = Some(before);
                head.sent = false;
                head.dropped_events = 0;
                head.error = false;
                (head.start, head.end) = (interval.start, interval.end);
                next = head.parent.node();
            } else {
                head.start = head.start.min(interval.start);
                head.end = head.end.max(interval.end);
            }
        }
    }

    /// Whoever is above a node that was seen is not idle either.
    fn touch(&mut self, index: usize, now: u64, trace: Trace) {
        let mut next = Some(index);
        // Parents that are not decided yet may still go round in a circle.
        for _ in 0..TOUCHED {
            let Some(node) = next.and_then(|index| self.nodes.get_mut(index)) else { return };
            node.seen = now;
            next = next.and_then(|index| self.parent(index, trace));
        }
    }

    /// The decided parent, or the one it would be now.
    fn parent(&self, index: usize, trace: Trace) -> Option<usize> {
        let node = self.nodes.get(index)?;
        if node.head.parent != Parent::Undecided {
            return node.head.parent.node();
        }
        let begin = |head: &Head| head.created.unwrap_or(head.start);
        let head = &node.head;
        let others = || self.nodes.iter().enumerate().filter(|(other, _)| *other != index);
        let above = others().filter(|(other, node)| {
            let parent = &node.head;
            parent.kind == Kind::Process
                && parent.pid.is_some()
                && parent.pid == head.parent_pid
                && begin(parent) <= begin(head)
                && !self.is_below(*other, index)
        });
        let cause = || {
            others().filter(|(_, node)| {
                let entrance = &node.head;
                entrance.kind == Kind::Entrance
                    && entrance.start <= begin(head).saturating_add(SKEW)
                    && begin(head).saturating_sub(entrance.start) <= trace.join_window
            })
        };
        let latest = |(index, node): &(usize, &Node)| (begin(&node.head), *index);
        above.max_by_key(latest).or_else(|| cause().max_by_key(latest)).map(|(index, _)| index)
    }

    /// Whether `node` is decided to be below `above`, or is it.
    fn is_below(&self, node: usize, above: usize) -> bool {
        let mut next = Some(node);
        // There is no circle, but the storage may be damaged.
        for _ in 0..=self.nodes.len() {
            let Some(index) = next else { return false };
            if index == above {
                return true;
            }
            next = self.nodes.get(index).and_then(|node| node.head.parent.node());
        }
        true
    }

    /// Takes circles and dangling parents out: the storage may be damaged.
    pub fn repair(&mut self) {
        for index in 0..self.nodes.len() {
            let parent = self.nodes.get(index).and_then(|node| node.head.parent.node());
            if parent.is_some_and(|parent| parent >= self.nodes.len() || self.is_below(parent, index))
                && let Some(node) = self.nodes.get_mut(index)
            {
                node.head.parent = Parent::Root;
                node.dirty = true;
            }
        }
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.nodes.iter().map(Node::weight).sum::<usize>() + self.events.values().map(Kept::weight).sum::<usize>()
    }
}

impl Node {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.head.name.len() + weight(&self.attrs)
    }
}

impl Kept {
    fn weight(&self) -> usize {
        size_of::<Self>() + weight(&self.event.attrs)
    }
}

fn head(kind: Kind, name: &str, interval: Interval) -> Head {
    Head {
        kind,
        name: name.to_owned(),
        span_id: ids::span_id(),
        parent: Parent::Undecided,
        sent: false,
        continues: None,
        pid: None,
        parent_pid: None,
        created: None,
        request: None,
        start: interval.start,
        end: interval.end,
        error: false,
        dropped_events: 0,
    }
}
