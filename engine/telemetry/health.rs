//! `Health`: whether the process is ready, and how each component is.
//!
//! Promises: one source for every health endpoint; a component's status is bounded by the configuration, because only
//! configured components report; reading never blocks on I/O. The names of statuses are the Collector's.

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// How the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Components are being built.
    #[default]
    Starting,
    /// Everything runs: traffic is welcome.
    Ready,
    /// Draining: no new traffic, please.
    Stopping,
}

/// How a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// It works again and again fails for a reason that may pass, such as a sink that does not answer.
    Recoverable(String),
    /// It will not work until someone changes something.
    Permanent(String),
}

impl Status {
    /// `StatusOK`, `StatusRecoverableError`, `StatusPermanentError`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "StatusOK",
            Self::Recoverable(_) => "StatusRecoverableError",
            Self::Permanent(_) => "StatusPermanentError",
        }
    }

    /// What is wrong, when something is.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Recoverable(error) | Self::Permanent(error) => Some(error),
        }
    }
}

/// The health of a process. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    started: (Instant, SystemTime),
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    phase: Phase,
    /// When the process became ready.
    ready: Option<(Instant, SystemTime)>,
    components: BTreeMap<Arc<str>, (Status, SystemTime)>,
}

impl Default for Health {
    fn default() -> Self {
        let started = (Instant::now(), SystemTime::now());
        Self(Arc::new(State { started, inner: Mutex::default() }))
    }
}

impl Health {
    /// Everything runs.
    pub fn ready(&self) {
        self.enter(Phase::Ready);
    }

    /// The drain began.
    pub fn stopping(&self) {
        self.enter(Phase::Stopping);
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        let mut inner = self.0.inner.lock();
        inner.phase = phase;
        if phase == Phase::Ready && inner.ready.is_none() {
            inner.ready = Some((Instant::now(), SystemTime::now()));
        }
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        self.0.inner.lock().phase
    }

    /// Since when, and for how long, the process has been ready; from its start when it never was.
    pub fn up(&self) -> (SystemTime, std::time::Duration) {
        let (instant, time) = self.0.inner.lock().ready.unwrap_or(self.0.started);
        (time, instant.elapsed())
    }

    /// Reports how a component is. `name` is kind and id, for example `exporter:otlp_grpc/tempo`.
    pub fn report(&self, name: &str, status: Status) {
        let mut inner = self.0.inner.lock();
        match inner.components.get_mut(name) {
            Some((known, _)) if *known == status => {}
            Some(known) => *known = (status, SystemTime::now()),
            None => {
                inner.components.insert(name.into(), (status, SystemTime::now()));
            }
        }
    }

    /// Reports a failure that may pass, unless the component itself has said that it will not.
    pub fn degrade(&self, name: &str, why: &str) {
        let is_permanent = |(status, _): &(Status, SystemTime)| matches!(status, Status::Permanent(_));
        if !self.0.inner.lock().components.get(name).is_some_and(is_permanent) {
            self.report(name, Status::Recoverable(why.to_owned()));
        }
    }

    /// Forgets a component that a reload took out.
    pub fn forget(&self, name: &str) {
        self.0.inner.lock().components.remove(name);
    }

    /// Every component that reported: its name, how it is, and since when.
    pub fn components(&self) -> Vec<(Arc<str>, Status, SystemTime)> {
        let inner = self.0.inner.lock();
        inner.components.iter().map(|(name, (status, since))| (Arc::clone(name), status.clone(), *since)).collect()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.phase()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a component reports the same status twice, then another; a permanent failure, then a passing one; it is taken out.
    /// Guarantee: `since` moves only when the status does; what is permanent stays so until the component is well.
    #[test]
    fn a_status_keeps_its_time_until_it_changes() {
        let health = Health::default();
        health.report("exporter:a", Status::Ok);
        let (_, _, first) = health.components()[0].clone();
        health.report("exporter:a", Status::Ok);
        assert_eq!(health.components()[0].2, first);
        health.report("exporter:a", Status::Recoverable("refused".into()));
        let (name, status, since) = health.components()[0].clone();
        assert_eq!(
            (&*name, status.as_str(), status.error()),
            ("exporter:a", "StatusRecoverableError", Some("refused"))
        );
        assert!(since >= first);
        health.report("exporter:a", Status::Permanent("damaged".into()));
        health.degrade("exporter:a", "refused");
        assert_eq!(health.components()[0].1, Status::Permanent("damaged".into()));
        health.report("exporter:a", Status::Ok);
        health.degrade("exporter:a", "refused");
        assert_eq!(health.components()[0].1, Status::Recoverable("refused".into()));
        health.forget("exporter:a");
        assert!(health.components().is_empty());
    }
}
