//! How an event finds its incident and becomes a part of it.

use super::{Book, Ids, event_time, push};
use crate::incidents::{
    entity::{By, Entity},
    entrance::{Entrance, complete},
    incident::End,
    process::{Process, alert_event, entrance_attributes, process_attributes, stage_event},
    tree::{Interval, When},
};
use lanner_engine::{prelude::*, semantics::priority, stage::Now};
use std::sync::Arc;

impl Book {
    pub(super) fn alert(&mut self, resource: &Resource, record: &LogRecord, now: Now) -> Option<Ids> {
        let (time, urgency) = (event_time(record, now), priority(record));
        let (entity, process) = (Entity::of(resource, record), Process::of(record));
        let mut found = self.locate(&entity, process.as_ref());
        if let Some((number, _)) = found
            && let Some(end) = self.is_over(number, time)
        {
            // A way in that nothing followed in time stays for whom it may concern, until it is forgotten.
            if self.incidents.get(&number).is_some_and(|incident| incident.head.open) {
                self.close(number, end, now);
            }
            found = None;
        }
        let open = found.is_some_and(|(number, _)| self.incidents.get(&number).is_some_and(|found| found.head.open));
        if !open && urgency.is_some_and(|urgency| urgency < self.settings.min_priority) {
            self.cells.below.add(1);
            return None;
        }
        let first = entity.names().next().map_or(By::Host, |(by, _)| by);
        let (number, by) = found.unwrap_or_else(|| (self.begin(resource, record, time, now), first));
        let ids = self.join(number, (record, urgency), process.as_ref(), time, now);
        self.name(number, &entity, process.as_ref());
        let incident = self.incidents.get_mut(&number)?;
        incident.note(record, urgency, by);
        if !open {
            incident.head.open = true;
            self.open += 1;
            incident.began = now.monotonic;
            incident.head.began = now.unix;
            incident.place_at(resource, record);
            let previous = incident.head.names.iter().filter_map(|name| self.former.get(name)).max();
            incident.head.previous =
                previous.and_then(|number| self.closed.get(number)).map(|closed| closed.former.clone());
            let report = incident.report(now, None);
            self.reports.push(Arc::clone(&incident.resource), Arc::clone(&self.scope), report);
            if self.settings.early_root {
                let root = incident.root_span(None);
                push(&mut self.spans, incident, &self.scope, vec![root]);
            }
        }
        self.cells.joined.add(1);
        self.show();
        ids
    }

    /// Adds an alert to an incident; its trace and span.
    fn join(
        &mut self,
        number: u64,
        (record, urgency): (&LogRecord, Option<Priority>),
        process: Option<&Process>,
        time: u64,
        now: Now,
    ) -> Option<Ids> {
        let settings = &self.settings;
        let incident = self.incidents.get_mut(&number)?;
        let trace = incident.trace(settings.join_window);
        let head = &mut incident.head;
        if !head.open {
            head.time = Interval { start: time, end: time };
        }
        // An event that is far too late for the incident is shown at its beginning.
        let time = if head.time.end.saturating_sub(time) > settings.max_duration { head.time.start } else { time };
        head.time.include(Interval { start: time, end: time });
        head.span.include(head.time);
        head.touched = now.unix;
        incident.seen = now.monotonic;
        let room = self.bytes < settings.max_bytes;
        let when = When { event: time, now: now.monotonic };
        let before = incident.tree.nodes.len();
        let most = if room { settings.max_processes } else { before };
        let node = process
            .and_then(|process| incident.tree.process(process, || process_attributes(record), when, trace, most));
        if process.is_some() && node.is_none() {
            incident.head.dropped_processes += 1;
            self.cells.dropped_processes.add(1);
        }
        if let Some(node) = node
            && urgency.is_some_and(|urgency| urgency >= Priority::Warning)
        {
            incident.tree.set_error(node);
        }
        let fits = room && (incident.head.next_event as usize) < settings.max_span_events;
        let event = fits.then(|| alert_event(record, time));
        self.cells.dropped_events.add(u64::from(event.is_none()));
        self.bytes += incident.add_event(node, event);
        if incident.tree.nodes.len() > before {
            self.bytes += incident.weigh_last_node();
        }
        self.dirty.insert(number);
        let span = node.and_then(|node| incident.tree.nodes.get(node)).map_or(trace.root, |node| node.head.span_id);
        Some((trace.trace_id, span))
    }

    pub(super) fn entrance(
        &mut self,
        way: &Entrance,
        resource: &Resource,
        record: &LogRecord,
        now: Now,
    ) -> Option<Ids> {
        let time = event_time(record, now);
        let entity = match &way.made {
            Some(made) => Entity::of(resource, &complete(record, made)),
            None => Entity::of(resource, record),
        };
        if entity.pod_name.is_none() && entity.pod_uid.is_none() {
            return None;
        }
        let window = self.settings.join_window;
        let number = match self.locate(&entity, None) {
            Some((number, _)) => {
                let head = &self.incidents.get(&number)?.head;
                if head.open && time.saturating_add(window) < head.time.start {
                    return None;
                }
                number
            }
            None => self.begin(resource, record, time, now),
        };
        self.name(number, &entity, None);
        let room = self.bytes < self.settings.max_bytes;
        let most = if room { self.settings.max_processes } else { 0 };
        let incident = self.incidents.get_mut(&number)?;
        let trace = incident.trace(window);
        if !incident.head.open {
            incident.seen = now.monotonic;
            incident.head.touched = now.unix;
            incident.head.span.include(Interval { start: time, end: time });
        }
        incident.dirty = true;
        let (when, before) = (When { event: time, now: now.monotonic }, incident.tree.nodes.len());
        let node = incident.tree.entrance(way.name, &way.request, || entrance_attributes(record), when, most);
        let Some(node) = node else {
            self.cells.dropped_entrances.add(1);
            return Some((trace.trace_id, trace.root));
        };
        let fits = room && (incident.head.next_event as usize) < self.settings.max_span_events;
        let event = fits.then(|| stage_event(record, time));
        self.cells.dropped_events.add(u64::from(event.is_none()));
        self.bytes += incident.add_event(Some(node), event);
        if incident.tree.nodes.len() > before {
            self.bytes += incident.weigh_last_node();
        }
        self.dirty.insert(number);
        let span = incident.tree.nodes.get(node).map_or(trace.root, |node| node.head.span_id);
        Some((trace.trace_id, span))
    }

    /// The incident of this place, and by what it was found.
    fn locate(&self, entity: &Entity, process: Option<&Process>) -> Option<(u64, By)> {
        for (by, name) in entity.names() {
            if by == By::Host
                && let Some(number) = self.by_process(entity, process)
            {
                return Some((number, By::Process));
            }
            let Some(number) = self.names.get(name) else { continue };
            // A pod that has the name of an earlier one is another pod.
            let other_pod = by == By::PodName
                && entity.pod_uid.as_ref().is_some_and(|uid| {
                    let names = self.incidents.get(number).map(|incident| &incident.head.names);
                    names.into_iter().flatten().any(|name| name.starts_with("uid\0") && name != uid)
                });
            if !other_pod {
                return Some((*number, by));
            }
        }
        None
    }

    /// The incident of a process of the host, or of its parent.
    fn by_process(&self, entity: &Entity, process: Option<&Process>) -> Option<u64> {
        let process = process?;
        [process.pid, process.parent_pid].into_iter().flatten().find_map(|pid| {
            let number = *self.pids.get(&(entity.host.clone(), pid))?;
            self.incidents.get(&number)?.tree.has_process(pid, process).then_some(number)
        })
    }

    /// Whether an incident was over when this happened.
    fn is_over(&self, number: u64, time: u64) -> Option<End> {
        let head = &self.incidents.get(&number)?.head;
        let settings = &self.settings;
        if !head.open {
            let apart = time.abs_diff(head.span.start).min(time.abs_diff(head.span.end));
            return (apart > settings.join_window).then_some(End::Quiet);
        }
        if time > head.time.end.saturating_add(settings.quiet) {
            Some(End::Quiet)
        } else if time > head.time.start.saturating_add(settings.max_duration) {
            Some(End::MaxDuration)
        } else {
            None
        }
    }
}
