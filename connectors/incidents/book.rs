//! `Book`: the open incidents, and by which name each is found.
//!
//! Promises: an alert is in at most one incident, whatever the order of events; there are never more than `max_incidents`
//! open, nor as many ways in that nothing followed; what is over a limit is counted. Everything that happens here is one
//! change of the stage's [`Durable`](lanner_engine::stage::Durable).

mod joining;

use super::{
    cells::Cells,
    entity::{By, Entity},
    entrance::Entrance,
    incident::{End, Former, Incident},
    process::Process,
    stored::{self, Loaded},
    tree::Interval,
};
use lanner_conditions::{Condition, Seen};
use lanner_engine::{
    component::Change,
    event::{Span, SpanGroup, Traces},
    prelude::*,
    semantics::{is_alert, scope},
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
