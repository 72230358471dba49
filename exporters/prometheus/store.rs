//! `Store`: the newest point of every series.
//!
//! Promises: a point replaces only an older one; delta points are added up; what cannot be shown is counted under a
//! constant reason; the number of series and the size of each are bounded; a series is gone once nothing came for
//! the expiration, scraped or not. No two families share a sample name, whatever metrics are called.

use lanner_engine::exposition::{
    Family, Kind, Labels, Number, Point, Series,
    otlp::{Meta, Sample, Sink},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// Bytes of all label names and values of a series.
const LABEL_BYTES: usize = 8 << 10;
/// Buckets or quantiles of a point.
const BUCKETS: usize = 1024;
/// Bytes of a metric name, and of its help text (which is cut).
const NAME_BYTES: usize = 255;
const HELP_BYTES: usize = 1024;

/// Why a point is not shown.
pub const REASONS: [&str; 8] = [
    "series_limit",
    "too_large",
    "type_conflict",
    "delta_not_monotonic",
    "delta_exponential_histogram",
    "malformed_histogram",
    "no_value",
    "delta_buckets_changed",
];

/// The series of one exporter.
pub struct Store {
    families: BTreeMap<String, Stored>,
    /// Sample names in use, and the family that uses each.
    claims: HashMap<String, String>,
    series: usize,
    max_series: usize,
    expiration: Duration,
}

struct Stored {
    meta: Meta,
    /// By labels, then by resource, so that equal labels of several resources stand side by side.
    series: BTreeMap<(Labels, u64), Entry>,
}

struct Entry {
    point: Point,
    time: u64,
    start: u64,
    seen: Instant,
}

/// What became of the points of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    pub stored: usize,
    /// Points that were not newer than what is known.
    pub out_of_order: usize,
    pub rejected: BTreeMap<&'static str, usize>,
}

/// Takes the samples of one request.
pub struct Writer<'a> {
    store: &'a mut Store,
    now: Instant,
    pub tally: Tally,
}

impl Store {
    /// An empty store.
    pub fn new(max_series: usize, expiration: Duration) -> Self {
        Self { families: BTreeMap::new(), claims: HashMap::new(), series: 0, max_series, expiration }
    }

    /// A sink for one request that came now.
    pub fn writer(&mut self, now: Instant) -> Writer<'_> {
        Writer { store: self, now, tally: Tally::default() }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series
    }

    /// How long a series lives without new points.
    pub fn expiration(&self) -> Duration {
        self.expiration
    }

    /// Forgets what is too old; returns how many series.
    pub fn expire(&mut self, now: Instant) -> usize {
        let before = self.series;
        for stored in self.families.values_mut() {
            stored.series.retain(|_, entry| now.duration_since(entry.seen) < self.expiration);
        }
        self.tidy();
        before - self.series
    }

    /// Drops empty families and counts again.
    fn tidy(&mut self) {
        self.families.retain(|_, stored| !stored.series.is_empty());
        let families = &self.families;
        self.claims.retain(|_, owner| families.contains_key(owner));
        self.series = families.values().map(|stored| stored.series.len()).sum();
    }

    /// All families as they are now, and how many series were merged because only their resources differ.
    pub fn families(&self, now: Instant, timestamps: bool) -> (Vec<Family>, usize) {
        let mut merged = 0;
        let family = |stored: &Stored| {
            let mut series: Vec<(Series, u64)> = Vec::with_capacity(stored.series.len());
            let fresh = |entry: &Entry| now.duration_since(entry.seen) < self.expiration;
            for ((labels, _), entry) in stored.series.iter().filter(|(_, entry)| fresh(entry)) {
                match series.last_mut() {
                    Some((last, time)) if last.labels == *labels => {
                        merge(stored.meta.kind, last, time, entry);
                        merged += 1;
                    }
                    _ => {
                        let (labels, point) = (labels.clone(), entry.point.clone());
                        series.push((Series { labels, point, timestamp_ms: None, created: entry.start }, entry.time));
                    }
                }
            }
            let stamp = |(mut one, time): (Series, u64)| {
                one.timestamp_ms = (timestamps && time > 0).then_some((time / 1_000_000) as i64);
                one
            };
            let Meta { name, help, unit, kind } = stored.meta.clone();
            Family { name, help, unit, kind, series: series.into_iter().map(stamp).collect() }
        };
        (self.families.values().map(family).collect(), merged)
    }

    /// The family for `meta`, made when it is new.
    fn family(&mut self, meta: &Meta) -> Result<&mut Stored, &'static str> {
        let key = first_name(meta);
        match self.families.get(key.as_ref()) {
            Some(stored) if stored.meta.kind != meta.kind => return Err("type_conflict"),
            Some(_) => {}
            None => {
                let names = sample_names(meta);
                if names.iter().any(|name| self.claims.contains_key(name)) {
                    return Err("type_conflict");
                }
                self.claims.extend(names.into_iter().map(|name| (name, key.clone().into_owned())));
                let mut meta = meta.clone();
                let end = (0..=HELP_BYTES.min(meta.help.len())).rev().find(|at| meta.help.is_char_boundary(*at));
                meta.help.truncate(end.unwrap_or(0));
                self.families.insert(key.clone().into_owned(), Stored { meta, series: BTreeMap::new() });
            }
        }
        self.families.get_mut(key.as_ref()).ok_or("type_conflict")
    }

    /// The source says that the series has ended.
    fn end(&mut self, meta: &Meta, key: &(Labels, u64)) {
        let name = first_name(meta);
        let Some(stored) = self.families.get_mut(name.as_ref()) else { return };
        if stored.meta.kind == meta.kind && stored.series.remove(key).is_some() {
            self.series -= 1;
            if stored.series.is_empty() {
                self.tidy();
            }
        }
    }
}

/// The name that identifies a family: that of its samples in the text format.
fn first_name(meta: &Meta) -> Cow<'_, str> {
    match meta.kind {
        Kind::Counter => Cow::Owned(format!("{}_total", meta.name)),
        Kind::Info => Cow::Owned(format!("{}_info", meta.name)),
        _ => Cow::Borrowed(&meta.name),
    }
}

/// Every name that a family's lines begin with, in both formats.
fn sample_names(meta: &Meta) -> Vec<String> {
    let suffixes: &[&str] = match meta.kind {
        Kind::Counter => &["_total", "", "_created"],
        Kind::ExactCounter | Kind::Gauge => &[""],
        Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
        Kind::Summary => &["", "_sum", "_count", "_created"],
        Kind::Info => &["_info", ""],
    };
    suffixes.iter().map(|suffix| format!("{}{suffix}", meta.name)).collect()
}

/// Counts of several resources are added, of other values the newest stays.
fn merge(kind: Kind, into: &mut Series, time: &mut u64, entry: &Entry) {
    let summed = match kind {
        Kind::Counter | Kind::ExactCounter | Kind::Histogram => sum(&into.point, &entry.point),
        Kind::Gauge | Kind::Summary | Kind::Info => None,
    };
    match summed {
        Some(point) => {
            into.point = point;
            into.created = into.created.max(entry.start);
        }
        None if entry.time > *time => {
            into.point = entry.point.clone();
            into.created = entry.start;
        }
        None => {}
    }
    *time = (*time).max(entry.time);
}

/// `None` when the points do not fit together.
fn sum(a: &Point, b: &Point) -> Option<Point> {
    match (a, b) {
        (Point::Number(a), Point::Number(b)) => Some(Point::Number(a.plus(*b))),
        (
            Point::Histogram { buckets: a, sum: a_sum, count: a_count },
            Point::Histogram { buckets: b, sum: b_sum, count: b_count },
        ) if a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0) => {
            let buckets = a.iter().zip(b).map(|(a, b)| (a.0, a.1.saturating_add(b.1))).collect();
            let sum = a_sum.zip(*b_sum).map(|(a, b)| a + b);
            Some(Point::Histogram { buckets, sum, count: a_count.saturating_add(*b_count) })
        }
        _ => None,
    }
}

impl Writer<'_> {
    fn reject(&mut self, points: usize, reason: &'static str) {
        *self.tally.rejected.entry(reason).or_default() += points;
    }

    /// Returns whether the point was stored; `Ok(false)` when it is not newer than what is known.
    fn store(&mut self, meta: &Meta, sample: Sample) -> Result<bool, &'static str> {
        if too_large(meta, &sample) {
            return Err("too_large");
        }
        let (now, max_series, count) = (self.now, self.store.max_series, self.store.series);
        let key = (sample.labels, sample.resource);
        let Some(point) = sample.point else {
            self.store.end(meta, &key);
            return Ok(true);
        };
        if count >= max_series {
            // A full store makes no families either.
            let known = self.store.families.get(first_name(meta).as_ref());
            if !known.is_some_and(|stored| stored.series.contains_key(&key)) {
                return Err("series_limit");
            }
        }
        let stored = self.store.family(meta)?;
        let Some(entry) = stored.series.get_mut(&key) else {
            stored.series.insert(key, Entry { point, time: sample.time, start: sample.start, seen: now });
            self.store.series += 1;
            return Ok(true);
        };
        if sample.time < entry.time || (sample.delta && sample.time == entry.time) {
            return Ok(false);
        }
        if sample.delta {
            entry.point = sum(&entry.point, &point).ok_or("delta_buckets_changed")?;
        } else {
            entry.point = point;
            entry.start = sample.start;
        }
        (entry.time, entry.seen) = (sample.time, now);
        Ok(true)
    }
}

impl Sink for Writer<'_> {
    fn sample(&mut self, meta: &Meta, sample: Sample) {
        // `target_info` is no point of the request.
        let counts = meta.kind != Kind::Info;
        match self.store(meta, sample) {
            Ok(true) => self.tally.stored += usize::from(counts),
            Ok(false) => self.tally.out_of_order += usize::from(counts),
            Err(reason) if counts => self.reject(1, reason),
            Err(_) => {}
        }
    }

    fn skipped(&mut self, points: usize, reason: &'static str) {
        self.reject(points, reason);
    }
}

fn too_large(meta: &Meta, sample: &Sample) -> bool {
    let labels: usize = sample.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    let parts = match &sample.point {
        Some(Point::Histogram { buckets, .. }) => buckets.len(),
        Some(Point::Summary { quantiles, .. }) => quantiles.len(),
        Some(Point::Number(Number::Int(_) | Number::Float(_))) | None => 0,
    };
    labels > LABEL_BYTES || parts > BUCKETS || meta.name.len() > NAME_BYTES
}
