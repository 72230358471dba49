//! The ledger: where every accepted item went.
//!
//! Promise: for each pipeline and each of its destinations, at any quiet moment,
//! `accepted + created + recovered = discarded + delivered + queued + rejected`. The first two and discarded belong to the pipeline;
//! recovered and the other three to each destination, since a fan-out owes every item to all of them. Everything of one request is counted
//! when it is committed, so a refused request leaves no trace here.
//!
//! Accounts outlive the graphs that reloads replace: asking for one again gives the same. What a pipeline took while a
//! destination was not in it is no part of that destination's row.

use crate::telemetry::{Counter, Telemetry, UpDownCounter};
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The ledger of all pipelines. Clones share it.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<Arc<PipelineAccount>>>>);

/// What a pipeline accepted, and what its processors made and discarded.
pub struct PipelineAccount {
    pipeline: String,
    telemetry: Telemetry,
    pub accepted: Counter,
    pub created: Counter,
    discarded: Mutex<Vec<Reasoned>>,
    degraded: Mutex<Vec<Reasoned>>,
    destinations: Mutex<Vec<Arc<DestinationAccount>>>,
}

/// Items of a processor under a reason.
struct Reasoned {
    processor: String,
    reason: &'static str,
    items: Counter,
}

/// What became of a pipeline's items at one exporter, connector or stage.
pub struct DestinationAccount {
    pipeline: String,
    destination: String,
    telemetry: Telemetry,
    /// Items that an earlier run of the process had accepted and left in the queue.
    pub recovered: Counter,
    pub delivered: Counter,
    pub queued: UpDownCounter,
    rejected: Mutex<Vec<(&'static str, Counter)>>,
    absence: Mutex<Absence>,
}

/// What a pipeline took while a destination was not in it.
#[derive(Default)]
struct Absence {
    missed: Totals,
    /// The pipeline's totals when the destination left it; none while it is in it.
    since: Option<Totals>,
}

/// The pipeline's side of a row.
#[derive(Clone, Default)]
struct Totals {
    accepted: u64,
    created: u64,
    /// By processor and reason.
    discarded: BTreeMap<String, u64>,
}

impl Totals {
    /// What came between an earlier moment and this one.
    fn since(&self, earlier: &Self) -> Self {
        let before = |name: &str| earlier.discarded.get(name).copied().unwrap_or(0);
        let discarded = self.discarded.iter().map(|(name, items)| (name.clone(), items.saturating_sub(before(name))));
        Self {
            accepted: self.accepted.saturating_sub(earlier.accepted),
            created: self.created.saturating_sub(earlier.created),
            discarded: discarded.filter(|(_, items)| *items > 0).collect(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.accepted += more.accepted;
        self.created += more.created;
        for (name, items) in &more.discarded {
            *self.discarded.entry(name.clone()).or_default() += items;
        }
    }

    /// Items that reached the end of the pipeline.
    fn passed(&self) -> u64 {
        (self.accepted + self.created).saturating_sub(self.discarded.values().sum())
    }
}

/// Why items were rejected after they had been accepted. Constants, because they become label values.
pub mod reason {
    /// The sink will never take the request.
    pub const SINK: &str = "rejected_by_sink";
    /// The sink took the request but for these items.
    pub const PARTIAL: &str = "partial_success";
    /// `retry_on_failure.enabled` is false and the attempt failed.
    pub const NO_RETRY: &str = "retry_disabled";
    /// `retry_on_failure.max_elapsed_time` is over.
    pub const GAVE_UP: &str = "retry_time_elapsed";
    /// The queue on disk was full, and these were the oldest (`on_full: drop_oldest`).
    pub const DROPPED_OLDEST: &str = "dropped_oldest";
    /// The drain deadline came before the sink took them.
    pub const SHUTDOWN: &str = "shutdown_deadline";
    /// The sending task ended without settling them.
    pub const ABANDONED: &str = "abandoned";
    /// A router had no pipeline for them.
    pub const NO_ROUTE: &str = "no_route";
    /// A transform neither emitted nor discarded them.
    pub const UNACCOUNTED: &str = "unaccounted";
}

impl Ledger {
    /// The account of a pipeline. The newest is shown first, because pipelines are built from their ends.
    pub fn pipeline(&self, telemetry: &Telemetry, pipeline: &str) -> Arc<PipelineAccount> {
        let mut accounts = self.0.lock();
        if let Some(known) = accounts.iter().find(|account| account.pipeline == pipeline) {
            return Arc::clone(known);
        }
        let account = Arc::new(PipelineAccount {
            pipeline: pipeline.to_owned(),
            telemetry: telemetry.clone(),
            accepted: telemetry.counter(
                "lanner_pipeline_accepted_items",
                "Items the pipeline accepted from its receivers.",
                "{item}",
                &[("pipeline", pipeline)],
            ),
            created: telemetry.counter(
                "lanner_pipeline_created_items",
                "Items that processors of the pipeline made, such as alerts of rules.",
                "{item}",
                &[("pipeline", pipeline)],
            ),
            discarded: Mutex::default(),
            degraded: Mutex::default(),
            destinations: Mutex::default(),
        });
        accounts.insert(0, Arc::clone(&account));
        account
    }

    /// Takes every destination out of its pipeline, between two graphs: the next one brings back those it has.
    pub fn part(&self) {
        for account in self.0.lock().iter() {
            let totals = account.totals();
            for destination in account.destinations.lock().iter() {
                destination.absence.lock().since.get_or_insert_with(|| totals.clone());
            }
        }
    }

    /// Whether the books close for every pipeline and destination.
    pub fn adds_up(&self) -> bool {
        self.rows().iter().all(Row::adds_up)
    }

    /// One row for each pipeline and destination.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for account in self.0.lock().iter() {
            let totals = account.totals();
            for destination in account.destinations.lock().iter() {
                let absence = destination.absence.lock();
                let owed = absence.since.as_ref().unwrap_or(&totals).since(&absence.missed);
                rows.push(Row {
                    pipeline: account.pipeline.clone(),
                    destination: destination.destination.clone(),
                    accepted: owed.accepted,
                    created: owed.created,
                    discarded: owed.discarded.into_iter().collect(),
                    recovered: destination.recovered.get(),
                    delivered: destination.delivered.get(),
                    queued: u64::try_from(destination.queued.get()).unwrap_or(0),
                    rejected: destination
                        .rejected
                        .lock()
                        .iter()
                        .map(|(reason, items)| ((*reason).to_owned(), items.get()))
                        .collect(),
                });
            }
        }
        rows
    }
}

impl PipelineAccount {
    /// The account of a destination, which is in the pipeline from now on.
    pub fn destination(&self, destination: &str) -> Arc<DestinationAccount> {
        let account = self.absent(destination);
        let mut absence = account.absence.lock();
        if let Some(since) = absence.since.take() {
            let missed = self.totals().since(&since);
            absence.missed.add(&missed);
            account.count_missed(missed.passed());
        }
        drop(absence);
        account
    }

    /// The account of a destination, which may not be in the pipeline any more. A new one has missed all so far.
    pub fn absent(&self, destination: &str) -> Arc<DestinationAccount> {
        let mut destinations = self.destinations.lock();
        if let Some(known) = destinations.iter().find(|account| account.destination == destination) {
            return Arc::clone(known);
        }
        let account = self.open(destination);
        destinations.push(Arc::clone(&account));
        account
    }

    fn totals(&self) -> Totals {
        let name = |entry: &Reasoned| format!("{} {}", entry.processor, entry.reason);
        let discarded = self.discarded.lock().iter().map(|entry| (name(entry), entry.items.get())).collect();
        Totals { accepted: self.accepted.get(), created: self.created.get(), discarded }
    }

    fn open(&self, destination: &str) -> Arc<DestinationAccount> {
        let labels = [("pipeline", self.pipeline.as_str()), ("destination", destination)];
        Arc::new(DestinationAccount {
            pipeline: self.pipeline.clone(),
            destination: destination.to_owned(),
            telemetry: self.telemetry.clone(),
            recovered: self.telemetry.counter(
                "lanner_pipeline_recovered_items",
                "Items of the pipeline that an earlier run of the process left in the queue on disk.",
                "{item}",
                &labels,
            ),
            delivered: self.telemetry.counter(
                "lanner_pipeline_delivered_items",
                "Items of the pipeline that the destination has.",
                "{item}",
                &labels,
            ),
            queued: self.telemetry.up_down_counter(
                "lanner_pipeline_queued_items",
                "Items of the pipeline that wait for the destination.",
                "{item}",
                &labels,
            ),
            rejected: Mutex::default(),
            // It has missed all from the very beginning on.
            absence: Mutex::new(Absence { missed: Totals::default(), since: Some(Totals::default()) }),
        })
    }

    /// Counts items that a processor left out.
    pub fn discard(&self, processor: &str, reason: &'static str, items: u64) {
        count(&self.discarded, processor, reason, items, || {
            self.telemetry.counter(
                "lanner_pipeline_discarded_items",
                "Items that a processor of the pipeline left out on purpose.",
                "{item}",
                &[("pipeline", &self.pipeline), ("processor", processor), ("reason", reason)],
            )
        });
    }

    /// Counts items that a processor passed on although something about them was odd; no part of the ledger.
    pub fn degrade(&self, processor: &str, reason: &'static str, items: u64) {
        count(&self.degraded, processor, reason, items, || {
            self.telemetry.counter(
                "lanner_processor_degraded",
                "Oddities of items that the processor passed on all the same.",
                "{item}",
                &[("pipeline", &self.pipeline), ("processor", processor), ("reason", reason)],
            )
        });
    }
}

/// Adds to the counter of a processor and a reason, making it first. Reasons are constants of components, so there are few.
fn count(
    counters: &Mutex<Vec<Reasoned>>,
    processor: &str,
    reason: &'static str,
    items: u64,
    new: impl FnOnce() -> Counter,
) {
    let mut counters = counters.lock();
    let known = counters.iter().find(|entry| entry.reason == reason && entry.processor == processor);
    if let Some(entry) = known {
        entry.items.add(items);
        return;
    }
    let counter = new();
    counter.add(items);
    counters.push(Reasoned { processor: processor.to_owned(), reason, items: counter });
}

impl DestinationAccount {
    /// The name of the pipeline.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// The id of the destination.
    pub fn name(&self) -> &str {
        &self.destination
    }

    fn count_missed(&self, items: u64) {
        if items > 0 {
            let labels = [("pipeline", self.pipeline.as_str()), ("destination", self.destination.as_str())];
            let help =
                "Items that the pipeline took while a reload had not brought the destination yet, or taken it out.";
            self.telemetry.counter("lanner_pipeline_missed_items", help, "{item}", &labels).add(items);
        }
    }

    /// Counts items that the destination will never have.
    pub fn reject(&self, reason: &'static str, items: u64) {
        if items == 0 {
            return;
        }
        let mut rejected = self.rejected.lock();
        if let Some((_, counter)) = rejected.iter().find(|(known, _)| *known == reason) {
            counter.add(items);
            return;
        }
        let counter = self.telemetry.counter(
            "lanner_pipeline_rejected_items",
            "Items of the pipeline that the destination will never have.",
            "{item}",
            &[("pipeline", &self.pipeline), ("destination", &self.destination), ("reason", reason)],
        );
        counter.add(items);
        rejected.push((reason, counter));
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub pipeline: String,
    pub destination: String,
    pub accepted: u64,
    pub created: u64,
    pub recovered: u64,
    /// By processor and reason.
    pub discarded: Vec<(String, u64)>,
    pub delivered: u64,
    pub queued: u64,
    /// By reason.
    pub rejected: Vec<(String, u64)>,
}

impl Row {
    /// Whether `accepted + created + recovered = discarded + delivered + queued + rejected`.
    pub fn adds_up(&self) -> bool {
        let sum = |parts: &[(String, u64)]| parts.iter().map(|(_, items)| items).sum::<u64>();
        self.accepted + self.created + self.recovered
            == sum(&self.discarded) + self.delivered + self.queued + sum(&self.rejected)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = |f: &mut fmt::Formatter<'_>, name: &str, parts: &[(String, u64)]| {
            write!(f, " {name} {}", parts.iter().map(|(_, items)| items).sum::<u64>())?;
            if parts.is_empty() {
                return Ok(());
            }
            let listed: Vec<_> = parts.iter().map(|(reason, items)| format!("{reason}: {items}")).collect();
            write!(f, " ({})", listed.join(", "))
        };
        write!(f, "{} -> {}: accepted {}", self.pipeline, self.destination, self.accepted)?;
        if self.created > 0 {
            write!(f, " + created {}", self.created)?;
        }
        if self.recovered > 0 {
            write!(f, " + recovered {}", self.recovered)?;
        }
        write!(f, " = delivered {}", self.delivered)?;
        write!(f, " + queued {} +", self.queued)?;
        parts(f, "discarded", &self.discarded)?;
        f.write_str(" +")?;
        parts(f, "rejected", &self.rejected)?;
        if self.adds_up() { Ok(()) } else { f.write_str(" DOES NOT ADD UP") }
    }
}

impl fmt::Display for Ledger {
    /// One line for each pipeline and destination.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows() {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
