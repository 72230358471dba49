//! The traits components are written against.
//!
//! Four phases, each with one duty: **parse** (YAML to `Config`, done by the engine), **plan** (`Config` to the
//! checked form, pure), **build** (may bind, connect, open; must not spawn; dropping the result undoes it),
//! **run** (tasks live inside the returned future; ends on drain).

use super::{BuildCx, Consumer, Drain, Emitter, Outcome, Request, Routes, StorageProvider};
use crate::{
    config::PlanCx,
    event::{Batch, KeySet, LogRecord, Resource, Signals},
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Why a component could not be built or had to stop: shown to the user as it is.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How much a component may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    Development,
    Alpha,
    Beta,
    Stable,
}

impl Stability {
    /// The Collector's lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Stable => "stable",
        }
    }
}

/// What every component is, whatever its kind.
pub trait Component: Send + Sync + 'static {
    /// The `type` of ids.
    const TYPE: &'static str;
    /// Older spellings of the type, accepted with a warning.
    const ALIASES: &'static [&'static str] = &[];
    const STABILITY: Stability;
    /// Signals it takes (processors, exporters, connectors) or makes (receivers).
    const SIGNALS: Signals;
    /// Signals a connector makes; not used by other kinds.
    const PRODUCES: Signals = Signals::NONE;
    /// Whether an extension offers [`Extension::storage`]; not used by other kinds.
    const STORAGE: bool = false;
    const README: &'static str;
    /// What the user wrote.
    type Config: DeserializeOwned + Serialize + JsonSchema + Default + Send + 'static;
    /// What was checked. It implements the trait of the component's kind: [`Transform`], [`ReceiverPlan`], ...
    type Plan: Send + 'static;

    /// Checks a config: pure and synchronous, no I/O, no clock, no spawn. Reports every problem to `cx` and
    /// returns `None` when there was an error.
    fn plan(config: Self::Config, cx: &mut PlanCx<'_>) -> Option<Self::Plan>;
}

/// A stateless processor: runs inline on the task that brought the batch.
pub trait Transform: Send + Sync + 'static {
    /// Emits what is left of the batch, and says what was discarded and why. Records that are neither emitted
    /// nor discarded are counted as discarded with the reason `unaccounted`.
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>);

    /// Whether it must see records. Untouched OTLP is decoded only in front of transforms that say yes.
    fn reads_records(&self) -> bool {
        true
    }

    /// Whether it looks at the records of untouched OTLP by [`Emitter::emit_unless`] and [`Emitter::emit_edited`] alone, which
    /// make no more of each than it needs. Then such batches are not decoded in front of it.
    fn reads_encoded(&self) -> bool {
        false
    }

    /// Whether all it does is to leave records out, by [`Emitter::emit_unless`]. What it passes on then leaves byte for byte
    /// as it came. Of what any other transform makes of decoded records nothing leaves but what records hold: fields that only
    /// a later version of OTLP knows do not pass one that masks. They pass [`Emitter::emit_edited`].
    fn only_selects(&self) -> bool {
        false
    }
}

/// A checked transform that must be built: one that reads files, keeps them current, or counts on its own.
#[async_trait]
pub trait TransformPlan: Send + 'static {
    /// Opens and reads; must not spawn.
    ///
    /// # Errors
    /// A file cannot be read or is wrong.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn BuiltTransform>, BoxError>;
}

/// A transform with something going on beside it, such as watching a file.
#[async_trait]
pub trait BuiltTransform: Transform {
    /// Goes on until drained; the transform is used meanwhile.
    ///
    /// # Errors
    /// The transform cannot go on; the process stops.
    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        drain.requested().await;
        Ok(())
    }
}

/// What holds state or timers: an aggregating processor or a connector.
#[async_trait]
pub trait Stage: Send + Sync + 'static {
    /// Takes over a batch that the engine has accepted; from now on its items are this stage's to account for.
    /// Must be quick and bound its own memory.
    fn absorb(&self, batch: Batch);

    /// The attributes it looks at, of a record or of its resource, if it looks at nothing else but a record's times,
    /// severity and event name. Where nobody else sees the records, a receiver may then leave out all the rest, which is
    /// most of its work. `None` is everything.
    fn reads_only(&self) -> Option<KeySet> {
        None
    }

    /// Whether there is no room for more right now. The engine asks before it absorbs; senders then wait or are told to
    /// come back, as with a full queue. For stages whose output waits for a slow pipeline.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether the acknowledgement of what was absorbed waits for [`persist`](Self::persist). Such a stage may see a
    /// record again that it has absorbed already (the sender was told to repeat, or the process was killed before the
    /// answer), and must know it by its `log.record.uid`.
    fn is_durable(&self) -> bool {
        false
    }

    /// Returns once everything that was absorbed before the call is on disk.
    ///
    /// # Errors
    /// The storage failed. What was absorbed stays absorbed, but the sender is told to repeat it.
    ///
    /// Cancel-safe: dropped before it returns, the sender has no answer and repeats.
    async fn persist(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Emits to `out` until drained; on drain flushes what is held, then returns.
    ///
    /// # Errors
    /// The stage cannot go on; the process stops.
    async fn run(&self, out: Consumer, drain: Drain) -> Result<(), BoxError>;
}

/// A checked stage, not yet built.
#[async_trait]
pub trait StagePlan: Send + 'static {
    /// # Errors
    /// A file or address it needs is not to be had.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Stage>, BoxError>;
}

/// A connector that chooses the pipelines a record goes to. It runs inline on the task that brought the batch, inside
/// its transaction: the acknowledgement still means that every item is wherever it must be, over all these pipelines.
///
/// The engine splits the batch, so that nothing can get lost: what goes to no pipeline is rejected with the reason
/// `no_route`, and the order within each pipeline is that of the batch.
pub trait Router: Send + Sync + 'static {
    /// Adds to `routes` the pipelines that a record goes to, among those that the plan claimed with
    /// [`PlanCx::routes_to`].
    fn route(&self, resource: &Resource, record: &LogRecord, routes: &mut Routes);

    /// The same for a whole batch nobody looks into: metrics, traces, and logs unless
    /// [`reads_records`](Self::reads_records). Pipelines of other signals than the batch's are passed over.
    fn route_unread(&self, routes: &mut Routes);

    /// Whether it must see log records. Untouched OTLP is decoded only in front of routers that say yes.
    fn reads_records(&self) -> bool {
        true
    }
}

/// A checked receiver, not yet built.
#[async_trait]
pub trait ReceiverPlan: Send + 'static {
    /// Binds and opens; must not spawn.
    ///
    /// # Errors
    /// The address is in use, a certificate cannot be read, and so on.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError>;
}

/// A running source.
#[async_trait]
pub trait Receiver: Send + 'static {
    /// Brings batches to `out` until drained. On drain: takes nothing new, finishes what is in flight, returns.
    /// One whose source has come to its end may return earlier; when all receivers have, the process drains and ends.
    /// `out.consume(batch).await` **is** the acknowledgement: answer the sender only after it.
    ///
    /// # Errors
    /// The receiver cannot go on; the process stops.
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError>;
}

/// A checked exporter, not yet built.
#[async_trait]
pub trait ExporterPlan: Send + 'static {
    /// Opens clients and files. A sink that does not answer is no error here: sends are retried.
    ///
    /// # Errors
    /// A certificate cannot be read, a file cannot be opened, and so on.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError>;
}

/// A sink. Makes one attempt per call; queue, batching, retry, timeout, concurrency and metrics are the engine's.
#[async_trait]
pub trait Exporter: Send + Sync + 'static {
    /// Makes one attempt. May be called concurrently. Dropping the future (timeout) abandons the attempt.
    async fn export(&self, request: &Request) -> Outcome;

    /// Serves, rotates, reconnects: whatever goes on beside exports, until drained. Ends after the last export.
    ///
    /// # Errors
    /// The exporter cannot go on; the process stops.
    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        drain.requested().await;
        Ok(())
    }
}

/// A checked extension, not yet built.
#[async_trait]
pub trait ExtensionPlan: Send + 'static {
    /// # Errors
    /// The address is in use, and so on.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Extension>, BoxError>;
}

/// Something beside the pipelines, such as a health endpoint.
#[async_trait]
pub trait Extension: Send + 'static {
    /// The state it keeps for other components, if that is what it is for.
    fn storage(&self) -> Option<Arc<dyn StorageProvider>> {
        None
    }

    /// Runs until drained. Extensions start first and stop last.
    ///
    /// # Errors
    /// The extension cannot go on; the process stops.
    async fn run(self: Box<Self>, drain: Drain) -> Result<(), BoxError>;
}
