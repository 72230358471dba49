//! The two threads of a log: one writes, one reads.
//!
//! All blocking I/O is here. Reading has a thread of its own so that a sync that takes seconds does not keep senders
//! from what is on disk already.
//!
//! While one group is being synced the next one forms; how long it then waits for more is said in [`gathering`](crate::gathering).

use crate::{
    gathering::Gathering,
    index::{Index, Slot},
    reader::Reader,
    writer::{Job, Writer},
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// A disk that refuses acknowledgements is asked again after a time that doubles up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A file that cannot be read is tried again after this time.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// Work for the writer.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<InboxState>,
    work: Condvar,
}

#[derive(Default)]
struct InboxState {
    jobs: Vec<Job>,
    /// With so many the writer goes on; before, it need not be woken.
    enough: usize,
    /// Acknowledgements or dead files wait.
    upkeep: bool,
    closing: bool,
}

impl Inbox {
    /// Hands an append to the writer; gives it back when the log is closing.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if state.closing {
            return Err(job);
        }
        state.jobs.push(job);
        let enough = state.jobs.len() >= state.enough;
        drop(state);
        if enough {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Something was settled or dropped.
    pub fn upkeep(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.upkeep, true) {
            self.work.notify_one();
        }
    }

    /// Appends that wait for the next group.
    fn waiting(&self) -> usize {
        self.state.lock().jobs.len()
    }

    /// There is no writer any more; whoever waits for it is told so.
    pub fn abandon(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
    }

    /// Lets the writer finish what it has, and end.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }
}

/// Also when the writer panics nobody may wait for ever.
struct Abandoned<'i>(&'i Inbox);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Writes until the inbox is closed and empty.
pub fn write(mut writer: Writer, inbox: &Inbox, index: &Mutex<Index>, ack_interval: Duration) {
    let _end = Abandoned(inbox);
    let mut pause = ack_interval;
    let mut due: Option<Instant> = None;
    let mut gathering = Gathering::default();
    loop {
        let mut state = inbox.state.lock();
        while !state.closing {
            let now = Instant::now();
            let gathers = gathering.wanted(state.jobs.len(), now);
            let idle = state.jobs.is_empty();
            if idle && state.upkeep && due.is_none() {
                due = Some(now + pause);
            }
            if (!idle && gathers.is_none()) || (idle && due.is_some_and(|due| due <= now)) {
                break;
            }
            // Whoever comes first after answers wakes nobody if others are expected.
            state.enough = gathers.map_or(0, |(enough, _)| enough);
            let until = gathers.map(|(_, until)| until).into_iter().chain(due.filter(|_| idle)).min();
            match until {
                Some(until) => drop(inbox.work.wait_until(&mut state, until)),
                None => inbox.work.wait(&mut state),
            }
        }
        state.enough = 0;
        let jobs = std::mem::take(&mut state.jobs);
        let closing = state.closing && jobs.is_empty();
        state.upkeep = false;
        drop(state);
        if closing {
            writer.close();
            return;
        }
        let overdue = due.is_some_and(|due| due <= Instant::now());
        if !jobs.is_empty() {
            let (count, before) = (jobs.len(), Instant::now());
            writer.write(jobs);
            gathering.answered(count, inbox.waiting(), before.elapsed(), Instant::now());
            writer.answer();
        }
        let mut refused = overdue && writer.write_acknowledgements().is_err();
        if writer.has_dead_files() {
            refused |= writer.reclaim().is_err();
        }
        if overdue {
            due = None;
            pause = if refused { (pause * 2).min(LONGEST_PAUSE.max(ack_interval)) } else { ack_interval };
        }
        let index = index.lock();
        let waits = index.dirty || index.deaths;
        drop(index);
        if waits {
            inbox.state.lock().upkeep = true;
        }
    }
}

/// Queues that need something from the disk.
#[derive(Default)]
pub struct Wanted {
    state: Mutex<WantedState>,
    work: Condvar,
}

#[derive(Default)]
struct WantedState {
    slots: VecDeque<Slot>,
    closing: bool,
}

impl Wanted {
    /// Asks for the next entries of a queue; asking twice is asking once.
    pub fn ask(&self, slot: Slot) {
        let mut state = self.state.lock();
        if !state.slots.contains(&slot) {
            state.slots.push_back(slot);
            self.work.notify_one();
        }
    }

    pub fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }
}

/// Reads until closed.
pub fn read(reader: &Reader, wanted: &Wanted, index: &Mutex<Index>) {
    // Queues whose file could not be read, and when to try again.
    let mut later: VecDeque<(Instant, Slot)> = VecDeque::new();
    loop {
        let mut state = wanted.state.lock();
        let slot = loop {
            if state.closing {
                return;
            }
            if later.front().is_some_and(|(due, _)| *due <= Instant::now())
                && let Some((_, slot)) = later.pop_front()
            {
                break slot;
            }
            match state.slots.pop_front() {
                Some(slot) if later.iter().any(|(_, other)| *other == slot) => {}
                Some(slot) => break slot,
                None => match later.front() {
                    Some((due, _)) => drop(wanted.work.wait_until(&mut state, *due)),
                    None => wanted.work.wait(&mut state),
                },
            }
        };
        drop(state);
        if reader.fill(slot).is_err() {
            index.lock().counts.read_errors += 1;
            later.push_back((Instant::now() + READ_PAUSE, slot));
        } else if let Some(queue) = index.lock().queues.get(slot) {
            // Also when there was nothing: whoever waits looks again, and may ask again.
            queue.arrivals.notify_waiters();
        }
    }
}

/// The shared ends of both threads.
#[derive(Default)]
pub struct Ends {
    pub inbox: Arc<Inbox>,
    pub wanted: Arc<Wanted>,
}
