//! Lanner's own metric cells as families.

use super::{Family, Kind, Number, Point, Series, names};
use crate::telemetry::{Distribution, Metric, MetricKind};

/// The families of a snapshot. Names stay as they are, without `_total`, as the Collector's default has them.
pub fn own_metrics(snapshot: Vec<Metric>) -> Vec<Family> {
    snapshot.into_iter().map(family).collect()
}

fn family(metric: Metric) -> Family {
    let numbers = metric.series.into_iter().map(|(labels, value)| (labels, Point::Number(Number::Int(value))));
    let histograms = metric.histograms.into_iter().map(|(labels, Distribution { buckets, sum, count })| {
        (labels, Point::Histogram { buckets, sum: Some(sum), count })
    });
    let series = |(labels, point): (Vec<(&'static str, String)>, Point)| {
        let mut labels: Vec<_> =
            labels.into_iter().map(|(name, value)| (names::label(name).into_owned(), value)).collect();
        labels.sort();
        Series { labels, point, timestamp_ms: None, created: 0 }
    };
    Family {
        name: names::exact(metric.name),
        help: metric.help.to_owned(),
        unit: String::new(),
        kind: match metric.kind {
            MetricKind::Counter => Kind::ExactCounter,
            MetricKind::Gauge => Kind::Gauge,
            MetricKind::Histogram => Kind::Histogram,
        },
        series: numbers.chain(histograms).map(series).collect(),
    }
}
