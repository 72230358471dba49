//! `Tier`: tasks that start and stop together.
//!
//! Promises: a task that fails or panics is told apart from one that comes to its end, with its component; none outlives
//! its tier.

use crate::component::{BoxError, ComponentId, Drain, Kind};
use std::{collections::BTreeMap, future::Future, sync::Arc};
use tokio::{task::JoinSet, time::Instant};

/// A component that ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{kind} \"{id}\" stopped: {source}")]
    Failed { kind: Kind, id: ComponentId, source: BoxError },
    #[error("{kind} \"{id}\" panicked: {message}")]
    Panicked { kind: Kind, id: ComponentId, message: String },
}

impl RunError {
    /// The component that failed.
    pub fn component(&self) -> (Kind, &ComponentId) {
        match self {
            Self::Failed { kind, id, .. } | Self::Panicked { kind, id, .. } => (*kind, id),
        }
    }
}

/// Tasks that stop together.
#[derive(Default)]
pub(super) struct Tier {
    /// Asks all of them to stop.
    pub drain: Drain,
    tasks: JoinSet<()>,
    names: BTreeMap<tokio::task::Id, (Kind, ComponentId)>,
    failures: Failures,
}

type Failures = Arc<parking_lot::Mutex<Vec<RunError>>>;

impl Tier {
    /// Starts a task.
    pub fn spawn(
        &mut self,
        kind: Kind,
        id: ComponentId,
        run: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) {
        let (failures, name) = (Arc::clone(&self.failures), id.clone());
        let handle = self.tasks.spawn(async move {
            if let Err(source) = run.await {
                failures.lock().push(RunError::Failed { kind, id: name, source });
            }
        });
        self.names.insert(handle.id(), (kind, id));
    }

    /// Returns when a task fails. Tasks that end without an error, as a finite receiver does, are no failure.
    pub async fn failed(&mut self) -> RunError {
        match self.ended().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Returns when a task fails, or with `None` when all have ended without an error. Where there is no task, nothing
    /// ends.
    pub async fn ended(&mut self) -> Option<RunError> {
        if self.tasks.is_empty() {
            std::future::pending().await
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Some(error) = self.note(ended) {
                return Some(error);
            }
        }
        None
    }

    fn note(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) -> Option<RunError> {
        match ended {
            Ok(_) => self.failures.lock().pop(),
            Err(error) if error.is_panic() => {
                let (kind, id) = self.names.get(&error.id()).cloned()?;
                let panic = error.into_panic();
                let message = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Some(RunError::Panicked { kind, id, message })
            }
            Err(_) => None,
        }
    }

    /// Waits for all tasks; false when `end` came first.
    pub async fn ended_by(&mut self, end: Instant) -> bool {
        tokio::time::timeout_at(end, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                if let Some(error) = self.note(ended) {
                    tracing::error!("{error}");
                }
            }
        })
        .await
        .is_ok()
    }

    /// Asks all tasks to stop, and ends those that have not by `end`.
    pub async fn stop(&mut self, end: Instant) {
        self.drain.request();
        if !self.ended_by(end).await {
            for (kind, id) in self.names.values() {
                tracing::warn!("{kind} \"{id}\" may not have stopped in time");
            }
            self.tasks.shutdown().await;
        }
    }
}

/// Returns when a task of any of these fails.
pub(super) async fn first_failure<'t>(tiers: impl Iterator<Item = &'t mut Tier>) -> RunError {
    use futures_util::{StreamExt, stream::FuturesUnordered};
    let mut failures: FuturesUnordered<_> = tiers.map(Tier::failed).collect();
    match failures.next().await {
        Some(error) => error,
        None => std::future::pending().await,
    }
}
