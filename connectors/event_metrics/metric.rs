//! Metrics: what a table's series are called, and their OTLP form.
//!
//! Format: one resource, one scope; counters are monotonic cumulative sums of integers with the start time of
//! their series, last-seen times are gauges in seconds. A request holds at most [`POINTS_PER_REQUEST`] points, so
//! that it stays far below the 4 MiB that gRPC servers take by default.

use super::{
    label::{self, Source},
    table::{Cell, Grouping, Point},
};
use bytes::Bytes;
use lanner_engine::{event::OtlpRequest, prelude::*};
use lanner_proto::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
        number_data_point,
    },
    resource::v1,
};
use prost::Message as _;

/// Key of `Metric.metadata` that says under which exact name the `prometheus` exporter shows a metric.
pub const PROMETHEUS_NAME: &str = "lanner.prometheus.name";

/// A request is closed when it has this many points.
const POINTS_PER_REQUEST: usize = 4000;

/// What a grouping is shown as.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub grouping: Grouping,
    pub outputs: Vec<Output>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub description: String,
    pub unit: String,
    pub kind: OutputKind,
    /// The Prometheus name is `name` as it stands.
    pub exact: bool,
}

/// What a metric says about its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// How many there were.
    #[default]
    Counter,
    /// When the newest was, in seconds since 1970.
    LastSeen,
}

impl Output {
    /// A metric named as OpenTelemetry would.
    pub fn new(name: &str, description: &str, unit: &str, kind: OutputKind) -> Self {
        Self { name: name.into(), description: description.into(), unit: unit.into(), kind, exact: false }
    }

    /// A counter that keeps its name in Prometheus.
    pub fn exact(name: &str) -> Self {
        Self { exact: true, ..Self::new(name, "", "", OutputKind::Counter) }
    }

    fn metric(&self, data: Data) -> Metric {
        let hint = self.exact.then(|| text(PROMETHEUS_NAME, &self.name));
        Metric {
            name: self.name.clone(),
            description: self.description.clone(),
            unit: self.unit.clone(),
            metadata: hint.into_iter().collect(),
            data: Some(data),
        }
    }

    fn data(&self, data_points: Vec<NumberDataPoint>) -> Data {
        match self.kind {
            OutputKind::LastSeen => Data::Gauge(Gauge { data_points }),
            OutputKind::Counter => Data::Sum(Sum {
                data_points,
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
        }
    }

    fn point(&self, attributes: Vec<KeyValue>, cell: &Cell, time_unix_nano: u64) -> NumberDataPoint {
        let (start_time_unix_nano, value) = match self.kind {
            OutputKind::Counter => {
                (cell.start, number_data_point::Value::AsInt(i64::try_from(cell.count).unwrap_or(i64::MAX)))
            }
            OutputKind::LastSeen => (0, number_data_point::Value::AsDouble(cell.last_seen as f64 / 1e9)),
        };
        NumberDataPoint { attributes, start_time_unix_nano, time_unix_nano, value: Some(value), ..Default::default() }
    }
}

/// Makes requests of snapshots.
pub struct Encoder {
    resource: v1::Resource,
    time_unix_nano: u64,
    metrics: Vec<Metric>,
    points: usize,
    done: Vec<OtlpRequest>,
}

impl Encoder {
    /// For a snapshot taken at this time by the process instance of this id.
    pub fn new(instance: &str, time_unix_nano: u64) -> Self {
        let attributes = vec![text("service.name", "lanner"), text("service.instance.id", instance)];
        let resource = v1::Resource { attributes, ..Default::default() };
        Self { resource, time_unix_nano, metrics: Vec::new(), points: 0, done: Vec::new() }
    }

    /// Adds the metrics of one grouping.
    pub fn add(&mut self, definition: &Definition, series: &[Point]) {
        for chunk in series.chunks(POINTS_PER_REQUEST) {
            for output in &definition.outputs {
                let attributes = |key: &Option<_>| attributes(&definition.grouping, key.as_deref());
                let points = chunk.iter().map(|(key, cell)| output.point(attributes(key), cell, self.time_unix_nano));
                self.metrics.push(output.metric(output.data(points.collect())));
                self.points += chunk.len();
                if self.points >= POINTS_PER_REQUEST {
                    self.close();
                }
            }
        }
    }

    /// The requests.
    pub fn finish(mut self) -> Vec<OtlpRequest> {
        self.close();
        self.done
    }

    fn close(&mut self) {
        if self.points == 0 {
            return;
        }
        let scope = InstrumentationScope {
            name: "lanner.connector.event_metrics".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            attributes: vec![text("lanner.mapping", "v1")],
            ..Default::default()
        };
        let scope =
            ScopeMetrics { scope: Some(scope), metrics: std::mem::take(&mut self.metrics), ..Default::default() };
        let resource =
            ResourceMetrics { resource: Some(self.resource.clone()), scope_metrics: vec![scope], ..Default::default() };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
        let bytes = Bytes::from(request.encode_to_vec());
        self.done.push(OtlpRequest { signal: Signal::Metrics, bytes, items: std::mem::take(&mut self.points) });
    }
}

fn attributes(grouping: &Grouping, key: Option<&[u8]>) -> Vec<KeyValue> {
    let Some(key) = key else {
        return vec![pair("otel.metric.overflow", any_value::Value::BoolValue(true))];
    };
    let mut attributes = Vec::with_capacity(grouping.labels.len());
    for (label, value) in grouping.labels.iter().zip(label::values(key)) {
        match (value, &label.source) {
            (None, _) => {}
            (Some(tags), Source::TagFlags(_)) => flags(&mut attributes, tags),
            (Some(value), _) => attributes.push(text(&label.name, value)),
        }
    }
    attributes
}

/// `,a,b-c,` becomes `tag_a` and `tag_b_c`. Two tags that become the same name are one attribute.
fn flags(attributes: &mut Vec<KeyValue>, tags: &str) {
    for tag in tags.split(',').filter(|tag| !tag.is_empty()) {
        let word: String =
            tag.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let name = format!("tag_{word}");
        if !attributes.iter().any(|known| known.key == name) {
            attributes.push(text(&name, "true"));
        }
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, any_value::Value::StringValue(value.into()))
}

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
