//! The way in: what stands behind the [`Consumer`](crate::component::Consumer) of a receiver or a stage.
//!
//! Promise: `take` returns `Ok` only after the batch is in every queue it must reach, with exporters that have no
//! queue, or deliberately discarded; on any error nothing of it is anywhere.

use super::{
    budget::Budget,
    direct::Failed,
    finishing::Finishing,
    line::{Counted, Turn},
    pipeline::Pipeline,
    transaction::{Hindrance, Transaction},
};
use crate::{
    component::{Admission, BoxError, ComponentId, Drain, Intake, Kind, Refused, Taking},
    event::{Batch, KeySet, Signal, Signals},
    telemetry::{Counter, Telemetry},
};
use async_trait::async_trait;
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How soon a refused sender may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often an exporter without a queue is tried while a request is held.
const HOLD_ATTEMPTS: u32 = 4;
/// Behind an attempt in vain in one's turn. What it had reserved elsewhere counts as room when it is given back, so without
/// it two requests could give each other turns all the time.
const BREATH: Duration = Duration::from_millis(2);
/// How often a stage or a disk without room is asked again: they give no signal.
const UNANNOUNCED_BREATH: Duration = Duration::from_millis(20);
/// When more than so many ask, each asks the less often, so that thousands are no load.
const ASKERS: usize = 64;

/// How long a sender waits for room.
#[derive(Clone, Copy)]
enum Patience<'a> {
    For(Duration),
    Until(&'a Drain),
}

/// The same, without a caller who may go away.
enum OwnPatience {
    For(Duration),
    Until(Drain),
}

impl Patience<'_> {
    /// Returns when a sender that waits for ever must give up after all.
    async fn over(self) {
        match self {
            Self::For(_) => std::future::pending().await,
            Self::Until(drain) => drain.requested().await,
        }
    }
}

/// What became of a batch at once.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is returned")]
enum Begun<'g> {
    Over(Result<(), Refused>),
    Waits(Waits<'g>),
}

/// A batch whose commit has to be waited for.
struct Waits<'g> {
    signal: Signal,
    items: u64,
    transaction: Transaction<'g>,
    /// What hindered the first attempt, if there was one.
    hindrance: Option<Hindrance<'g>>,
}

/// Pipelines behind one receiver or stage.
pub struct PipelineIntake {
    id: ComponentId,
    telemetry: Telemetry,
    pipelines: Vec<(Signal, Arc<Pipeline>)>,
    /// Whether one of them looks at the records of logs.
    reads_records: bool,
    /// What they need of records, if it is not everything.
    reads_only: Option<Arc<KeySet>>,
    budget: Budget,
    /// Given once nothing new may be taken.
    closed: Drain,
    /// Itself, where a queue is on disk: a batch is then taken to its end also when the caller's future is dropped, so that
    /// the write to the disk and the books agree.
    finishes: Option<Weak<Self>>,
    /// Those who ask a stage or a disk for room now and then.
    asking: AtomicUsize,
    /// Failures of storages since the last success.
    unstored: AtomicU32,
    logs: Counts,
    metrics: Counts,
    traces: Counts,
}

/// The Collector's receiver metrics of one signal.
struct Counts {
    accepted: Counter,
    refused: Counter,
}

impl PipelineIntake {
    /// The way into `pipelines` for the component `id`.
    pub fn new(
        kind: Kind,
        id: ComponentId,
        pipelines: Vec<(Signal, Arc<Pipeline>)>,
        budget: Budget,
        closed: Drain,
        telemetry: &Telemetry,
    ) -> Arc<Self> {
        let label = [(kind.as_str(), id.as_str())];
        let counts = |accepted, refused| Counts {
            accepted: telemetry.counter(accepted, "Items pushed into the pipeline.", "{record}", &label),
            refused: telemetry.counter(
                refused,
                "Items that could not be pushed into the pipeline; the sender was told.",
                "{record}",
                &label,
            ),
        };
        // Stages are counted under names of their own, so that the receiver metrics count receivers only.
        let (logs, metrics, traces) = if kind == Kind::Receiver {
            (
                counts("otelcol_receiver_accepted_log_records", "otelcol_receiver_refused_log_records"),
                counts("otelcol_receiver_accepted_metric_points", "otelcol_receiver_refused_metric_points"),
                counts("otelcol_receiver_accepted_spans", "otelcol_receiver_refused_spans"),
            )
        } else {
            (
                counts("lanner_stage_accepted_log_records", "lanner_stage_refused_log_records"),
                counts("lanner_stage_accepted_metric_points", "lanner_stage_refused_metric_points"),
                counts("lanner_stage_accepted_spans", "lanner_stage_refused_spans"),
            )
        };
        let reads_records = pipelines.iter().any(|(_, pipeline)| pipeline.reads_records());
        let mut logs_pipelines = pipelines.iter().filter(|(signal, _)| *signal == Signal::Logs);
        let reads_only = logs_pipelines
            .try_fold(KeySet::default(), |all, (_, pipeline)| Some(all.union(&pipeline.reads_only()?)))
            .map(Arc::new);
        let durable = pipelines.iter().any(|(_, pipeline)| pipeline.is_on_disk());
        Arc::new_cyclic(|this| Self {
            id,
            telemetry: telemetry.clone(),
            pipelines,
            reads_records,
            reads_only,
            budget,
            closed,
            finishes: durable.then(|| this.clone()),
            asking: AtomicUsize::new(0),
            unstored: AtomicU32::new(0),
            logs,
            metrics,
            traces,
        })
    }

    fn counts(&self, signal: Signal) -> &Counts {
        match signal {
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
            Signal::Traces => &self.traces,
        }
    }

    /// Takes a batch: at once, where nothing has to be waited for, and to the end where that is needed.
    fn taken<'t>(&'t self, batch: Batch, patience: Patience<'t>) -> Taking<'t> {
        let Some(this) = self.finishes.as_ref().and_then(Weak::upgrade) else {
            return match self.begin(batch) {
                Begun::Over(result) => Taking::done(result),
                Begun::Waits(mut waits) => Taking::waits(async move { self.go_on(&mut waits, patience).await }),
            };
        };
        let patience = match patience {
            Patience::For(hold) => OwnPatience::For(hold),
            Patience::Until(drain) => OwnPatience::Until(drain.clone()),
        };
        Taking::waits(Finishing::new(async move {
            let patience = match &patience {
                OwnPatience::For(hold) => Patience::For(*hold),
                OwnPatience::Until(drain) => Patience::Until(drain),
            };
            let mut waits = match this.begin(batch) {
                Begun::Over(result) => return result,
                Begun::Waits(waits) => waits,
            };
            this.go_on(&mut waits, patience).await
        }))
    }

    /// Does what can be done at once.
    fn begin(&self, batch: Batch) -> Begun<'_> {
        let (signal, items) = (batch.signal(), batch.len() as u64);
        if items == 0 {
            return Begun::Over(Ok(()));
        }
        let mut transaction = match self.walk(batch) {
            Ok(transaction) => transaction,
            Err(refused) => return Begun::Over(self.counted(signal, items, Err(refused))),
        };
        let hindrance = match transaction.takes_time() {
            true => None,
            false => match transaction.commit_at_once() {
                Ok(()) => return Begun::Over(self.counted(signal, items, Ok(()))),
                Err(hindrance) => Some(hindrance),
            },
        };
        Begun::Waits(Waits { signal, items, transaction, hindrance })
    }

    /// Does the rest. Every batch on its way to a disk is here for a while: what it holds is lent and what seldom happens is
    /// boxed, since both would make its future several times larger.
    async fn go_on(&self, waits: &mut Waits<'_>, patience: Patience<'_>) -> Result<(), Refused> {
        let (mut deadline, mut turn) = (None, None);
        let taken = loop {
            let had_turn = turn.is_some();
            let hindrance = match waits.hindrance.take() {
                Some(hindrance) => hindrance,
                None => match waits.transaction.commit(turn.take()).await {
                    Ok(()) => {
                        self.stored();
                        break Ok(());
                    }
                    Err(hindrance) => hindrance,
                },
            };
            match Box::pin(self.over(hindrance, had_turn, patience, &mut deadline)).await {
                Ok(next) => turn = next,
                Err(refused) => break Err(refused),
            }
        };
        self.counted(waits.signal, waits.items, taken)
    }

    /// Counts what became of so many items.
    fn counted(&self, signal: Signal, items: u64, taken: Result<(), Refused>) -> Result<(), Refused> {
        let counts = self.counts(signal);
        let counter = if taken.is_ok() { &counts.accepted } else { &counts.refused };
        counter.add(items);
        taken
    }

    /// Everything that taking a batch means.
    fn walk(&self, batch: Batch) -> Result<Transaction<'_>, Refused> {
        if self.closed.is_requested() {
            return Err(Refused::Draining);
        }
        let signal = batch.signal();
        let mut transaction = Transaction::default();
        let mut pipelines = self.pipelines.iter().filter(|(takes, _)| *takes == signal).map(|(_, pipeline)| pipeline);
        let Some(first) = pipelines.next() else {
            return Err(Refused::Invalid(format!("`{}` is in no {signal} pipeline", self.id)));
        };
        for pipeline in pipelines {
            pipeline.walk(batch.clone(), &mut transaction)?;
        }
        first.walk(batch, &mut transaction)?;
        Ok(transaction)
    }

    /// Waits until it is worth another attempt, in line where there is one; `had_turn` says whether the last one was that of a
    /// turn.
    async fn over<'g>(
        &self,
        hindrance: Hindrance<'g>,
        had_turn: bool,
        patience: Patience<'_>,
        deadline: &mut Option<Instant>,
    ) -> Result<Option<Turn<'g>>, Refused> {
        let deadline = match patience {
            Patience::For(hold) => Some(*deadline.get_or_insert_with(|| Instant::now() + hold)),
            Patience::Until(_) => None,
        };
        let mut shortage = None;
        let (full, until, retry_after) = match hindrance {
            Hindrance::Full(at) => {
                shortage = Some(at);
                (at.name(), deadline.filter(|_| !at.blocks()), RETRY_AFTER)
            }
            Hindrance::FullStage { name } => (name, deadline, RETRY_AFTER),
            Hindrance::FullDisk { name, holds: false, .. } if matches!(patience, Patience::For(_)) => {
                return Err(Refused::Busy { full: name, retry_after: RETRY_AFTER });
            }
            Hindrance::FullDisk { name, .. } => (name, deadline, RETRY_AFTER),
            Hindrance::TooLarge(why) => return Err(Refused::Invalid(why)),
            Hindrance::Unstored { name, error } => {
                self.not_stored(&name, &error);
                (format!("the storage of {name}"), deadline, RETRY_AFTER)
            }
            Hindrance::Failed(Failed { id, after, asked }) => {
                // Within a short hold there is no time for the usual delays, unless the sink asked for one.
                let delay = match patience {
                    Patience::For(hold) if !asked => after.min(hold / HOLD_ATTEMPTS),
                    _ => after,
                };
                if deadline.is_some_and(|deadline| Instant::now() + delay >= deadline) {
                    return Err(Refused::Busy { full: id.to_string(), retry_after: after });
                }
                tokio::select! {
                    () = tokio::time::sleep(delay) => return Ok(None),
                    () = patience.over() => return Err(Refused::Draining),
                    () = self.closed.requested() => return Err(Refused::Draining),
                }
            }
        };
        let again = async {
            match shortage {
                Some(_) if had_turn => tokio::time::sleep(BREATH).await,
                Some(shortage) => return Some(shortage.turn().await),
                None => {
                    let _asks = Counted::new(&self.asking);
                    let times = 1 + self.asking.load(Relaxed) / ASKERS;
                    tokio::time::sleep(UNANNOUNCED_BREATH * u32::try_from(times).unwrap_or(u32::MAX)).await;
                }
            }
            None
        };
        let timeout = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = patience.over() => Err(Refused::Draining),
            () = self.closed.requested() => Err(Refused::Draining),
            () = timeout => Err(Refused::Busy { full, retry_after }),
            turn = again => Ok(turn),
        }
    }
}

/// What is told about storages that fail. Logged are the first failure, then every 2^n-th, then the success, so that a dead
/// disk does not fill the log.
impl PipelineIntake {
    fn not_stored(&self, name: &str, error: &BoxError) {
        let failures = self.unstored.fetch_add(1, Relaxed).saturating_add(1);
        if failures.is_power_of_two() {
            tracing::warn!(component = name, error, failures, "the storage failed; senders are told to repeat");
        }
    }

    fn stored(&self) {
        if self.unstored.load(Relaxed) == 0 {
            return;
        }
        let failures = self.unstored.swap(0, Relaxed);
        if failures > 0 {
            tracing::info!(component = %self.id, failures, "the storage works again");
        }
    }
}

#[async_trait]
impl Intake for PipelineIntake {
    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_> {
        self.taken(batch, Patience::For(hold))
    }

    fn take_patiently<'t>(&'t self, batch: Batch, drain: &'t Drain) -> Taking<'t> {
        self.taken(batch, Patience::Until(drain))
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        if self.closed.is_requested() {
            return Err(Refused::Draining);
        }
        let full = || Refused::Busy { full: "the memory budget".to_owned(), retry_after: RETRY_AFTER };
        self.budget.reserve(bytes).ok_or_else(full)
    }

    async fn relieved(&self) {
        tokio::select! {
            biased;
            () = self.budget.relieved() => {}
            () = self.closed.requested() => {}
        }
    }

    fn signals(&self) -> Signals {
        self.pipelines.iter().fold(Signals::NONE, |all, (signal, _)| all.and(Signals::of(*signal)))
    }

    fn reads_records(&self) -> bool {
        self.reads_records
    }

    fn reads_only(&self) -> Option<&Arc<KeySet>> {
        self.reads_only.as_ref()
    }

    fn failed(&self, items: u64, reason: &'static str) {
        self.telemetry
            .counter(
                "otelcol_receiver_failed_log_records",
                "Items the receiver could not use; they never reached a pipeline.",
                "{record}",
                &[("receiver", self.id.as_str()), ("reason", reason)],
            )
            .add(items);
    }
}
