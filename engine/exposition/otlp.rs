//! OTLP metrics as Prometheus series.
//!
//! Promises: every data point is either handed to the sink or counted under a constant reason. Names are computed
//! once per metric, not per point. `job` and `instance` stand on `target_info` alone, so that series keep exactly
//! the labels that the metric has; with `resource_labels` every resource attribute is a label.
//!
//! Exponential histograms become classic ones: every bucket boundary is an upper bound `le`.

use super::{Kind, Labels, Number, Point, names, names::Suffix};
use lanner_proto::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
        SummaryDataPoint, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Key of `Metric.metadata` under which a metric asks for exactly this Prometheus name.
pub const EXACT_NAME: &str = "lanner.prometheus.name";

/// How names and labels are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Put in front of every name.
    pub namespace: String,
    /// On every series, unless the series has the label.
    pub const_labels: Labels,
    /// Add units and `_total`.
    pub suffixes: bool,
    /// Make labels of the resource's attributes.
    pub resource_labels: bool,
}

/// What is said of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    pub name: String,
    pub help: String,
    pub unit: String,
    pub kind: Kind,
}

/// One data point.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    /// Tells apart equal series of different resources.
    pub resource: u64,
    /// `None`: the source says that the series has ended.
    pub point: Option<Point>,
    /// The point adds to those before instead of replacing them.
    pub delta: bool,
    /// In nanoseconds since 1970; 0 is unknown.
    pub time: u64,
    pub start: u64,
}

/// What takes the samples: a family's description comes with each.
pub trait Sink {
    /// Takes one sample.
    fn sample(&mut self, meta: &Meta, sample: Sample);
    /// Is told of points that have no Prometheus form. The reason is part of a metric: a constant.
    fn skipped(&mut self, points: usize, reason: &'static str);
}

/// Hands every point of a request to `sink`.
pub fn read(request: &ExportMetricsServiceRequest, options: &Options, sink: &mut dyn Sink) {
    for of_resource in &request.resource_metrics {
        let resource = of_resource.resource.as_ref();
        let mut reader = Reader { options, sink, resource: identity(resource), base: Vec::new() };
        if options.resource_labels {
            reader.base = resource.map(|resource| pairs(&resource.attributes).collect()).unwrap_or_default();
        }
        let metrics = of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
        let mut newest = 0;
        for metric in metrics {
            newest = reader.metric(metric).max(newest);
        }
        if let Some(resource) = resource
            && newest > 0
        {
            reader.target_info(resource, newest);
        }
    }
}

struct Reader<'a> {
    options: &'a Options,
    sink: &'a mut dyn Sink,
    resource: u64,
    /// Labels that the resource gives to each series.
    base: Vec<(String, String)>,
}

impl Reader<'_> {
    /// Returns the newest time of its points.
    fn metric(&mut self, metric: &Metric) -> u64 {
        let mut newest = 0;
        let mut emit = |reader: &mut Self, meta: &Meta, common: Common<'_>, point: Point| {
            newest = newest.max(common.time);
            reader.emit(meta, common, point);
        };
        match &metric.data {
            None => {}
            Some(Data::Gauge(gauge)) => {
                let meta = self.meta(metric, Kind::Gauge, Suffix::Ratio);
                for point in &gauge.data_points {
                    match number(point) {
                        Some(value) => emit(self, &meta, Common::of(point, false), value),
                        None => self.sink.skipped(1, "no_value"),
                    }
                }
            }
            Some(Data::Sum(sum)) => {
                let delta = sum.aggregation_temporality == AggregationTemporality::Delta as i32;
                if delta && !sum.is_monotonic {
                    self.sink.skipped(sum.data_points.len(), "delta_not_monotonic");
                    return 0;
                }
                let meta = match sum.is_monotonic {
                    true => self.meta(metric, Kind::Counter, Suffix::Total),
                    false => self.meta(metric, Kind::Gauge, Suffix::Unit),
                };
                for point in &sum.data_points {
                    match number(point) {
                        Some(value) => emit(self, &meta, Common::of(point, delta), value),
                        None => self.sink.skipped(1, "no_value"),
                    }
                }
            }
            Some(Data::Histogram(histogram)) => {
                let delta = histogram.aggregation_temporality == AggregationTemporality::Delta as i32;
                let meta = self.meta(metric, Kind::Histogram, Suffix::Unit);
                for point in &histogram.data_points {
                    match classic(point) {
                        Some(value) => emit(self, &meta, Common::of_histogram(point, delta), value),
                        None => self.sink.skipped(1, "malformed_histogram"),
                    }
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                if histogram.aggregation_temporality == AggregationTemporality::Delta as i32 {
                    self.sink.skipped(histogram.data_points.len(), "delta_exponential_histogram");
                    return 0;
                }
                let meta = self.meta(metric, Kind::Histogram, Suffix::Unit);
                for point in &histogram.data_points {
                    match exponential(point) {
                        Some(value) => emit(self, &meta, Common::of_exponential(point), value),
                        None => self.sink.skipped(1, "malformed_histogram"),
                    }
                }
            }
            Some(Data::Summary(summary)) => {
                let meta = self.meta(metric, Kind::Summary, Suffix::Unit);
                for point in &summary.data_points {
                    emit(self, &meta, Common::of_summary(point), quantiles(point));
                }
            }
        }
        newest
    }

    fn meta(&self, metric: &Metric, kind: Kind, suffix: Suffix) -> Meta {
        let Options { namespace, suffixes, .. } = self.options;
        let help = metric.description.clone();
        let exact =
            metric.metadata.iter().find(|pair| pair.key == EXACT_NAME).and_then(|pair| text(pair.value.as_ref()));
        if let Some(name) = exact {
            let name = names::exact(&name);
            return match (kind, name.strip_suffix("_total")) {
                (Kind::Counter, Some(base)) => Meta { name: base.to_owned(), help, unit: String::new(), kind },
                (Kind::Counter, None) => Meta { name, help, unit: String::new(), kind: Kind::ExactCounter },
                _ => Meta { name, help, unit: String::new(), kind },
            };
        }
        let (name, unit) = names::metric(namespace, &metric.name, &metric.unit, suffix, *suffixes);
        match (kind, suffixes, name.strip_suffix("_total")) {
            (Kind::Counter, false, Some(base)) => Meta { name: base.to_owned(), help, unit: String::new(), kind },
            (Kind::Counter, false, None) => Meta { name, help, unit, kind: Kind::ExactCounter },
            _ => Meta { name, help, unit, kind },
        }
    }

    fn emit(&mut self, meta: &Meta, common: Common<'_>, point: Point) {
        let reserved = match meta.kind {
            Kind::Histogram => "le",
            Kind::Summary => "quantile",
            _ => "",
        };
        let labels = self.labels(pairs(common.attributes), reserved);
        let point = (common.flags & 1 == 0).then_some(point);
        let Common { delta, time, start, .. } = common;
        self.sink.sample(meta, Sample { labels, resource: self.resource, point, delta, time, start });
    }

    /// Sorted and unique. Values of names that become equal are joined with `;`, as the specification wants.
    fn labels(&self, own: impl Iterator<Item = (String, String)>, reserved: &str) -> Labels {
        let mut labels: Labels = own.collect();
        labels.sort();
        labels.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.push(';');
                kept.1.push_str(&next.1);
            }
            same
        });
        for (name, value) in self.base.iter().chain(&self.options.const_labels) {
            if let Err(at) = labels.binary_search_by(|(known, _)| known.cmp(name)) {
                labels.insert(at, (name.clone(), value.clone()));
            }
        }
        if let Ok(at) = labels.binary_search_by(|(known, _)| known.as_str().cmp(reserved)) {
            labels[at].0 = format!("exported_{reserved}");
            labels.sort();
        }
        labels
    }

    /// `target_info` with `job`, `instance` and the other attributes of the resource.
    fn target_info(&mut self, resource: &Resource, time: u64) {
        let of =
            |key: &str| resource.attributes.iter().find(|pair| pair.key == key).and_then(|p| text(p.value.as_ref()));
        let job = match (of("service.namespace"), of("service.name")) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (_, name) => name,
        };
        let mut labels: BTreeMap<String, String> = resource
            .attributes
            .iter()
            .filter(|pair| !matches!(pair.key.as_str(), "service.name" | "service.namespace" | "service.instance.id"))
            .filter_map(pair)
            .collect();
        labels.extend(job.map(|job| ("job".to_owned(), job)));
        labels.extend(of("service.instance.id").map(|instance| ("instance".to_owned(), instance)));
        if labels.is_empty() {
            return;
        }
        for (name, value) in &self.options.const_labels {
            labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let meta =
            Meta { name: "target".into(), help: "Target metadata".into(), unit: String::new(), kind: Kind::Info };
        let point = Some(Point::Number(Number::Int(1)));
        let labels = labels.into_iter().collect();
        self.sink.sample(&meta, Sample { labels, resource: self.resource, point, delta: false, time, start: 0 });
    }
}

/// What all kinds of points have.
struct Common<'a> {
    attributes: &'a [KeyValue],
    flags: u32,
    time: u64,
    start: u64,
    delta: bool,
}

impl<'a> Common<'a> {
    fn new(attributes: &'a [KeyValue], flags: u32, time: u64, start: u64, delta: bool) -> Self {
        Self { attributes, flags, time, start, delta }
    }

    fn of(p: &'a NumberDataPoint, delta: bool) -> Self {
        Self::new(&p.attributes, p.flags, p.time_unix_nano, p.start_time_unix_nano, delta)
    }

    fn of_histogram(p: &'a HistogramDataPoint, delta: bool) -> Self {
        Self::new(&p.attributes, p.flags, p.time_unix_nano, p.start_time_unix_nano, delta)
    }

    fn of_exponential(p: &'a ExponentialHistogramDataPoint) -> Self {
        Self::new(&p.attributes, p.flags, p.time_unix_nano, p.start_time_unix_nano, false)
    }

    fn of_summary(p: &'a SummaryDataPoint) -> Self {
        Self::new(&p.attributes, p.flags, p.time_unix_nano, p.start_time_unix_nano, false)
    }
}

/// `None` when a point has no value and does not say that its series has ended.
fn number(point: &NumberDataPoint) -> Option<Point> {
    let number = match point.value {
        Some(number_data_point::Value::AsInt(number)) => Number::Int(number),
        Some(number_data_point::Value::AsDouble(number)) => Number::Float(number),
        None if point.flags & 1 == 1 => Number::Int(0),
        None => return None,
    };
    Some(Point::Number(number))
}

/// `None` when bounds and counts do not belong together.
fn classic(point: &HistogramDataPoint) -> Option<Point> {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    let ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]) && bounds.iter().all(|bound| !bound.is_nan());
    let fits = counts.len() == bounds.len() + 1 || (counts.is_empty() && bounds.is_empty());
    if !ascending || !fits {
        return None;
    }
    let mut below = 0u64;
    let mut buckets = Vec::with_capacity(bounds.len());
    for (bound, count) in bounds.iter().zip(counts) {
        below = below.checked_add(*count)?;
        if bound.is_finite() {
            buckets.push((*bound, below));
        }
    }
    (below <= point.count).then_some(Point::Histogram { buckets, sum: point.sum, count: point.count })
}

/// `None` when the scale or the number of buckets is beyond what the specification knows.
fn exponential(point: &ExponentialHistogramDataPoint) -> Option<Point> {
    /// Producers keep to 160 per sign.
    const MOST: usize = 1024;
    let (positive, negative) = (point.positive.clone().unwrap_or_default(), point.negative.clone().unwrap_or_default());
    if positive.bucket_counts.len() > MOST || negative.bucket_counts.len() > MOST || !(-10..=20).contains(&point.scale)
    {
        return None;
    }
    let bound = |index: i64| (index as f64 * 2f64.powi(-point.scale)).exp2();
    let mut below = 0u64;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut push = |upper: f64, count: u64| {
        below = below.checked_add(count)?;
        let new = buckets.last().is_none_or(|(last, _)| *last < upper);
        match buckets.last_mut() {
            Some(last) if !new => last.1 = below,
            _ if upper.is_finite() => buckets.push((upper, below)),
            _ => {}
        }
        Some(())
    };
    for (at, count) in negative.bucket_counts.iter().enumerate().rev() {
        push(-bound(i64::from(negative.offset) + at as i64), *count)?;
    }
    if point.zero_count > 0 || !negative.bucket_counts.is_empty() {
        push(point.zero_threshold.max(0.0), point.zero_count)?;
    }
    for (at, count) in positive.bucket_counts.iter().enumerate() {
        push(bound(i64::from(positive.offset) + at as i64 + 1), *count)?;
    }
    (below <= point.count).then_some(Point::Histogram { buckets, sum: point.sum, count: point.count })
}

fn quantiles(point: &SummaryDataPoint) -> Point {
    let mut quantiles: Vec<(f64, f64)> = point.quantile_values.iter().map(|at| (at.quantile, at.value)).collect();
    quantiles.retain(|(quantile, _)| (0.0..=1.0).contains(quantile));
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    quantiles.dedup_by(|a, b| a.0 == b.0);
    Point::Summary { quantiles, sum: point.sum, count: point.count }
}

fn pairs(attributes: &[KeyValue]) -> impl Iterator<Item = (String, String)> {
    attributes.iter().filter_map(pair)
}

fn pair(pair: &KeyValue) -> Option<(String, String)> {
    Some((names::label(&pair.key).into_owned(), text(pair.value.as_ref())?))
}

/// A value as label text; lists as JSON, as the Collector has it. Maps and bytes are no labels.
fn text(value: Option<&AnyValue>) -> Option<String> {
    match value?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::BoolValue(flag) => Some(flag.to_string()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        any_value::Value::DoubleValue(number) => Some(number.to_string()),
        any_value::Value::ArrayValue(list) => {
            let items: Vec<String> = list.values.iter().filter_map(|item| text(Some(item))).collect();
            serde_json::to_string(&items).ok()
        }
        _ => None,
    }
}

/// A hash that tells resources apart within this process.
fn identity(resource: Option<&Resource>) -> u64 {
    let mut pairs: Vec<_> = resource.map(|resource| pairs(&resource.attributes).collect()).unwrap_or_default();
    pairs.sort();
    let mut hasher = DefaultHasher::new();
    pairs.hash(&mut hasher);
    hasher.finish()
}
