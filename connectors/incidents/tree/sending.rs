//! Sending the spans of a tree, children before their parents.

use super::{Interval, Kind, Node, Parent, Trace, Tree};
use lanner_engine::{
    event::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus},
    prelude::*,
};
use std::{cmp::Reverse, collections::BTreeSet};

impl Tree {
    /// Sends what was not seen since `before` (monotonic), nor anything below it. `root` comes to contain all of it.
    pub fn send_idle(&mut self, before: u64, trace: Trace, root: &mut Interval, spans: &mut Vec<Span>) {
        self.send(|node| node.head.kind == Kind::Process && node.seen <= before, trace, root, spans);
    }

    /// Sends everything.
    pub fn send_all(&mut self, trace: Trace, root: &mut Interval, spans: &mut Vec<Span>) {
        self.send(|_| true, trace, root, spans);
    }

    fn send(&mut self, due: impl Fn(&Node) -> bool, trace: Trace, root: &mut Interval, spans: &mut Vec<Span>) {
        for index in 0..self.nodes.len() {
            let undecided =
                self.nodes.get(index).is_some_and(|node| node.head.parent == Parent::Undecided && due(node));
            if undecided {
                let parent = self.parent(index, trace);
                if let Some(node) = self.nodes.get_mut(index) {
                    node.head.parent = parent.map_or(Parent::Root, Parent::Node);
                    node.dirty = true;
                }
            }
        }
        let held = self.above_unsent(&due);
        let ready = |node: &Node| !node.head.sent && due(node);
        let indexes = self.nodes.iter().enumerate().filter(|(index, node)| ready(node) && !held.contains(index));
        let mut order: BTreeSet<_> = indexes.map(|(index, _)| (Reverse(self.depth(index)), index)).collect();
        while let Some((_, index)) = order.pop_first() {
            spans.extend(self.send_one(index, trace, root));
            // It may have begun a new span because of this child.
            let above = self.nodes.get(index).and_then(|node| node.head.parent.node());
            if let Some(above) = above.filter(|above| !held.contains(above))
                && self.nodes.get(above).is_some_and(ready)
            {
                order.insert((Reverse(self.depth(above)), above));
            }
        }
    }

    /// Nodes with something below them that is neither sent nor due.
    fn above_unsent(&self, due: &impl Fn(&Node) -> bool) -> BTreeSet<usize> {
        let mut held = BTreeSet::new();
        for node in self.nodes.iter().filter(|node| !node.head.sent && !due(node)) {
            let mut above = node.head.parent.node();
            while let Some(index) = above.filter(|index| held.insert(*index)) {
                above = self.nodes.get(index).and_then(|node| node.head.parent.node());
            }
        }
        held
    }

    /// How many nodes are decided to be above it.
    fn depth(&self, index: usize) -> usize {
        let mut depth = 0;
        let mut above = Some(index);
        while let Some(node) = above.filter(|_| depth <= self.nodes.len()).and_then(|index| self.nodes.get(index)) {
            above = node.head.parent.node();
            depth += 1;
        }
        depth
    }

    fn send_one(&mut self, index: usize, trace: Trace, root: &mut Interval) -> Option<Span> {
        let events = self.take_events(Some(index));
        let node = self.nodes.get_mut(index)?;
        node.dirty = true;
        let head = &mut node.head;
        head.sent = true;
        let interval = Interval { start: head.start, end: head.end };
        let above = head.parent.node();
        match above {
            Some(above) => self.extend(above, interval),
            None => root.include(interval),
        }
        let parent = above.and_then(|above| self.nodes.get(above)).map_or(trace.root, |above| above.head.span_id);
        let Node { head, attrs, .. } = self.nodes.get(index)?;
        let link = |span_id| SpanLink { trace_id: trace.trace_id, span_id, attrs: Attributes::default() };
        Some(Span {
            trace_id: trace.trace_id,
            span_id: head.span_id,
            parent_span_id: parent,
            name: match head.kind {
                Kind::Process => format!("process {}", head.name).into(),
                Kind::Entrance => format!("k8s.audit {}", head.name).into(),
            },
            kind: SpanKind::Internal,
            start_time_unix_nano: head.start,
            end_time_unix_nano: head.end,
            attrs: attrs.clone(),
            events,
            dropped_events_count: head.dropped_events,
            links: head.continues.map(link).into_iter().collect(),
            status: if head.error { SpanStatus::Error } else { SpanStatus::Unset },
            ..Span::default()
        })
    }

    /// Takes the events of a node, or of the root, in order of time.
    pub fn take_events(&mut self, of: Option<usize>) -> Vec<SpanEvent> {
        let numbers: Vec<u32> =
            self.events.iter().filter(|(_, kept)| kept.node == of).map(|(number, _)| *number).collect();
        let mut events = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(kept) = self.events.remove(&number) {
                if kept.stored {
                    self.gone.push(number);
                }
                events.push(kept.event);
            }
        }
        events.sort_by_key(|event| event.time_unix_nano);
        events
    }
}
