//! `Consumer`: what a receiver or a stage hands its batches to, and `Intake`, what stands behind it.

use super::{Drain, Refused};
use crate::event::{Batch, KeySet, Signals};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// The way into the pipelines of one receiver or stage. Clones share it.
#[derive(Clone)]
pub struct Consumer(Arc<dyn Intake>);

/// What stands behind a [`Consumer`]: the engine, or a test.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Takes a batch, waiting up to `hold` while the pipeline is busy. All or nothing.
    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_>;

    /// Takes a batch, waiting for room until `drain` is given. All or nothing; waiting is not refusing: it fails with
    /// [`Refused::Draining`] or [`Refused::Invalid`] only.
    fn take_patiently<'t>(&'t self, batch: Batch, drain: &'t Drain) -> Taking<'t>;

    /// Room for `bytes` in the memory budget.
    ///
    /// # Errors
    /// The budget is used up, or the process is stopping.
    fn admit(&self, bytes: usize) -> Result<Admission, Refused>;

    /// Returns once little waits behind it.
    async fn relieved(&self) {}

    /// The signals that are connected: a batch of any other is refused.
    fn signals(&self) -> Signals {
        Signals::ALL
    }

    /// Whether somebody behind it looks at the records of logs. If not, what can be encoded without them should be.
    fn reads_records(&self) -> bool {
        true
    }

    /// See [`Consumer::reads_only`].
    fn reads_only(&self) -> Option<&Arc<KeySet>> {
        None
    }

    /// Counts input that the component itself could not use or did not want.
    fn failed(&self, items: u64, reason: &'static str);
}

/// What becomes of a batch. Most are taken, or refused, at once, which takes no allocation.
///
/// # Errors
/// Nothing of the batch was taken.
///
/// Cancel-safe: dropped before it returns, the batch is in every queue or in none.
#[must_use = "a batch may be refused"]
pub struct Taking<'t>(Progress<'t>);

enum Progress<'t> {
    Done(Option<Result<(), Refused>>),
    Waits(BoxFuture<'t, Result<(), Refused>>),
}

impl<'t> Taking<'t> {
    /// It is decided.
    pub fn done(result: Result<(), Refused>) -> Self {
        Self(Progress::Done(Some(result)))
    }

    /// This decides it.
    pub fn waits(future: impl Future<Output = Result<(), Refused>> + Send + 't) -> Self {
        Self(Progress::Waits(Box::pin(future)))
    }
}

impl Future for Taking<'_> {
    type Output = Result<(), Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            // Only who polls again after the end, which futures need not bear, waits for ever.
            Progress::Done(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Progress::Waits(future) => future.as_mut().poll(cx),
        }
    }
}

/// Room in the memory budget, given back when dropped.
#[must_use = "the room is given back when this is dropped"]
pub struct Admission {
    of: Arc<dyn Room>,
    bytes: usize,
}

/// What room is taken of.
pub trait Room: Send + Sync + 'static {
    /// Takes so many bytes back, of what was admitted.
    fn give_back(&self, bytes: usize);
}

impl Admission {
    /// `bytes`, taken of `of`.
    pub fn new(of: Arc<dyn Room>, bytes: usize) -> Self {
        Self { of, bytes }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.of.give_back(self.bytes);
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admission({})", self.bytes)
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

    /// Whether somebody behind it looks at the records of logs; else a batch of untouched OTLP costs less.
    pub fn reads_records(&self) -> bool {
        self.0.reads_records()
    }

    /// The attributes of logs that somebody behind it looks at, if there is nobody who needs more of a record than these
    /// and its times, severity and event name. `None` is everything.
    pub fn reads_only(&self) -> Option<&Arc<KeySet>> {
        self.0.reads_only()
    }

    /// Asks for room for a body of `bytes`, before it is read. Hold the result until `consume` returned.
    ///
    /// # Errors
    /// [`Refused::Busy`] when the memory budget is used up, [`Refused::Draining`] when stopping.
    pub fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        self.0.admit(bytes)
    }

    /// Waits up to `limit` until little waits in the queues. For receivers whose senders keep what is not answered: they are
    /// slowed down to the pace of the sinks before memory is used for what these cannot take yet. A sink that takes
    /// nothing costs each request the limit and no more, so that queues fill as they should.
    ///
    /// Cancel-safe.
    pub async fn pace(&self, limit: Duration) {
        // Over means that the queues are there to be filled.
        let _over = tokio::time::timeout(limit, self.0.relieved()).await;
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
