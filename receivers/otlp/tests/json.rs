//! OTLP/JSON.

use super::{
    super::json,
    door::{Door, client},
    *,
};
use lanner_proto::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::any_value::Value,
    metrics::v1::{metric::Data, number_data_point},
};
use proptest::prelude::*;
use prost::Message;

fn to_protobuf(signal: Signal, text: &[u8]) -> Result<Vec<u8>, json::JsonError> {
    json::to_protobuf(signal, text, 1 << 20)
}

const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"falco"}}]},
 "scopeLogs":[{"scope":{"name":"s"},"logRecords":[{
  "timeUnixNano":"1544712660300000001","observedTimeUnixNano":1544712660300000002,"severityNumber":13,"severityText":"W\u00e4rn",
  "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","flags":1,"unknownField":{"a":[1,{}]},
  "body":{"kvlistValue":{"values":[
    {"key":"int","value":{"intValue":"-9007199254740993"}},{"key":"num","value":{"intValue":7}},
    {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"inf","value":{"doubleValue":"-Infinity"}},
    {"key":"half","value":{"doubleValue":0.5}},{"key":"bool","value":{"boolValue":false}},
    {"key":"bytes","value":{"bytesValue":"-_8="}},{"key":"none","value":{}},{"key":"null","value":null},
    {"key":"list","value":{"arrayValue":{"values":[{"stringValue":""}]}}}]}}}]}]}]}"#;

/// Scenario: a log record with every kind of value, numbers as numbers and as text, unknown fields and null.
/// Guarantee: prost reads back exactly what the JSON says.
#[test]
fn logs_become_the_request_they_describe() {
    let request = ExportLogsServiceRequest::decode(&to_protobuf(Signal::Logs, LOGS.as_bytes()).unwrap()[..]).unwrap();
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.time_unix_nano, 1_544_712_660_300_000_001);
    assert_eq!(record.observed_time_unix_nano, 1_544_712_660_300_000_002);
    assert_eq!((record.severity_number, record.severity_text.as_str(), record.flags), (13, "Wärn", 1));
    assert_eq!(record.trace_id[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!(record.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
    let Some(Value::KvlistValue(list)) = record.body.clone().unwrap().value else { panic!("{record:?}") };
    let value = |key: &str| {
        let found = list.values.iter().find(|found| found.key == key).unwrap();
        found.value.as_ref().and_then(|value| value.value.clone())
    };
    assert_eq!(value("int"), Some(Value::IntValue(-9_007_199_254_740_993)));
    assert_eq!(value("num"), Some(Value::IntValue(7)));
    assert!(matches!(value("nan"), Some(Value::DoubleValue(nan)) if nan.is_nan()));
    assert_eq!(value("inf"), Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert_eq!(value("half"), Some(Value::DoubleValue(0.5)));
    assert_eq!(value("bool"), Some(Value::BoolValue(false)), "false is a value, not an absent field");
    assert_eq!(value("bytes"), Some(Value::BytesValue(vec![0xfb, 0xff])), "the URL alphabet is read, too");
    assert_eq!((value("none"), value("null")), (None, None));
    assert!(matches!(value("list"), Some(Value::ArrayValue(list)) if list.values.len() == 1));
}

/// Scenario: floats with more digits than they hold, as numbers and as text; ones that are too large; other kinds of values.
/// Guarantee: each is the nearest float there is, as the standard library reads it; what is none is refused.
#[test]
fn floats_are_exact() {
    let read = |value: &str| -> Result<f64, String> {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{{"asDouble":{value}}}]}}}}]}}]}}]}}"#
        );
        let bytes = to_protobuf(Signal::Metrics, json.as_bytes()).map_err(|error| error.to_string())?;
        let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        let Some(Data::Gauge(gauge)) = &request.resource_metrics[0].scope_metrics[0].metrics[0].data else {
            panic!("{request:?}")
        };
        match gauge.data_points[0].value {
            Some(number_data_point::Value::AsDouble(value)) => Ok(value),
            ref other => panic!("{other:?}"),
        }
    };
    for text in [
        "1844674407370954191.565",
        "1.8446744073709542e18",
        "-0.1",
        "7",
        "2.2250738585072011e-308",
        "18446744073709551616",
    ] {
        let exact: f64 = text.parse().unwrap();
        for written in [text.to_owned(), format!("\"{text}\"")] {
            assert_eq!(read(&written).map(f64::to_bits), Ok(exact.to_bits()), "{written}");
        }
    }
    for text in ["1e400", "\"1e400\"", "true", "[1]", "{}", "\"\"", "\"seven\"", "\"ééééééééééééééééé\""]
    {
        let error = read(text).unwrap_err();
        assert!(error.contains("a number for `asDouble`"), "{text}: {error}");
    }
}

/// Scenario: metrics with packed numbers, signed offsets and both kinds of points; a span with events and status.
/// Guarantee: as above.
#[test]
fn metrics_and_traces_too() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
      {"name":"g","gauge":{"dataPoints":[{"asInt":"-5","timeUnixNano":"7"},{"asDouble":1}]}},
      {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","bucketCounts":["1",2],"explicitBounds":[0.5,1e3]}]}},
      {"name":"e","exponentialHistogram":{"dataPoints":[{"scale":-2,"positive":{"offset":-3,"bucketCounts":["300",1]}}]}}]}]}]}"#;
    let bytes = to_protobuf(Signal::Metrics, json.as_bytes()).unwrap();
    assert_eq!(lanner_engine::event::otlp::count_items(Signal::Metrics, &bytes).unwrap(), 4);
    let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let Some(Data::Gauge(gauge)) = &metrics[0].data else { panic!("{metrics:?}") };
    assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsInt(-5)));
    assert_eq!(gauge.data_points[1].value, Some(number_data_point::Value::AsDouble(1.0)));
    let Some(Data::Histogram(histogram)) = &metrics[1].data else { panic!("{metrics:?}") };
    let point = &histogram.data_points[0];
    assert_eq!(
        (point.count, &point.bucket_counts[..], &point.explicit_bounds[..]),
        (3, &[1, 2][..], &[0.5, 1000.0][..])
    );
    let Some(Data::ExponentialHistogram(histogram)) = &metrics[2].data else { panic!("{metrics:?}") };
    let positive = histogram.data_points[0].positive.as_ref().unwrap();
    assert_eq!((histogram.data_points[0].scale, positive.offset, &positive.bucket_counts[..]), (-2, -3, &[300, 1][..]));

    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"n","kind":2,"traceId":"","parentSpanId":"0102030405060708",
      "events":[{"name":"e","timeUnixNano":"5"}],"status":{"code":2,"message":"m"}}]}]}]}"#;
    let bytes = to_protobuf(Signal::Traces, json.as_bytes()).unwrap();
    let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.kind, &span.parent_span_id[..], span.trace_id.len()), (2, &[1, 2, 3, 4, 5, 6, 7, 8][..], 0));
    assert_eq!((span.events[0].time_unix_nano, span.status.as_ref().unwrap().code), (5, 2));
}

/// Scenario: S2, S14: text that breaks OTLP's rules, and text that nests 10,000 levels.
/// Guarantee: an error that says what is wrong; no panic, no guess.
#[test]
fn broken_rules_are_errors() {
    let record = |fields: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#);
    for (fields, text) in [
        (r#""severityNumber":"SEVERITY_NUMBER_WARN""#, "severityNumber"),
        (r#""severityNumber":-1"#, "out of range"),
        (r#""timeUnixNano":-1"#, "out of range"),
        (r#""timeUnixNano":"18446744073709551616""#, "out of range"),
        (r#""timeUnixNano":1.5"#, "timeUnixNano"),
        (r#""timeUnixNano":true"#, "timeUnixNano"),
        (r#""traceId":"5b8e""#, "32 hex digits"),
        (r#""traceId":"zz8efff798038103d269b633813fc60c""#, "32 hex digits"),
        (r#""spanId":"ééé""#, "16 hex digits"),
        (r#""severityText":5"#, "severityText"),
        (r#""severityText":"a","severityText":"b""#, "twice"),
        (r#""body":"text""#, "an object"),
        (r#""attributes":{}"#, "attributes"),
        (r#""attributes":[null]"#, "an object"),
        (r#""body":{"bytesValue":"***"}"#, "bytesValue"),
        (r#""body":{"boolValue":"true"}"#, "boolValue"),
        (r#""body":{"doubleValue":"nan"}"#, "doubleValue"),
    ] {
        let error = to_protobuf(Signal::Logs, record(fields).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(text), "{fields}: {error}");
    }
    for text in ["", "[]", "null", "{} {}", "{", "\u{feff}{}", "{\"resourceLogs\":[{}"] {
        assert!(to_protobuf(Signal::Logs, text.as_bytes()).is_err(), "{text}");
    }
    assert!(to_protobuf(Signal::Logs, b"{\"a\":\"\xff\"}").is_err());
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(10_000), "]}}".repeat(10_000));
    assert!(to_protobuf(Signal::Logs, record(&format!(r#""body":{deep}"#)).as_bytes()).is_err());
    assert!(to_protobuf(Signal::Logs, "[".repeat(100_000).as_bytes()).is_err());
    assert_eq!(to_protobuf(Signal::Logs, br#"{"resource_logs":[{}]}"#).unwrap(), b"", "other spellings are unknown");
}

/// Scenario: 20,000 numbers of two letters each, eight bytes each in protobuf, against limits around their size.
/// Guarantee: never more than the limit comes out, and reading ends soon after it.
#[test]
fn the_output_is_bounded() {
    let numbers = "1,".repeat(20_000);
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{numbers}1]}}]}}}}]}}]}}]}}"#
    );
    let whole = json::to_protobuf(Signal::Metrics, text.as_bytes(), usize::MAX).unwrap().len();
    assert!(whole > 160_000);
    assert!(json::to_protobuf(Signal::Metrics, text.as_bytes(), whole).is_ok());
    for limit in [whole - 1, 1000, 0] {
        let read = json::to_protobuf(Signal::Metrics, text.as_bytes(), limit);
        assert!(matches!(read, Err(json::JsonError::TooLarge { limit: told }) if told == limit), "{read:?}");
    }
}

/// Scenario: JSON over HTTP.
/// Guarantee: 200 with `{}`, and the request goes on as protobuf.
#[tokio::test]
async fn json_goes_on_as_protobuf() {
    let door = Door::open().await;
    let answer = client().post(door.url("/v1/logs")).header("content-type", "application/json").body(LOGS);
    let answer = answer.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (200, "application/json")
    );
    assert_eq!(answer.text().await.unwrap(), "{}");
    let expected = to_protobuf(Signal::Logs, LOGS.as_bytes()).unwrap();
    assert_eq!(door.taken(), [(Signal::Logs, expected.into(), 1)]);
    assert_eq!(door.capture.admitted(), 0);
}

proptest! {
    /// Scenario: any bytes, and JSON cut at any place.
    /// Guarantee: no panic, and what is made of them is protobuf that can be read.
    #[test]
    fn no_text_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..LOGS.len()) {
        let _ = to_protobuf(Signal::Metrics, &bytes);
        prop_assert!(to_protobuf(Signal::Logs, &LOGS.as_bytes()[..cut]).is_err());
        let mut damaged = LOGS.as_bytes().to_vec();
        damaged[cut] = bytes.first().copied().unwrap_or(b'0');
        if let Ok(protobuf) = to_protobuf(Signal::Logs, &damaged) {
            prop_assert!(ExportLogsServiceRequest::decode(&protobuf[..]).is_ok());
        }
    }
}
