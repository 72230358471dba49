use super::{
    FileSink,
    config::{Config, Plan},
    otlp_json::{NotOtlp, write_request},
    records::write_records,
    rotation::Rotation,
    writer::Writer,
};
use crate::testing::{Scratch, build_cx, logs, metrics, traces};
use lanner_engine::{
    event::{OtlpRequest, SeverityNumber},
    prelude::*,
    testing::planning,
};
use serde_json::{Value as Json, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

fn plan(config: Json) -> Option<Plan> {
    let config: Config = serde_json::from_value(config).unwrap();
    planning(|cx| FileSink::plan(config, cx)).0
}

async fn exporter(config: Json) -> Result<Box<dyn Exporter>, BoxError> {
    Box::new(plan(config).unwrap()).build(&build_cx()).await
}

fn lines(path: &Path) -> Vec<Json> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scenario: requests of every signal, many at once.
/// Guarantee: each is one whole line of OTLP JSON, and only the owner can read the file.
#[tokio::test]
async fn a_request_is_a_line() {
    let scratch = Scratch::new();
    let path = scratch.path().join("deep/er/alerts.jsonl");
    let exporter = exporter(json!({"path": path, "create_directory": true})).await.unwrap();
    let requests: Vec<Request> = (0..30).map(|_| logs(50)).chain([metrics(), traces()]).collect();
    let exports = requests.iter().map(|request| exporter.export(request));
    for outcome in futures_util::future::join_all(exports).await {
        assert_eq!(outcome, Outcome::Delivered);
    }
    let lines = lines(&path);
    assert_eq!(lines.len(), 32);
    let records = |line: &Json| line["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().map_or(0, Vec::len);
    assert_eq!(lines.iter().map(records).sum::<usize>(), 1500);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Scenario: a process was killed in the middle of a line; a new one opens the file.
/// Guarantee: the cut line stays alone on its line, everything before and after is readable.
#[tokio::test]
async fn a_cut_line_is_closed_after_a_crash() {
    let scratch = Scratch::new();
    let path = scratch.path().join("alerts.jsonl");
    fs::write(&path, "{\"whole\":1}\n{\"cut\":").unwrap();
    for _ in 0..2 {
        let exporter = exporter(json!({"path": path})).await.unwrap();
        assert_eq!(exporter.export(&logs(1)).await, Outcome::Delivered);
    }
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (4, "{\"whole\":1}", "{\"cut\":"));
    assert!(serde_json::from_str::<Json>(lines[2]).is_ok() && serde_json::from_str::<Json>(lines[3]).is_ok());
}

/// Scenario: the disk is full; the directory is missing; the path is a directory; there is no path.
/// Guarantee: a full disk is tried again, the others are told before start.
#[tokio::test]
async fn what_cannot_be_written() {
    let full = exporter(json!({"path": "/dev/full"})).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(full.export(&logs(1)).await, Outcome::Retry { .. }));
    }
    let scratch = Scratch::new();
    let error = exporter(json!({"path": scratch.path().join("no/such/file")})).await.err().unwrap();
    assert!(error.to_string().contains("create_directory"), "{error}");
    assert!(exporter(json!({"path": scratch.path()})).await.is_err());
    assert!(plan(json!({})).is_none());
    assert!(plan(json!({"path": "a", "rotation": {"max_megabytes": 0}})).is_none());
}

/// Scenario: a file that grows past its limit again and again, beside files of others and an old backup.
/// Guarantee: no line is lost among the files kept, only our own surplus files are deleted.
#[test]
fn rotation() {
    let scratch = Scratch::new();
    let name = |name: &str| scratch.path().join(name);
    for other in ["alerts-notes.jsonl", "alerts-2020-01-01.jsonl", "other-2020-01-01T00-00-00.000.jsonl"] {
        fs::write(name(other), "mine").unwrap();
    }
    fs::write(name("alerts-2026-11-01T00-00-00.000.jsonl"), "old").unwrap();
    let rotation = Rotation {
        max_bytes: 25,
        max_days: 20,
        max_backups: 3,
        localtime: false,
        now: || "2026-11-22T13:05:09.123Z".parse().unwrap(),
    };
    let mut writer = Writer::open(name("alerts.jsonl"), false, Some(rotation)).unwrap();
    for index in 0..9 {
        writer.append(format!("line {index:04}\n").as_bytes()).unwrap();
    }
    // Two lines of 10 bytes fit into 25; a line over the limit gets a file of its own.
    writer.append(&[b'x'; 40]).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "alerts-2020-01-01.jsonl",
            "alerts-2026-11-22T13-05-09.125.jsonl",
            "alerts-2026-11-22T13-05-09.126.jsonl",
            "alerts-2026-11-22T13-05-09.127.jsonl",
            "alerts-notes.jsonl",
            "alerts.jsonl",
            "other-2020-01-01T00-00-00.000.jsonl",
        ]
    );
    assert_eq!(fs::read_to_string(name("alerts-2026-11-22T13-05-09.125.jsonl")).unwrap(), "line 0004\nline 0005\n");
    assert_eq!(fs::read_to_string(name("alerts-2026-11-22T13-05-09.127.jsonl")).unwrap(), "line 0008\n");
    assert_eq!(fs::read(name("alerts.jsonl")).unwrap(), [b'x'; 40]);
}

fn transcode(request: &Request) -> Json {
    let mut out = Vec::new();
    write_request(request.signal(), request.bytes(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// Scenario: each signal.
/// Guarantee: OTLP's JSON rules: lowerCamelCase, hex ids, enums as numbers, 64-bit integers as strings.
#[test]
fn otlp_json_of_each_signal() {
    assert_eq!(
        transcode(&logs(1)),
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
            "timeUnixNano": "1700000000000000000",
            "severityNumber": 13,
            "severityText": "Warning",
            "eventName": "falco.alert",
            "body": {"stringValue": "shell in container 0"},
            "attributes": [
                {"key": "security_rule.name", "value": {"stringValue": "Terminal shell in container"}},
            ],
            "traceId": "ab".repeat(16),
        }]}]}]})
    );
    assert_eq!(
        transcode(&metrics()),
        json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{
            "name": "falco.alerts",
            "unit": "{alert}",
            "gauge": {"dataPoints": [{"timeUnixNano": "7", "asInt": "9007199254740993"}]},
        }]}]}]})
    );
    assert_eq!(
        transcode(&traces()),
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "01".repeat(16),
            "spanId": "02".repeat(8),
            "name": "incident",
            "kind": 1,
            "startTimeUnixNano": "5",
            "endTimeUnixNano": "1000005",
        }]}]}]})
    );
}

/// Scenario: every kind of value, and metrics with packed lists, negative numbers and doubles that JSON lacks.
/// Guarantee: nothing is rounded, nothing becomes null.
#[test]
fn otlp_json_of_every_kind() {
    use lanner_proto::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
        metrics::v1::{
            ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
            ResourceMetrics, ScopeMetrics, Sum, exponential_histogram_data_point::Buckets, metric::Data,
        },
        resource::v1::Resource,
    };
    use prost::Message;
    let any = |value| Some(AnyValue { value: Some(value) });
    let pair = |key: &str, value| KeyValue { key: key.into(), value, ..Default::default() };
    let attributes = vec![
        pair("bool", any(Value::BoolValue(false))),
        pair("int", any(Value::IntValue(i64::MIN))),
        pair("nan", any(Value::DoubleValue(f64::NAN))),
        pair("double", any(Value::DoubleValue(-0.5))),
        pair("bytes", any(Value::BytesValue(vec![0xff, 0xfe]))),
        pair("list", any(Value::ArrayValue(ArrayValue { values: vec![AnyValue::default()] }))),
        pair("map", any(Value::KvlistValue(KeyValueList { values: vec![pair("\u{1b}\n\"", None)] }))),
    ];
    let histogram = HistogramDataPoint {
        count: u64::MAX,
        sum: Some(f64::INFINITY),
        bucket_counts: vec![1, u64::MAX],
        explicit_bounds: vec![0.5, f64::NEG_INFINITY],
        ..Default::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        scale: -3,
        positive: Some(Buckets { offset: -7, bucket_counts: vec![3, 300] }),
        ..Default::default()
    };
    let data = [
        Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 2 }),
        Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![exponential], aggregation_temporality: 1 }),
        Data::Sum(Sum { is_monotonic: true, ..Default::default() }),
    ];
    let metrics = data.map(|data| Metric { data: Some(data), ..Default::default() }).into();
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
            ..Default::default()
        }],
    };
    let bytes = request.encode_to_vec();
    let one = Request::new(OtlpRequest { signal: Signal::Metrics, bytes: bytes.clone().into(), items: 2 });
    let shown = transcode(&one);
    let expected = json!({
        "resource": {"attributes": [
            {"key": "bool", "value": {"boolValue": false}},
            {"key": "int", "value": {"intValue": "-9223372036854775808"}},
            {"key": "nan", "value": {"doubleValue": "NaN"}},
            {"key": "double", "value": {"doubleValue": -0.5}},
            {"key": "bytes", "value": {"bytesValue": "//4="}},
            {"key": "list", "value": {"arrayValue": {"values": [{}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [{"key": "\u{1b}\n\""}]}}},
        ]},
        "scopeMetrics": [{"metrics": [
            {"histogram": {"aggregationTemporality": 2, "dataPoints": [{
                "count": "18446744073709551615", "sum": "Infinity",
                "bucketCounts": ["1", "18446744073709551615"], "explicitBounds": [0.5, "-Infinity"],
            }]}},
            {"exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [{
                "count": "0", "scale": -3, "zeroCount": "0", "positive": {"offset": -7, "bucketCounts": ["3", "300"]},
            }]}},
            {"sum": {"isMonotonic": true}},
        ]}],
    });
    // prost leaves zeros out, so they are compared only where they are written.
    let mut expected = expected;
    let point = &mut expected["scopeMetrics"][0]["metrics"][1]["exponentialHistogram"]["dataPoints"][0];
    point.as_object_mut().unwrap().retain(|key, _| key != "count" && key != "zeroCount");
    assert_eq!(shown, json!({"resourceMetrics": [expected]}));
    // Two requests merge by concatenation.
    let twice =
        Request::new(OtlpRequest { signal: Signal::Metrics, bytes: [&bytes[..], &bytes].concat().into(), items: 4 });
    assert_eq!(transcode(&twice), json!({"resourceMetrics": [expected, expected]}));
}

/// Scenario: a request cut at every byte, with every byte changed, and messages nested 10,000 deep (S14).
/// Guarantee: an error or one line of valid JSON; no panic, no deep recursion.
#[test]
fn damaged_requests_are_refused() {
    let whole = logs(3).bytes().to_vec();
    let check = |bytes: &[u8]| {
        for signal in Signal::ALL {
            let mut out = Vec::new();
            if write_request(signal, bytes, &mut out).is_ok() {
                assert!(serde_json::from_slice::<Json>(&out).is_ok(), "{}", String::from_utf8_lossy(&out));
                assert!(!out.contains(&b'\n'));
            }
        }
    };
    for index in 0..whole.len() {
        check(&whole[..index]);
        for bits in [1, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[index] ^= bits;
            check(&changed);
        }
    }
    let wrap = |field: u8, inner: &[u8]| {
        let mut outer = vec![field << 3 | 2];
        let mut length = inner.len();
        while length >= 0x80 {
            outer.push(length as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend_from_slice(inner);
        outer
    };
    let mut value = Vec::new();
    for _ in 0..10_000 {
        value = wrap(5, &wrap(1, &value));
    }
    let request = [5, 2, 2, 1].into_iter().fold(value, |inner, field| wrap(field, &inner));
    assert_eq!(write_request(Signal::Logs, &request, &mut Vec::new()), Err(NotOtlp::TooDeep));
}

/// Scenario: a record with everything, a record with nothing.
/// Guarantee: one flat object each, integers exact, and no empty fields made up.
#[test]
fn records_are_flat() {
    let resource =
        Resource { attrs: [("host.name".into(), "node-1".into())].into_iter().collect(), ..Default::default() };
    let full = LogRecord {
        time_unix_nano: 1_700_000_000_123_456_789,
        severity_number: SeverityNumber(13),
        severity_text: "Warning".into(),
        event_name: "falco.alert".into(),
        body: "a\n\u{1b}b".into(),
        attrs: [
            ("evt.time".into(), i64::MAX.into()),
            ("tags".into(), ["a", "b"].into_iter().map(Text::from_static).collect()),
            ("map".into(), Value::Map(vec![("k".into(), Value::Double(f64::NAN))])),
        ]
        .into_iter()
        .collect(),
        trace_id: [1; 16],
        span_id: [2; 8],
        ..Default::default()
    };
    let mut logs = Logs::one(Arc::new(resource), Arc::default(), full);
    logs.groups[0].records.push(LogRecord::default());
    let mut out = Vec::new();
    write_records(&logs, &mut out);
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            json!({
                "time": "2023-11-14T22:13:20.123456789Z",
                "severity": "Warning",
                "severity_number": 13,
                "event_name": "falco.alert",
                "body": "a\n\u{1b}b",
                "attributes": {"evt.time": i64::MAX, "tags": ["a", "b"], "map": {"k": "NaN"}},
                "resource": {"host.name": "node-1"},
                "trace_id": "01".repeat(16),
                "span_id": "02".repeat(8),
            }),
            json!({"attributes": {}, "resource": {"host.name": "node-1"}}),
        ]
    );
}
