//! Counters and gauges of Lanner itself: one atomic each, read by whoever exposes them.
//!
//! Promises: updating one is a single relaxed atomic operation on a cache line that, unless it is a gauge, few threads share; asking
//! twice for the same name and labels gives the same cell, so a reload keeps its counts. Cells are made at build time from
//! configuration, so their number is bounded by it; the few that are named by events are bounded by who makes them.

use super::{
    cache_line::{CacheLine, STRIPES, stripe},
    histogram::{Distribution, Histogram},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

/// A count that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<Cell>);

/// A sum that goes up and down by what is added.
#[derive(Clone, Debug, Default)]
pub struct UpDownCounter(Arc<Cell>);

/// A value that is set.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Cell>);

/// A number in parts, whose sum it is: threads that count the same thing at once do not wait for each other's cache line.
#[derive(Debug, Default)]
struct Cell([CacheLine<AtomicI64>; STRIPES]);

impl Cell {
    fn add(&self, amount: i64) {
        self.0[stripe()].fetch_add(amount, Relaxed);
    }

    fn sum(&self) -> i64 {
        self.0.iter().fold(0, |sum, part| sum.wrapping_add(part.load(Relaxed)))
    }
}

impl Counter {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.add(i64::try_from(amount).unwrap_or(i64::MAX));
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.sum()).unwrap_or(0)
    }
}

impl UpDownCounter {
    /// Adds `amount`, which may be negative.
    pub fn add(&self, amount: i64) {
        self.0.add(amount);
    }

    /// The sum so far. While others add, some of it may be there and what came before it not yet.
    pub fn get(&self) -> i64 {
        self.0.sum()
    }
}

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.part().store(value, Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.part().load(Relaxed)
    }

    /// What can be set cannot be in parts.
    fn part(&self) -> &AtomicI64 {
        let [first, ..] = &self.0.0;
        first
    }
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Monotonic.
    Counter,
    Gauge,
    Histogram,
}

/// A metric as it is exposed.
#[derive(Clone, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    /// UCUM, for example `{record}`, `s`, `By`.
    pub unit: &'static str,
    pub kind: MetricKind,
    /// Labels and value of each series of a counter or gauge.
    pub series: Vec<(Labels, i64)>,
    /// The same of a histogram.
    pub histograms: Vec<(Labels, Distribution)>,
}

/// Names and values, as they were written.
pub type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Family {
    help: &'static str,
    unit: &'static str,
    kind: MetricKind,
    series: BTreeMap<Labels, Arc<Cell>>,
    histograms: BTreeMap<Labels, Histogram>,
}

impl Family {
    fn new(help: &'static str, unit: &'static str, kind: MetricKind) -> Self {
        Self { help, unit, kind, series: BTreeMap::new(), histograms: BTreeMap::new() }
    }

    fn metric(&self, name: &'static str) -> Metric {
        let series = self.series.iter().map(|(labels, cell)| (labels.clone(), cell.sum()));
        let histograms = self.histograms.iter().map(|(labels, histogram)| (labels.clone(), histogram.distribution()));
        let (series, histograms) = (series.collect(), histograms.collect());
        Metric { name, help: self.help, unit: self.unit, kind: self.kind, series, histograms }
    }
}

/// The registry of all cells of a process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Telemetry(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Telemetry {
    /// The counter of this name and these labels.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Counter {
        Counter(self.cell(name, help, unit, MetricKind::Counter, labels))
    }

    /// The sum of this name and these labels that goes up and down; it is exposed as a gauge.
    pub fn up_down_counter(
        &self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        labels: &[(&'static str, &str)],
    ) -> UpDownCounter {
        UpDownCounter(self.cell(name, help, unit, MetricKind::Gauge, labels))
    }

    /// The gauge of this name and these labels.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Gauge {
        Gauge(self.cell(name, help, unit, MetricKind::Gauge, labels))
    }

    /// The histogram of this name and these labels. `bounds` are those of the first call with the name and labels; they grow.
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        bounds: &'static [f64],
        labels: &[(&'static str, &str)],
    ) -> Histogram {
        let labels: Labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family::new(help, unit, MetricKind::Histogram));
        family.histograms.entry(labels).or_insert_with(|| Histogram::new(bounds)).clone()
    }

    /// The histograms of this name.
    pub(super) fn histograms(&self, name: &str) -> Vec<(Labels, Histogram)> {
        let families = self.0.lock();
        let histograms = families.get(name).into_iter().flat_map(|family| &family.histograms);
        histograms.map(|(labels, histogram)| (labels.clone(), histogram.clone())).collect()
    }

    fn cell(
        &self,
        name: &'static str,
        help: &'static str,
        unit: &'static str,
        kind: MetricKind,
        labels: &[(&'static str, &str)],
    ) -> Arc<Cell> {
        let labels: Labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family::new(help, unit, kind));
        Arc::clone(family.series.entry(labels).or_default())
    }

    /// All metrics as they are now, by name.
    pub fn snapshot(&self) -> Vec<Metric> {
        self.0.lock().iter().map(|(name, family)| family.metric(name)).collect()
    }

    /// One metric as it is now.
    pub fn metric(&self, name: &str) -> Option<Metric> {
        self.0.lock().get_key_value(name).map(|(name, family)| family.metric(name))
    }

    /// The names of all metrics.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.lock().keys().copied().collect()
    }
}
