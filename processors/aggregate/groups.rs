//! `Groups`: every open group, within bounds.
//!
//! Promises: a record is judged with one hash of its key, and a repeat allocates nothing; the number of groups and the
//! bytes they take are bounded, and a record for which there is no room passes as it is; a step ends before the first
//! record behind it is counted, however late timers are; the storage is told what changed and nothing else.

use super::{
    folded::{About, Added, Summaries},
    group::Group,
    metrics::{Cells, Reason},
    stored,
    window::{Shape, Verdict, Window},
};
use bytes::Bytes;
use lanner_conditions::Seen;
use lanner_engine::{
    component::Change,
    prelude::*,
    semantics::keys,
    stage::{Clock, Now, State},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// What a group takes besides its key and what is folded: slot, index and deadline.
const OVERHEAD: usize = size_of::<Slot>() + 128;

/// What is the same for all groups.
#[derive(Clone, Debug)]
pub struct Rules {
    pub shape: Shape,
    pub max_keys: usize,
    pub max_bytes: usize,
    /// Folded records that a summary tells in short.
    pub exemplars: usize,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Fold,
}

struct Slot {
    group: Group,
    /// What it takes, as counted in the total.
    bytes: usize,
    dirt: Dirt,
    /// Whether the storage has it, or will have it.
    stored: bool,
}

/// What of a group the storage does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dirt {
    Clean,
    Numbers,
    Everything,
}

/// The open groups.
pub struct Groups {
    rules: Rules,
    summaries: Summaries,
    pub cells: Cells,
    clock: Clock,
    index: HashMap<Arc<[u8]>, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// When the current step of each slot ends.
    dues: BTreeSet<(u64, usize)>,
    bytes: usize,
    /// Keys and bytes that the gauges have of this table.
    shown: (i64, i64),
    next_id: u64,
    /// What the storage does not know; `None` when there is none.
    unknown: Option<Unknown>,
}

/// What the storage is to be told.
#[derive(Default)]
struct Unknown {
    /// Slots that have changed.
    changed: Vec<usize>,
    /// Names of entries to remove.
    gone: Vec<String>,
    settings: Option<Bytes>,
}

impl Groups {
    /// No group yet. `settings` are for the storage, if there is one.
    pub fn new(rules: Rules, summaries: Summaries, cells: Cells, clock: Clock, settings: Option<Bytes>) -> Self {
        Self {
            rules,
            summaries,
            cells,
            clock,
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            dues: BTreeSet::new(),
            bytes: 0,
            shown: (0, 0),
            next_id: 0,
            unknown: settings.map(|settings| Unknown { settings: Some(settings), ..Unknown::default() }),
        }
    }

    /// Goes on with the groups of a former run, whatever the bounds say now. Names of entries that are of no use are
    /// removed from the storage.
    pub fn restore(&mut self, groups: BTreeMap<u64, Group>, useless: Vec<String>) {
        self.cells.damaged.add(useless.len() as u64);
        for group in groups.into_values() {
            self.next_id = self.next_id.max(group.id.saturating_add(1));
            let held = group.folded.as_deref().filter(|_| !group.window.active).map_or(0, |folded| folded.count);
            self.cells.held.add(i64::try_from(held).unwrap_or(i64::MAX));
            self.insert(group, true);
        }
        if let Some(unknown) = &mut self.unknown {
            unknown.gone.extend(useless);
        }
    }

    /// Judges a record. Summaries that are due because of it are added to `out`.
    pub fn judge(&mut self, key: &[u8], seen: Seen<'_>, now: Now, out: &mut Logs) -> Fate {
        let known = self.index.get(key).copied().filter(|slot| self.turn_if_due(*slot, now, out));
        let Some(number) = known.or_else(|| self.open(key, now)) else {
            self.cells.over_limit.add(1);
            return Fate::Pass;
        };
        // A slot of the index is in use.
        let Some(Some(slot)) = self.slots.get_mut(number) else { return Fate::Pass };
        let verdict = slot.group.window.count(&self.rules.shape, now.monotonic);
        let room = self.rules.max_bytes.saturating_sub(self.bytes);
        let added = match verdict {
            Verdict::Pass => Added::Numbers,
            _ => slot.group.fold(seen, now, self.rules.exemplars, room),
        };
        let rule = || seen.record.attrs.get_str(&keys::RULE).unwrap_or_default();
        let fate = match (verdict, added) {
            (Verdict::Pass, _) => {
                self.cells.passed.add(1);
                Fate::Pass
            }
            (_, Added::NoRoom) => {
                slot.group.window.release();
                self.cells.over_limit.add(1);
                Fate::Pass
            }
            (Verdict::Duplicate, _) => {
                self.cells.suppress(rule(), Reason::Duplicate, 1);
                Fate::Fold
            }
            (Verdict::RateLimited, _) => {
                self.cells.suppress(rule(), Reason::RateLimited, 1);
                Fate::Fold
            }
            (Verdict::Hold | Verdict::Cross, _) => {
                self.cells.held.add(1);
                Fate::Fold
            }
        };
        if verdict == Verdict::Cross {
            self.emit(number, Some(Reason::Threshold), now, out);
        }
        self.note(number, if added == Added::Texts { Dirt::Everything } else { Dirt::Numbers });
        fate
    }

    /// When the next step ends, on the monotonic clock.
    pub fn next_due(&self) -> Option<u64> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Ends steps that are over, of at most `most` groups, the longest over first.
    pub fn turn(&mut self, now: Now, most: usize, out: &mut Logs) {
        for _ in 0..most {
            let Some((_, slot)) = self.dues.first().copied().filter(|(due, _)| *due <= now.monotonic) else { break };
            self.turn_if_due(slot, now, out);
        }
        self.show();
    }

    /// Closes at most `most` groups before their time. What an active one has folded goes out, and with `all` what is
    /// held for a threshold as well. Returns whether there are more.
    pub fn close(&mut self, now: Now, most: usize, all: bool, out: &mut Logs) -> bool {
        for _ in 0..most {
            let Some((_, slot)) = self.dues.first().copied() else { break };
            let group = self.slots.get(slot).and_then(Option::as_ref).map(|slot| &slot.group);
            let active = group.is_some_and(|group| group.window.active);
            let held = group.and_then(|group| group.folded.as_deref()).map_or(0, |folded| folded.count);
            match (active, all) {
                (true, _) => self.emit(slot, None, now, out),
                (false, true) => self.emit(slot, Some(Reason::Threshold), now, out),
                (false, false) => self.give_up(slot, held),
            }
            self.remove(slot);
        }
        self.show();
        !self.dues.is_empty()
    }

    /// Makes summaries in another way from now on; returns the one so far.
    pub fn summarise_with(&mut self, summaries: Summaries) -> Summaries {
        std::mem::replace(&mut self.summaries, summaries)
    }

    /// Folded records that no summary counts yet.
    pub fn folded(&self) -> u64 {
        self.slots.iter().flatten().filter_map(|slot| slot.group.folded.as_deref()).map(|folded| folded.count).sum()
    }

    /// Brings the gauges up to date. They may have a share of another pipeline's table as well.
    pub fn show(&mut self) {
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (keys, bytes) = (number(self.index.len()), number(self.bytes));
        self.cells.keys.add(keys - self.shown.0);
        self.cells.bytes.add(bytes - self.shown.1);
        self.shown = (keys, bytes);
    }

    /// Ends the steps of a group that are over. Returns whether the group goes on.
    fn turn_if_due(&mut self, number: usize, now: Now, out: &mut Logs) -> bool {
        let Some(Some(slot)) = self.slots.get_mut(number) else { return false };
        let due = slot.group.window.due;
        if due > now.monotonic {
            return true;
        }
        let turn = slot.group.window.turn(&self.rules.shape, now.monotonic);
        self.dues.remove(&(due, number));
        self.dues.insert((slot.group.window.due, number));
        if turn.emit {
            self.emit(number, None, now, out);
        } else {
            self.give_up(number, turn.below);
        }
        if turn.over {
            self.remove(number);
        } else {
            self.note(number, Dirt::Numbers);
        }
        !turn.over
    }

    /// Makes a group, if there is room.
    fn open(&mut self, key: &[u8], now: Now) -> Option<usize> {
        let full = self.index.len() >= self.rules.max_keys || self.bytes + key.len() + OVERHEAD > self.rules.max_bytes;
        if full {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        let window = Window::begin(&self.rules.shape, now.monotonic);
        let group = Group { id, key: key.into(), opened: now.unix, sequence: 0, window, folded: None };
        Some(self.insert(group, false))
    }

    fn insert(&mut self, group: Group, stored: bool) -> usize {
        let number = self.free.pop().unwrap_or(self.slots.len());
        let bytes = OVERHEAD + group.bytes();
        self.bytes += bytes;
        self.index.insert(Arc::clone(&group.key), number);
        self.dues.insert((group.window.due, number));
        let slot = Some(Slot { group, bytes, dirt: Dirt::Clean, stored });
        match self.slots.get_mut(number) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        if !stored {
            self.note(number, Dirt::Everything);
        }
        number
    }

    fn remove(&mut self, number: usize) {
        let Some(slot) = self.slots.get_mut(number).and_then(Option::take) else { return };
        self.index.remove(&slot.group.key);
        self.dues.remove(&(slot.group.window.due, number));
        self.bytes -= slot.bytes;
        self.free.push(number);
        if let Some(unknown) = self.unknown.as_mut().filter(|_| slot.stored) {
            unknown.gone.extend([stored::NUMBERS, stored::TEXTS].map(|prefix| stored::name(prefix, slot.group.id)));
        }
    }

    /// Makes the summary of what is folded, if anything is. With a reason it was held until now.
    fn emit(&mut self, number: usize, held_for: Option<Reason>, now: Now, out: &mut Logs) {
        let Some(Some(Slot { group, .. })) = self.slots.get_mut(number) else { return };
        let Some(folded) = group.folded.take() else { return };
        let more = group.sequence > 0 || held_for.is_none();
        let about = About { key: &group.key, opened: group.opened, sequence: group.sequence, more };
        self.summaries.write(&about, &folded, now, out);
        group.sequence += 1;
        self.cells.summaries.add(1);
        if let Some(reason) = held_for {
            self.cells.release(&folded.rule, reason, folded.count);
        }
        self.note(number, Dirt::Everything);
    }

    /// So many folded records of a group did not reach the threshold.
    fn give_up(&mut self, number: usize, records: u64) {
        let Some(Some(Slot { group, .. })) = self.slots.get_mut(number) else { return };
        let Some(folded) = group.folded.as_deref_mut().filter(|_| records > 0) else { return };
        folded.count = folded.count.saturating_sub(records);
        self.cells.release(&folded.rule, Reason::BelowThreshold, records);
        if folded.count == 0 {
            group.folded = None;
            self.note(number, Dirt::Everything);
        }
    }

    /// Notes that a group has changed.
    fn note(&mut self, number: usize, dirt: Dirt) {
        let Some(Some(slot)) = self.slots.get_mut(number) else { return };
        if dirt == Dirt::Everything {
            let bytes = OVERHEAD + slot.group.bytes();
            self.bytes = self.bytes - slot.bytes + bytes;
            slot.bytes = bytes;
        }
        let Some(unknown) = &mut self.unknown else { return };
        if slot.dirt == Dirt::Clean {
            unknown.changed.push(number);
        }
        slot.dirt = slot.dirt.max(dirt);
    }
}

impl State for Groups {
    fn changes(&mut self, changes: &mut Vec<Change>) {
        let Some(unknown) = &mut self.unknown else { return };
        let now = self.clock.now();
        changes.extend(unknown.settings.take().map(|settings| (stored::SETTINGS.to_owned(), Some(settings))));
        changes.extend(unknown.gone.drain(..).map(|name| (name, None)));
        for number in unknown.changed.drain(..) {
            // One that is gone may be free, or used and clean again.
            let Some(Some(slot)) = self.slots.get_mut(number).filter(|slot| slot.is_some()) else { continue };
            if slot.dirt == Dirt::Clean {
                continue;
            }
            let id = slot.group.id;
            changes.push((stored::name(stored::NUMBERS, id), Some(stored::numbers(&slot.group, now))));
            if slot.dirt == Dirt::Everything {
                changes.push((stored::name(stored::TEXTS, id), Some(stored::texts(&slot.group))));
            }
            (slot.dirt, slot.stored) = (Dirt::Clean, true);
        }
    }
}
