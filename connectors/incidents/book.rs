//! `Book`: the open incidents, and by which name each is found.
//!
//! Promises: an alert is in at most one incident, whatever the order of events; there are never more than `max_incidents`
//! open, nor as many ways in that nothing followed; what is over a limit is counted. Everything that happens here is one
//! change of the stage's [`Durable`](lanner_engine::stage::Durable).

use super::{
    cells::Cells,
    entity::{By, Entity},
    entrance::{Entrance, complete},
    incident::{End, Former, Incident},
    process::{Process, alert_event, entrance_attributes, process_attributes, stage_event},
    stored::{self, Loaded},
    tree::{Interval, When},
};
use lanner_conditions::{Condition, Seen};
use lanner_engine::{
    component::Change,
    event::{Span, SpanGroup, Traces},
    prelude::*,
    semantics::{is_alert, priority, scope},
    stage::{Effects, Now, State},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// An event that says it happens later than this from now gets the time of its arrival.
const FUTURE: u64 = 24 * 3_600_000_000_000;
/// Most names under which an incident is found.
const NAMES: usize = 16;
/// Most processes of hosts by which others are found.
const PIDS: usize = 10_000;

/// What was checked of the configuration; times in nanoseconds.
pub struct Settings {
    pub condition: Option<Condition>,
    pub min_priority: Priority,
    pub quiet: u64,
    pub max_duration: u64,
    pub join_window: u64,
    pub process_idle: u64,
    pub update_interval: u64,
    pub early_root: bool,
    pub max_incidents: usize,
    pub max_processes: usize,
    pub max_span_events: usize,
    pub max_bytes: usize,
}

/// A closed incident, and the names by which the next one of its place finds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Closed {
    pub former: Former,
    pub names: Vec<String>,
}

/// Trace and span of a record.
type Ids = ([u8; 16], [u8; 8]);

/// The state of the connector.
pub struct Book {
    settings: Settings,
    cells: Cells,
    scope: Arc<Scope>,
    incidents: BTreeMap<u64, Incident>,
    next: u64,
    names: HashMap<String, u64>,
    /// Processes of hosts: who is found by nothing but the host may have a parent that is known better.
    pids: HashMap<(String, i64), u64>,
    closed: BTreeMap<u64, Closed>,
    former: HashMap<String, u64>,
    /// How many of the incidents are open.
    open: usize,
    bytes: usize,
    dirty: BTreeSet<u64>,
    changes: Vec<Change>,
    reports: Logs,
    spans: Traces,
}

impl State for Book {
    fn changes(&mut self, changes: &mut Vec<Change>) {
        for number in std::mem::take(&mut self.dirty) {
            if let Some(incident) = self.incidents.get_mut(&number) {
                stored::changes(number, incident, changes);
            }
        }
        changes.append(&mut self.changes);
    }
}

impl Book {
    /// Goes on with what the storage had.
    pub fn new(settings: Settings, cells: Cells, loaded: Loaded) -> Self {
        let Loaded { incidents, closed, useless } = loaded;
        let last = incidents.keys().chain(closed.keys()).max();
        let mut book = Self {
            settings,
            cells,
            scope: scope("lanner.connector.incidents"),
            next: last.map_or(0, |last| last + 1),
            incidents,
            names: HashMap::new(),
            pids: HashMap::new(),
            closed,
            former: HashMap::new(),
            open: 0,
            bytes: 0,
            dirty: BTreeSet::new(),
            changes: useless.into_iter().map(|key| (key, None)).collect(),
            reports: Logs::default(),
            spans: Traces::default(),
        };
        for (number, incident) in &mut book.incidents {
            book.bytes += incident.weigh();
            book.open += usize::from(incident.head.open);
            book.names.extend(incident.head.names.iter().map(|name| (name.clone(), *number)));
        }
        for (number, closed) in &book.closed {
            book.former.extend(closed.names.iter().map(|name| (name.clone(), *number)));
        }
        book.show();
        book
    }

    /// Takes a batch: gives ids to what belongs to an incident, and passes all of it on. `untouched` is the batch as it
    /// came, which goes on when nothing of it is changed.
    pub fn absorb(&mut self, mut batch: Batch, untouched: Batch, now: Now, effects: &mut Effects) {
        let mut fates: Vec<Fate> = Vec::with_capacity(batch.len());
        for group in batch.as_logs().into_iter().flat_map(|logs| &logs.groups) {
            for record in &group.records {
                let repeated = effects.is_repeat(record);
                fates.push(if repeated { Fate::Repeated } else { self.record(&group.resource, record, now) });
            }
        }
        if fates.iter().all(|fate| *fate == Fate::Passes) {
            effects.emit(untouched);
        } else if let Some(logs) = batch.as_logs_mut() {
            let mut fates = fates.into_iter();
            for group in &mut logs.groups {
                group.records.retain_mut(|record| match fates.next() {
                    Some(Fate::Repeated) => false,
                    Some(Fate::Joins((trace_id, span_id))) => {
                        (record.trace_id, record.span_id) = (trace_id, span_id);
                        true
                    }
                    Some(Fate::Passes) | None => true,
                });
            }
            logs.groups.retain(|group| !group.records.is_empty());
            effects.emit(batch);
        }
        self.emit(effects);
    }

    fn record(&mut self, resource: &Resource, record: &LogRecord, now: Now) -> Fate {
        let takes_part = match &self.settings.condition {
            Some(condition) => condition.holds(Seen { resource, record }),
            None => is_alert(record),
        };
        let ids = if takes_part {
            self.alert(resource, record, now)
        } else {
            let ids = Entrance::of(resource, record).and_then(|way| self.entrance(&way, resource, record, now));
            (if ids.is_some() { &self.cells.entrances } else { &self.cells.passed }).add(1);
            ids
        };
        ids.map_or(Fate::Passes, Fate::Joins)
    }

    fn alert(&mut self, resource: &Resource, record: &LogRecord, now: Now) -> Option<Ids> {
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

    fn entrance(&mut self, way: &Entrance, resource: &Resource, record: &LogRecord, now: Now) -> Option<Ids> {
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

    /// A new incident, not open yet. The one that was silent for longest makes room.
    fn begin(&mut self, resource: &Resource, record: &LogRecord, time: u64, now: Now) -> u64 {
        // Ways in and open incidents have a share each, so that neither drives out the other.
        for open in [true, false] {
            let of_kind = self.incidents.iter().filter(|(_, incident)| incident.head.open == open);
            if of_kind.clone().count() >= self.settings.max_incidents
                && let Some(number) = of_kind.min_by_key(|(_, incident)| incident.seen).map(|(number, _)| *number)
            {
                self.close(number, End::Limit, now);
            }
        }
        let number = self.next;
        self.next += 1;
        let mut incident = Incident::new(resource, record, time, now);
        self.bytes += incident.weigh();
        self.incidents.insert(number, incident);
        self.dirty.insert(number);
        number
    }

    /// Makes an incident known under the names of an event.
    fn name(&mut self, number: u64, entity: &Entity, process: Option<&Process>) {
        let Some(incident) = self.incidents.get_mut(&number) else { return };
        // Whom only a process led here may not bring the whole host.
        let names = entity.names().filter(|(by, _)| *by != By::Host || !incident.is_of_pod());
        for name in names.map(|(_, name)| name.to_owned()).collect::<Vec<_>>() {
            let known = incident.head.names.contains(&name);
            if known || incident.head.names.len() < NAMES {
                if !known {
                    incident.head.names.push(name.clone());
                    incident.dirty = true;
                }
                self.names.insert(name, number);
            }
        }
        if let Some(pid) = process.and_then(|process| process.pid)
            && self.pids.len() < PIDS
        {
            self.pids.insert((entity.host.clone(), pid), number);
        }
    }

    /// Ends an incident: sends what was not sent, reports it, and remembers it for the next one. A way in without an alert
    /// is just forgotten.
    fn close(&mut self, number: u64, end: End, now: Now) {
        let Some(mut incident) = self.incidents.remove(&number) else { return };
        self.dirty.remove(&number);
        self.bytes = self.bytes.saturating_sub(incident.weight);
        for name in &incident.head.names {
            if self.names.get(name) == Some(&number) {
                self.names.remove(name);
            }
        }
        self.pids.retain(|_, known| *known != number);
        if !incident.head.open {
            self.cells.dropped_entrances.add(u64::from(end == End::Limit));
        } else {
            self.open -= 1;
            let mut spans = Vec::new();
            let (trace, mut root) = (incident.trace(self.settings.join_window), incident.head.span);
            incident.tree.send_all(trace, &mut root, &mut spans);
            incident.head.span = root;
            spans.push(incident.root_span(Some(end)));
            push(&mut self.spans, &incident, &self.scope, spans);
            let report = incident.report(now, Some(end));
            self.reports.push(Arc::clone(&incident.resource), Arc::clone(&self.scope), report);
            let Interval { start, end: last } = incident.head.time;
            self.cells.closed(incident.priority_word(), last - start, end);
            self.remember(number, &incident);
        }
        stored::remove(number, &incident, &mut self.changes);
        self.show();
    }

    fn remember(&mut self, number: u64, incident: &Incident) {
        let head = &incident.head;
        let former = Former { id: head.id.clone(), trace_id: head.trace_id, root: head.root };
        let closed = Closed { former, names: head.names.clone() };
        self.former.extend(closed.names.iter().map(|name| (name.clone(), number)));
        self.changes.push((stored::former_key(number), Some(stored::former(&closed))));
        self.closed.insert(number, closed);
        while self.closed.len() > self.settings.max_incidents {
            let Some((oldest, closed)) = self.closed.pop_first() else { return };
            for name in closed.names {
                if self.former.get(&name) == Some(&oldest) {
                    self.former.remove(&name);
                }
            }
            self.changes.push((stored::former_key(oldest), None));
        }
    }

    /// What time alone brings: ends, reports, spans of idle processes.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        let settings = &self.settings;
        let past = |since: u64, span: u64| now.monotonic.saturating_sub(since) >= span;
        let over = |incident: &Incident| match incident.head.open {
            false => past(incident.seen, settings.join_window).then_some(End::Quiet),
            true if past(incident.seen, settings.quiet) => Some(End::Quiet),
            true => past(incident.began, settings.max_duration).then_some(End::MaxDuration),
        };
        let ended = self.incidents.iter().filter_map(|(number, incident)| Some((*number, over(incident)?)));
        for (number, end) in ended.collect::<Vec<_>>() {
            self.close(number, end, now);
        }
        for (number, incident) in self.incidents.iter_mut().filter(|(_, incident)| incident.head.open) {
            let (trace, mut spans) = (incident.trace(self.settings.join_window), Vec::new());
            let idle = now.monotonic.saturating_sub(self.settings.process_idle);
            let mut root = incident.head.span;
            incident.tree.send_idle(idle, trace, &mut root, &mut spans);
            if !spans.is_empty() {
                incident.head.span = root;
                incident.dirty = true;
                self.bytes = self.bytes.saturating_sub(incident.weight);
                self.bytes += incident.weigh();
                push(&mut self.spans, incident, &self.scope, spans);
                self.dirty.insert(*number);
            }
            if incident.head.changed && past(incident.reported, self.settings.update_interval) {
                let report = incident.report(now, None);
                self.reports.push(Arc::clone(&incident.resource), Arc::clone(&self.scope), report);
                self.dirty.insert(*number);
            }
        }
        self.show();
        self.emit(effects);
    }

    /// Closes everything: the process stops and nothing is kept.
    pub fn shut_down(&mut self, now: Now, effects: &mut Effects) {
        for number in self.incidents.keys().copied().collect::<Vec<_>>() {
            self.close(number, End::Shutdown, now);
        }
        self.emit(effects);
    }

    /// Counts records that are no logs that can be read; they pass.
    pub fn undecodable(&self, items: usize) {
        self.cells.undecodable.add(items as u64);
    }

    fn emit(&mut self, effects: &mut Effects) {
        effects.emit(Batch::logs(std::mem::take(&mut self.reports)));
        if !self.spans.is_empty() {
            effects.emit(Batch::traces(&std::mem::take(&mut self.spans)));
        }
    }

    fn show(&self) {
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.cells.active.set(signed(self.open));
        self.cells.bytes.set(signed(self.bytes));
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It goes on as it came.
    Passes,
    /// It goes on with these ids.
    Joins(Ids),
    /// It was here before.
    Repeated,
}

fn push(spans: &mut Traces, incident: &Incident, scope: &Arc<Scope>, of_incident: Vec<Span>) {
    let resource = Arc::clone(&incident.resource);
    spans.groups.push(SpanGroup { resource, scope: Arc::clone(scope), spans: of_incident });
}

/// When it happened: as the event says, unless that is far in the future.
fn event_time(record: &LogRecord, now: Now) -> u64 {
    let said = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|time| *time > 0);
    said.filter(|time| *time <= now.unix.saturating_add(FUTURE)).unwrap_or(now.unix)
}
