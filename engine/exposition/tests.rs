//! Scenarios of the exposition formats. `promtool` (when there is one) and a real Prometheus judge the result in
//! the tests of the `prometheus` exporter.

use super::{names::Suffix, *};
use lanner_proto::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{self as otel, metric::Data, number_data_point},
    resource::v1::Resource,
};

fn family(name: &str, kind: Kind, series: Vec<Series>) -> Family {
    Family { name: name.into(), help: String::new(), unit: String::new(), kind, series }
}

fn series(labels: &[(&str, &str)], point: Point) -> Series {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Series { labels, point, timestamp_ms: None, created: 0 }
}

fn int(number: i64) -> Point {
    Point::Number(Number::Int(number))
}

/// Scenario: a counter with help, unit, created time, timestamp and hostile texts, in both formats.
/// Guarantee: each format has its own names and its own escapes.
#[test]
fn counter_in_both_formats() {
    let mut one = series(&[("rule", "a\"b\\c\nd")], int(3));
    (one.timestamp_ms, one.created) = (Some(1_700_000_000_123), 1_700_000_000_000_000_001);
    let mut counter = family("wait_seconds", Kind::Counter, vec![one]);
    (counter.help, counter.unit) = ("Say \"hi\"\n\\o/".into(), "seconds".into());
    let text = "# HELP wait_seconds_total Say \"hi\"\\n\\\\o/\n# TYPE wait_seconds_total counter\n\
                wait_seconds_total{rule=\"a\\\"b\\\\c\\nd\"} 3 1700000000123\n";
    assert_eq!(write(&[counter.clone()], Format::Text), text);
    let open = "# HELP wait_seconds Say \\\"hi\\\"\\n\\\\o/\n# TYPE wait_seconds counter\n# UNIT wait_seconds seconds\n\
                wait_seconds_total{rule=\"a\\\"b\\\\c\\nd\"} 3 1700000000.123\n\
                wait_seconds_created{rule=\"a\\\"b\\\\c\\nd\"} 1700000000.000000001\n# EOF\n";
    assert_eq!(write(&[counter], Format::OpenMetrics), open);
}

/// Scenario: histogram, summary, info, a counter that keeps its name, and numbers that are none.
/// Guarantee: the lines that each format's specification shows.
#[test]
fn other_kinds_and_special_numbers() {
    let histogram = Point::Histogram { buckets: vec![(0.5, 1), (1.0, 2)], sum: Some(1.25), count: 3 };
    let summary = Point::Summary { quantiles: vec![(0.5, 2.0), (1.0, f64::NAN)], sum: 4.0, count: 2 };
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.1, 0.0];
    let special = special
        .iter()
        .enumerate()
        .map(|(at, number)| series(&[("at", &at.to_string())], Point::Number(Number::Float(*number))));
    let families = [
        family("h", Kind::Histogram, vec![series(&[("a", "b")], histogram)]),
        family("s", Kind::Summary, vec![series(&[], summary)]),
        family("target", Kind::Info, vec![series(&[("job", "x")], int(1))]),
        family("falco_events", Kind::ExactCounter, vec![series(&[], int(7))]),
        family("g", Kind::Gauge, special.collect()),
        family("empty", Kind::Gauge, vec![]),
    ];
    let text = write(&families, Format::Text);
    let expected = "# TYPE h histogram\nh_bucket{a=\"b\",le=\"0.5\"} 1\nh_bucket{a=\"b\",le=\"1\"} 2\n\
        h_bucket{a=\"b\",le=\"+Inf\"} 3\nh_sum{a=\"b\"} 1.25\nh_count{a=\"b\"} 3\n\
        # TYPE s summary\ns{quantile=\"0.5\"} 2\ns{quantile=\"1\"} NaN\ns_sum 4\ns_count 2\n\
        # TYPE target_info gauge\ntarget_info{job=\"x\"} 1\n\
        # TYPE falco_events counter\nfalco_events 7\n\
        # TYPE g gauge\ng{at=\"0\"} NaN\ng{at=\"1\"} +Inf\ng{at=\"2\"} -Inf\ng{at=\"3\"} 1e300\ng{at=\"4\"} 0.1\ng{at=\"5\"} 0\n";
    assert_eq!(text, expected);
    let open = write(&families, Format::OpenMetrics);
    for line in
        ["h_bucket{a=\"b\",le=\"1.0\"} 2", "# TYPE target info", "# TYPE falco_events unknown", "falco_events 7"]
    {
        assert!(open.lines().any(|found| found == line), "{line} is missing in\n{open}");
    }
    assert!(open.ends_with("# EOF\n") && !open.contains("empty"));
}

/// Scenario: names and units of OpenTelemetry, plain and odd.
/// Guarantee: the Prometheus names that the Collector makes of them.
#[test]
fn metric_names() {
    let cases = [
        ("falco.alerts", "{alert}", Suffix::Total, "falco_alerts", ""),
        ("falco.alert.last_seen", "s", Suffix::Ratio, "falco_alert_last_seen_seconds", "seconds"),
        ("http.server.duration", "ms", Suffix::Unit, "http_server_duration_milliseconds", "milliseconds"),
        ("already_seconds", "s", Suffix::Unit, "already_seconds", "seconds"),
        ("rate", "By/s", Suffix::Ratio, "rate_bytes_per_second", "bytes_per_second"),
        ("used", "1", Suffix::Ratio, "used_ratio", "ratio"),
        ("used", "1", Suffix::Total, "used", ""),
        ("x_total_y", "", Suffix::Total, "x_y", ""),
        ("2xx..count", "", Suffix::Unit, "_2xx_count", ""),
        ("a:b", "", Suffix::Unit, "a:b", ""),
        ("…", "", Suffix::Unit, "_", ""),
    ];
    for (name, unit, suffix, expected, expected_unit) in cases {
        let found = names::metric("", name, unit, suffix, true);
        assert_eq!(found, (expected.to_owned(), expected_unit.to_owned()), "{name} {unit}");
    }
    assert_eq!(names::metric("my-ns", "a.b", "s", Suffix::Total, false).0, "my_ns_a_b");
}

/// Scenario: label names that Prometheus cannot take, or reserves for itself.
/// Guarantee: valid names; `__name__` cannot be overwritten.
#[test]
fn label_names() {
    let cases = [
        ("security_rule.name", "security_rule_name"),
        ("rule", "rule"),
        ("2xx", "key_2xx"),
        ("_x", "key_x"),
        ("__name__", "key__name__"),
        ("", "key_"),
        ("ä", "key_"),
    ];
    for (name, expected) in cases {
        assert_eq!(names::label(name), expected);
    }
}

/// Scenario: the `Accept` headers of Prometheus 2 and 3, of curl, and nonsense.
/// Guarantee: OpenMetrics only for those who ask for a version we write.
#[test]
fn negotiation() {
    let prometheus2 = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                       text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    assert_eq!(Format::for_accept(prometheus2), Format::OpenMetrics);
    let text_first = "application/openmetrics-text;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.6";
    assert_eq!(Format::for_accept(text_first), Format::Text);
    for accept in
        ["*/*", "", "application/openmetrics-text;version=2.0.0", "application/openmetrics-text;q=0", ";;,q=,"]
    {
        assert_eq!(Format::for_accept(accept), Format::Text, "{accept}");
    }
}

#[derive(Default)]
struct Collected {
    samples: Vec<(otlp::Meta, otlp::Sample)>,
    skipped: Vec<(usize, &'static str)>,
}

impl otlp::Sink for Collected {
    fn sample(&mut self, meta: &otlp::Meta, sample: otlp::Sample) {
        self.samples.push((meta.clone(), sample));
    }
    fn skipped(&mut self, points: usize, reason: &'static str) {
        self.skipped.push((points, reason));
    }
}

fn read(metrics: Vec<otel::Metric>, options: &otlp::Options) -> Collected {
    let resource =
        Resource { attributes: vec![attr("service.name", "lanner"), attr("host.name", "n")], ..Default::default() };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![otel::ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![otel::ScopeMetrics { metrics, ..Default::default() }],
            ..Default::default()
        }],
    };
    let mut collected = Collected::default();
    otlp::read(&request, options, &mut collected);
    collected
}

fn plain() -> otlp::Options {
    otlp::Options { namespace: String::new(), const_labels: vec![], suffixes: true, resource_labels: false }
}

fn attr(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn sum(name: &str, attributes: Vec<KeyValue>, temporality: i32, is_monotonic: bool) -> otel::Metric {
    let value = Some(number_data_point::Value::AsInt(5));
    let point = otel::NumberDataPoint { attributes, value, time_unix_nano: 9, ..Default::default() };
    let data = otel::Sum { data_points: vec![point], aggregation_temporality: temporality, is_monotonic };
    otel::Metric { name: name.into(), data: Some(Data::Sum(data)), ..Default::default() }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Scenario: a counter whose attributes collide once sanitised, with constant labels, with and without labels of the
/// resource.
/// Guarantee: labels are sorted and unique, the series' own win, and by default nothing comes from the resource.
#[test]
fn labels_of_a_series() {
    let metric = || sum("falco.alerts", vec![attr("b.x", "2"), attr("b_x", "1"), attr("a", "0")], 2, true);
    let options = otlp::Options { const_labels: labels(&[("a", "const"), ("z", "const")]), ..plain() };
    let found = read(vec![metric()], &options);
    assert_eq!(found.samples[0].0.name, "falco_alerts");
    assert_eq!(found.samples[0].1.labels, labels(&[("a", "0"), ("b_x", "1;2"), ("z", "const")]));
    let info = &found.samples[1];
    assert_eq!((info.0.kind, info.0.name.as_str()), (Kind::Info, "target"));
    assert_eq!(info.1.labels, labels(&[("a", "const"), ("host_name", "n"), ("job", "lanner"), ("z", "const")]));
    let found = read(vec![metric()], &otlp::Options { resource_labels: true, ..plain() });
    let expected = [("a", "0"), ("b_x", "1;2"), ("host_name", "n"), ("service_name", "lanner")];
    assert_eq!(found.samples[0].1.labels, labels(&expected));
}

/// Scenario: metrics that ask for an exact name; suffixes switched off; sums that have no Prometheus form.
/// Guarantee: exact names come out as asked, the rest is counted.
#[test]
fn exact_names_and_skipped_sums() {
    let exact = |name: &str| otel::Metric { metadata: vec![attr(otlp::EXACT_NAME, name)], ..sum("x", vec![], 2, true) };
    let found = read(vec![exact("falco_events"), exact("matches_total"), sum("d", vec![], 1, false)], &plain());
    let kinds: Vec<_> = found.samples.iter().map(|(meta, _)| (meta.name.as_str(), meta.kind)).collect();
    let expected = [("falco_events", Kind::ExactCounter), ("matches", Kind::Counter), ("target", Kind::Info)];
    assert_eq!(kinds, expected);
    assert_eq!(found.skipped, [(1, "delta_not_monotonic")]);
    let found = read(vec![sum("a.b", vec![], 2, true)], &otlp::Options { suffixes: false, ..plain() });
    assert_eq!((found.samples[0].0.name.as_str(), found.samples[0].0.kind), ("a_b", Kind::ExactCounter));
}

/// Scenario: a classic, an exponential and a broken histogram.
/// Guarantee: cumulative buckets with ascending bounds; a broken one is counted, not shown.
#[test]
fn histograms() {
    let classic = |bounds: Vec<f64>| otel::HistogramDataPoint {
        explicit_bounds: bounds,
        bucket_counts: vec![1, 2, 3],
        count: 6,
        sum: Some(9.0),
        attributes: vec![attr("le", "mine")],
        ..Default::default()
    };
    let data = otel::Histogram {
        data_points: vec![classic(vec![1.0, 2.0]), classic(vec![2.0, 1.0])],
        aggregation_temporality: 2,
    };
    let classic = otel::Metric { name: "h".into(), data: Some(Data::Histogram(data)), ..Default::default() };
    let buckets = |offset, counts: &[u64]| {
        Some(otel::exponential_histogram_data_point::Buckets { offset, bucket_counts: counts.to_vec() })
    };
    let point = otel::ExponentialHistogramDataPoint {
        scale: 0,
        zero_count: 1,
        positive: buckets(0, &[2, 3]),
        negative: buckets(0, &[4]),
        count: 10,
        ..Default::default()
    };
    let data = otel::ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 };
    let exponential =
        otel::Metric { name: "e".into(), data: Some(Data::ExponentialHistogram(data)), ..Default::default() };
    let found = read(vec![classic, exponential], &plain());
    assert_eq!(found.skipped, [(1, "malformed_histogram")]);
    assert_eq!(found.samples[0].1.labels, labels(&[("exported_le", "mine")]));
    let expected = Point::Histogram { buckets: vec![(1.0, 1), (2.0, 3)], sum: Some(9.0), count: 6 };
    assert_eq!(found.samples[0].1.point, Some(expected));
    let buckets = vec![(-1.0, 4), (0.0, 5), (2.0, 7), (4.0, 10)];
    assert_eq!(found.samples[1].1.point, Some(Point::Histogram { buckets, sum: None, count: 10 }));
}
