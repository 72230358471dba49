//! `Consumer`: what a receiver or a stage hands its batches to, and `Intake`, what stands behind it.

use super::{Drain, Refused};
use crate::event::{Batch, Signals};
use async_trait::async_trait;
use std::{fmt, sync::Arc, time::Duration};

/// The way into the pipelines of one receiver or stage. Clones share it.
#[derive(Clone)]
pub struct Consumer(Arc<dyn Intake>);

/// What stands behind a [`Consumer`]: the engine, or a test.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Takes a batch, waiting up to `hold` while the pipeline is busy. All or nothing.
    ///
    /// # Errors
    /// Nothing of the batch was taken.
    async fn take(&self, batch: Batch, hold: Duration) -> Result<(), Refused>;

    /// Takes a batch, waiting for room until `drain` is given. All or nothing; waiting is not refusing.
    ///
    /// # Errors
    /// Nothing of the batch was taken: [`Refused::Draining`] or [`Refused::Invalid`].
    async fn take_patiently(&self, batch: Batch, drain: &Drain) -> Result<(), Refused>;

    /// Room for `bytes` in the memory budget.
    ///
    /// # Errors
    /// The budget is used up, or the process is stopping.
    fn admit(&self, bytes: usize) -> Result<Admission, Refused>;

    /// The signals that are connected: a batch of any other is refused.
    fn signals(&self) -> Signals {
        Signals::ALL
    }

    /// Counts input that the component itself could not use or did not want.
    fn failed(&self, items: u64, reason: &'static str);
}

/// Room in the memory budget, given back when dropped.
#[must_use = "the room is given back when this is dropped"]
pub struct Admission(#[allow(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl Admission {
    /// Gives the room back by dropping `guard`.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

impl Consumer {
    /// A consumer in front of `intake`.
    pub fn new(intake: Arc<dyn Intake>) -> Self {
        Self(intake)
    }

    /// Hands a batch over. Returning `Ok` is the acknowledgement: every queue the batch must reach has it.
    ///
    /// # Errors
    /// [`Refused`]: nothing of the batch was taken.
    ///
    /// Cancel-safe: dropped before it returns, the batch is in every queue or in none.
    pub async fn consume(&self, batch: Batch) -> Result<(), Refused> {
        self.0.take(batch, Duration::ZERO).await
    }

    /// Like [`Consumer::consume`], but waits up to `hold` for room while the pipeline is busy.
    ///
    /// # Errors
    /// As `consume`.
    pub async fn consume_within(&self, batch: Batch, hold: Duration) -> Result<(), Refused> {
        self.0.take(batch, hold).await
    }

    /// Like [`Consumer::consume`], but waits for room as long as it takes, until `drain` is given: for sources that can
    /// be read later, such as files and logs, and have nobody waiting for an answer. While it waits nothing is counted
    /// as refused. After `drain` a batch is still taken when there is room at once.
    ///
    /// # Errors
    /// Only [`Refused::Draining`], when `drain` was given or the pipelines are closed, and [`Refused::Invalid`].
    ///
    /// Cancel-safe, as `consume`.
    pub async fn consume_patiently(&self, batch: Batch, drain: &Drain) -> Result<(), Refused> {
        self.0.take_patiently(batch, drain).await
    }

    /// Asks for room for a body of `bytes`, before it is read. Hold the result until `consume` returned.
    ///
    /// # Errors
    /// [`Refused::Busy`] when the memory budget is used up, [`Refused::Draining`] when stopping.
    pub fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        self.0.admit(bytes)
    }

    /// The signals that are connected: those with a pipeline behind this component.
    pub fn signals(&self) -> Signals {
        self.0.signals()
    }

    /// Counts items that the component itself could not use (damaged input) or did not want. They were never
    /// accepted. The reason is part of a metric: a constant, not event data.
    pub fn failed(&self, items: u64, reason: &'static str) {
        self.0.failed(items, reason);
    }
}
