//! Which containers are followed right now.
//!
//! Promises: every selected container is found within [`RECONCILE`], whatever events are missed; one that starts
//! while Lanner runs is read from its beginning, also when it has already ended; a container is followed by at
//! most one task; a removed one is forgotten after [`GRACE`].
//!
//! Events are a hint for speed. The list of containers is the truth; it is read at start, after each reconnect of
//! the event stream, when events were missed, and every [`RECONCILE`].

use super::{
    checkpoints::{self, Checkpoints},
    config::StartAt,
    daemon::Backoff,
    follow::{Ended, Follower, Shared},
    select::{Candidate, Selection},
};
use futures_util::StreamExt;
use lanner_engine::prelude::*;
use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::mpsc,
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};

/// How often the list of containers is read.
pub const RECONCILE: Duration = Duration::from_secs(30);
/// How long a removed container is remembered: its last lines may still be on their way.
const GRACE: Duration = Duration::from_secs(600);
/// Most removed containers remembered.
const MAX_GONE: usize = 1000;
/// Events waiting to be looked at; more only bring the next look at the list forward.
const HINTS: usize = 1024;
/// Least time between two looks at the list that events ask for.
const CALM: Duration = Duration::from_millis(200);

/// Keeps a follower on every selected container.
pub struct Watch {
    pub shared: Arc<Shared>,
    pub selection: Selection,
    pub start_at: StartAt,
    pub max_containers: usize,
    checkpoints: Arc<Checkpoints>,
    known: HashMap<String, State>,
    followers: JoinSet<Ended>,
    tasks: HashMap<task::Id, String>,
    /// What was there when Lanner started; none before the first look.
    initial: Option<HashSet<String>>,
    /// Whether to look at the list as soon as a follower ends: a container waits for its place, or may have started
    /// again behind its back.
    look_after_end: bool,
}

enum State {
    Following,
    /// Read to its end; this is when it had started.
    Exited {
        started_at: String,
    },
    Unreadable,
    Gone {
        since: Instant,
    },
}

/// What the event stream tells.
enum Hint {
    Started(Candidate),
    /// The list should be looked at.
    Look,
}

impl Watch {
    /// Follows nothing yet.
    pub fn new(
        shared: Arc<Shared>,
        checkpoints: Checkpoints,
        selection: Selection,
        start_at: StartAt,
        max_containers: usize,
    ) -> Self {
        // Those of an earlier process count as gone until the list shows them.
        let gone = |id| (id, State::Gone { since: Instant::now() });
        Self {
            shared,
            selection,
            start_at,
            max_containers,
            known: checkpoints.containers().into_iter().map(gone).collect(),
            checkpoints: Arc::new(checkpoints),
            followers: JoinSet::new(),
            tasks: HashMap::new(),
            initial: None,
            look_after_end: false,
        }
    }

    /// Runs until drained and every follower has delivered what it read.
    pub async fn run(mut self, drain: Drain) {
        let (hints, mut hinted) = mpsc::channel(HINTS);
        // Before anything is followed: a kill from now on must not make the next start the first one.
        self.checkpoints.save_or_tell(&self.shared.metrics).await;
        let mut beside = JoinSet::new();
        beside.spawn(listen(Arc::clone(&self.shared), now_nanos(), hints, drain.clone()));
        beside.spawn(checkpoints::save_regularly(Arc::clone(&self.checkpoints), self.shared.metrics.clone()));
        let mut next_look = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                biased;
                () = drain.requested() => break,
                Some(ended) = self.followers.join_next_with_id() => {
                    self.ended(ended);
                    if std::mem::take(&mut self.look_after_end) {
                        next_look = Instant::now();
                    }
                }
                Some(hint) = hinted.recv() => match hint {
                    Hint::Started(candidate) => {
                        self.look_after_end |= matches!(self.known.get(&candidate.id), Some(State::Following));
                        self.consider(candidate, &drain);
                    }
                    Hint::Look => next_look = next_look.min(Instant::now() + CALM),
                },
                () = sleep_until(next_look) => {
                    let looked = tokio::select! {
                        () = drain.requested() => break,
                        looked = self.reconcile(&drain) => looked,
                    };
                    next_look = Instant::now() + match looked {
                        Ok(()) => {
                            backoff.reset();
                            RECONCILE
                        }
                        Err(_) => backoff.next_delay(),
                    };
                }
            }
        }
        drop(hinted);
        while let Some(ended) = self.followers.join_next_with_id().await {
            self.ended(ended);
        }
        self.checkpoints.save_or_tell(&self.shared.metrics).await;
    }

    /// Compares what is followed with the list of containers.
    async fn reconcile(&mut self, drain: &Drain) -> Result<(), super::engine_api::ApiError> {
        let engine = self.shared.daemon.engine().await?;
        let listed = match engine.list().await {
            Ok(listed) => listed,
            Err(error) => {
                self.shared.daemon.lost();
                return Err(error);
            }
        };
        let present: HashSet<String> = listed.iter().map(|(candidate, _)| candidate.id.clone()).collect();
        if self.initial.is_none() {
            self.initial = Some(present.clone());
        }
        self.forget_absent(&present);
        for (candidate, running) in listed {
            if !running
                && self.selection.wants(&candidate)
                && let Some(State::Exited { started_at }) = self.known.get(&candidate.id)
            {
                // It may have run between two looks.
                match engine.inspect(&candidate.id).await {
                    Ok(now) if now.started_at != *started_at => {}
                    _ => continue,
                }
            }
            self.consider(candidate, drain);
        }
        Ok(())
    }

    /// Forgets containers that are gone long enough.
    fn forget_absent(&mut self, present: &HashSet<String>) {
        let now = Instant::now();
        let mut gone = 0;
        let Self { known, checkpoints, initial, .. } = self;
        known.retain(|id, state| {
            if present.contains(id) || matches!(state, State::Following) {
                return true;
            }
            if !matches!(state, State::Gone { .. }) {
                *state = State::Gone { since: now };
            }
            gone += 1;
            let keep = gone <= MAX_GONE && matches!(state, State::Gone { since } if now.duration_since(*since) < GRACE);
            if !keep {
                checkpoints.remove(id);
            }
            keep
        });
        if let Some(initial) = initial {
            initial.retain(|id| present.contains(id) || known.contains_key(id));
        }
        self.count_unreadable();
    }

    /// Follows a container if it is wanted and not followed yet.
    fn consider(&mut self, candidate: Candidate, drain: &Drain) {
        if !self.selection.wants(&candidate)
            || matches!(self.known.get(&candidate.id), Some(State::Following | State::Unreadable))
        {
            return;
        }
        if self.followers.len() >= self.max_containers {
            self.shared.metrics.over_limit.add(1);
            if !std::mem::replace(&mut self.look_after_end, true) {
                tracing::warn!(
                    container = candidate.name,
                    max_containers = self.max_containers,
                    "a container waits until another ends; raise `max_containers` or narrow `include`"
                );
            }
            return;
        }
        let id = candidate.id;
        let old = self.initial.as_ref().is_none_or(|initial| initial.contains(&id));
        let floor = if old && self.start_at == StartAt::End { self.checkpoints.started } else { 0 };
        let follower =
            Follower { shared: Arc::clone(&self.shared), id: id.clone(), cursor: self.checkpoints.open(&id, floor) };
        tracing::debug!(container = candidate.name, "following");
        let task = self.followers.spawn(follower.follow(drain.child()));
        self.tasks.insert(task.id(), id.clone());
        self.known.insert(id, State::Following);
    }

    fn ended(&mut self, ended: Result<(task::Id, Ended), task::JoinError>) {
        let (task, ended) = match ended {
            Ok((task, ended)) => (task, Some(ended)),
            Err(error) => {
                tracing::error!(%error, "a follower broke; its container is followed again");
                (error.id(), None)
            }
        };
        let Some(id) = self.tasks.remove(&task) else { return };
        let state = match ended {
            Some(Ended::Exited { started_at }) => State::Exited { started_at },
            Some(Ended::Gone) => State::Gone { since: Instant::now() },
            Some(Ended::Unreadable { driver }) => {
                tracing::warn!(
                    container = id,
                    driver,
                    "the container's logging driver cannot be read; use json-file, local or journald for it"
                );
                State::Unreadable
            }
            Some(Ended::Drained) | None => {
                self.known.remove(&id);
                return;
            }
        };
        self.known.insert(id, state);
        self.count_unreadable();
    }

    fn count_unreadable(&self) {
        let unreadable = self.known.values().filter(|state| matches!(state, State::Unreadable)).count();
        self.shared.metrics.unreadable.set(unreadable as i64);
    }
}

/// Reads the event stream for ever, never waiting for anybody: the daemon gives a listener 100 ms per event.
async fn listen(shared: Arc<Shared>, started: u64, hints: mpsc::Sender<Hint>, drain: Drain) {
    let mut since = started;
    let mut backoff = Backoff::default();
    while !drain.is_requested() {
        if let Ok(engine) = shared.daemon.engine().await {
            let mut events = pin!(engine.events(since));
            // Whatever happened while nobody listened is in the list.
            let mut missed = hints.try_send(Hint::Look).is_err();
            while let Some(Ok(happened)) = tokio::select! {
                () = drain.requested() => return,
                happened = events.next() => happened,
            } {
                backoff.reset();
                since = happened.time.max(since);
                let hint = match happened.action.as_str() {
                    _ if missed => Hint::Look,
                    "start" => Hint::Started(happened.candidate),
                    "rename" => Hint::Look,
                    _ => continue,
                };
                missed = hints.try_send(hint).is_err();
            }
        }
        backoff.wait(&drain).await;
    }
}

/// The time, in nanoseconds since 1970.
pub fn now_nanos() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
