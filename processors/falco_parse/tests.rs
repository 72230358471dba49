//! Scenarios of `falco_parse`. What an alert becomes is told by the mapper that `falco_http` uses.

use super::FalcoParse;
use crate::testing::{OBSERVED, assert_untouched, carrier, emitted, field, get, group, lines, requests, untouched};
use bytes::Bytes;
use lanner_engine::{
    event::{OtlpRequest, otlp},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, is_alert, is_internal, scope},
    testing::TransformTest,
};
use proptest::prelude::*;
use std::sync::Arc;

const ALERT: &str = r#"{"hostname":"node-1","output":"12:00:00.0: Notice A shell","output_fields":{"container.id":"5892b41bcf46","evt.time":1748736000000000001,"k8s.ns.name":"web","k8s.pod.name":"shop-1","proc.name":"sh","user.loginuid":4294967295},"priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["shell"],"time":"2025-06-01T00:00:00.000000001Z"}"#;

fn parse() -> TransformTest {
    TransformTest::of::<FalcoParse>("{}")
}

/// What `falco_http` makes of an alert that it receives at [`OBSERVED`].
fn over_http(alert: &str) -> (Arc<Resource>, LogRecord) {
    let mut logs = Logs::default();
    FalcoMapper::new(&MappingOptions::default()).map_body(&alert.into(), OBSERVED, &scope("x"), &mut logs);
    assert_eq!(logs.len(), 1, "{alert}");
    (Arc::clone(&logs.groups[0].resource), logs.groups[0].records[0].clone())
}

/// Takes out what only a carrier that is a map keeps.
fn without_beside(mut record: LogRecord) -> LogRecord {
    record.attrs.retain(|key, _| !key.as_str().starts_with("lanner.body."));
    record
}

/// Scenario: alerts that real systems wrote, as text, as the map an agent made of it, as bytes, and inside `log` as text and
/// as the JSON of Docker's log files; from the wire and decoded.
/// Guarantee: each is the record and the resource that `falco_http` makes of it, id included.
#[test]
fn real_alerts_become_what_falco_http_makes_of_them() {
    let mut alerts = lines("dev/falco_alerts.jsonl").unwrap_or_default();
    alerts.push(ALERT.to_owned());
    for alert in &alerts {
        let (resource, expected) = over_http(alert);
        let map = Value::from_json(alert).expect("JSON");
        let log = |value: Value| Value::Map(vec![("log".into(), value), ("stream".into(), "stdout".into())]);
        let docker = log(format!("{alert}\n").into()).to_json();
        for (form, body) in [
            ("text", Value::text(format!("  {alert}\r\n"))),
            ("bytes", Value::Bytes(Bytes::from(alert.clone()))),
            ("map", map.clone()),
            ("log, text", log(alert.as_str().into())),
            ("log, map", log(map)),
            ("Docker", docker.into()),
        ] {
            let decoded = group(&[], vec![carrier(body)]);
            for batch in [untouched(&decoded), decoded] {
                let out = parse().run_batch(batch);
                let [(found_resource, found_scope, record)] = &emitted(&out)[..] else { panic!("{form}: {out:?}") };
                assert!(is_alert(record) || is_internal(record));
                assert_eq!(found_resource, &resource, "{form}");
                assert_eq!(without_beside(record.clone()), expected, "{form}");
                assert_eq!(found_scope.name, "lanner.processor.falco_parse");
            }
        }
    }
}

/// Scenario: an agent that says on which pod it found the line (Falco's own), with attributes of its own, one of which has a
/// name of the alert, a trace and a time of observation.
/// Guarantee: upstream's resource attributes, time and trace stay; the pod of the alert is on the record; of the record's
/// attributes those of the alert win, the other one is counted; everything else is there.
#[test]
fn upstream_stays_and_the_alert_is_whole() {
    let mut record = carrier(ALERT);
    record.trace_id = [7; 16];
    record.span_id = [8; 8];
    record.flags = 1;
    record.dropped_attributes_count = 2;
    record.attrs.set("log.file.name", "0.log");
    record.attrs.set("falco.priority", "emergency");
    let upstream = [("k8s.pod.name", "falco-abc"), ("service.name", "falco-ds"), ("cloud.region", "eu-1")];
    let out = parse().run_batch(untouched(&group(&upstream, vec![record])));
    let [(resource, _, record)] = &emitted(&out)[..] else { panic!("{out:?}") };
    let (_, http) = over_http(ALERT);
    for (name, value) in upstream {
        assert_eq!(get(&resource.attrs, name), Some(&value.into()), "{name}");
    }
    for (name, value) in [("k8s.namespace.name", "web"), ("host.name", "node-1"), ("container.id", "5892b41bcf46")] {
        assert_eq!(get(&resource.attrs, name), Some(&value.into()), "{name}");
    }
    assert_eq!(get(&record.attrs, "k8s.pod.name"), Some(&"shop-1".into()));
    assert_eq!(get(&record.attrs, "service.name"), None, "a default is no news");
    assert_eq!(get(&record.attrs, "falco.priority"), Some(&"notice".into()));
    assert_eq!(get(&record.attrs, "log.file.name"), Some(&"0.log".into()));
    assert_eq!(get(&record.attrs, "log.record.uid"), get(&http.attrs, "log.record.uid"));
    assert_eq!((record.observed_time_unix_nano, record.time_unix_nano), (OBSERVED, http.time_unix_nano));
    assert_eq!((record.trace_id, record.span_id, record.flags), ([7; 16], [8; 8], 1));
    assert_eq!(record.dropped_attributes_count, 2 + 1);
}

/// Scenario: Fluent Bit's map, with its own keys and the raw line still beside the keys of the alert; a record without a time
/// of observation.
/// Guarantee: what the agent added is kept as `lanner.body.<key>`, the second copy of the alert is not; the time is now.
#[test]
fn what_stands_beside_the_alert_is_kept() {
    let Some(Value::Map(mut pairs)) = Value::from_json(ALERT) else { panic!("a map") };
    pairs.push(("log".into(), ALERT.into()));
    pairs.push(("stream".into(), "stdout".into()));
    pairs.push(("kubernetes".into(), Value::Map(vec![("pod_name".into(), "falco-abc".into())])));
    let mut record = carrier(Value::Map(pairs));
    record.observed_time_unix_nano = 0;
    let out = parse().run([record]);
    let records = out.records();
    let attrs = &records[0].attrs;
    assert_eq!(get(attrs, "lanner.body.stream"), Some(&"stdout".into()));
    assert_eq!(get(attrs, "lanner.body.kubernetes"), Some(&r#"{"pod_name":"falco-abc"}"#.into()));
    assert_eq!(get(attrs, "lanner.body.log"), None);
    assert!(records[0].observed_time_unix_nano > OBSERVED);
    assert_eq!(get(attrs, "lanner.clock_skew"), None);
}

/// Scenario: an odd alert; a cut one; two in one body; lines of other programs that have a rule and a priority; text alerts.
/// Guarantee: the odd one is counted by its oddity, what is damaged passes as it is and is counted, the rest just passes.
#[test]
fn damage_is_counted_and_passes() {
    let odd = ALERT.replace("\"Notice\",\"rule", "\"Urgent\",\"rule");
    let cut = &ALERT[..ALERT.len() - 20];
    let two = format!("{ALERT}\n{ALERT}");
    let foreign = [
        r#"{"time":"2025-06-01T00:00:00Z","rule":"deny","priority":3,"msg":"a firewall"}"#,
        r#"{"time":"2025-06-01T00:00:00Z","rule":"recording","level":"info"}"#,
        "12:00:00.0: Notice the priority of a rule in text mode",
        r#"{"a":"rule priority output"}"#,
    ];
    let bodies = [odd.as_str(), cut, &two].into_iter().chain(foreign);
    let records: Vec<_> = bodies.map(carrier).collect();
    let out = parse().run_batch(untouched(&group(&[], records.clone())));
    assert_eq!(out.degraded(), [("unknown_priority", 1), ("damaged", 2)]);
    assert!(out.discarded().is_empty());
    let all: Vec<_> = emitted(&out).into_iter().map(|(_, _, record)| record).collect();
    assert_eq!(all[..6], records[1..]);
    assert!(is_alert(&all[6]));
}

/// Scenario: a request of two resources with an alert between other records that have fields of a later version of OTLP.
/// Guarantee: these records, their resources and scopes leave byte for byte and in order; the alert follows.
#[test]
fn neighbours_keep_their_bytes() {
    let body = |text: &str| field(5, &field(1, text.as_bytes()));
    let unknown = field(99 % 16, b"from the future");
    let plain = |text: &str| field(2, &[body(text), unknown.clone()].concat());
    let alert = field(2, &body(ALERT));
    let scope =
        |records: &[Vec<u8>]| field(2, &[field(1, &field(1, b"up")), records.concat(), unknown.clone()].concat());
    let resource = |scopes: &[Vec<u8>]| field(1, &[field(1, &unknown), scopes.concat(), unknown.clone()].concat());
    let whole = |alert: &[u8]| {
        let first = scope(&[plain("a rule of priority"), alert.to_vec(), plain("b")]);
        [resource(&[first, scope(&[plain("c")])]), resource(&[scope(&[plain("d")])])].concat()
    };
    let request = OtlpRequest::parse(Signal::Logs, whole(&alert).into()).expect("OTLP");
    assert_eq!(request.items, 5);
    let out = parse().run_batch(Batch::otlp(request));
    let [left, found] = out.batches() else { panic!("{out:?}") };
    assert_eq!((left.len(), found.len()), (4, 1));
    let left = left.as_otlp().expect("untouched");
    let items = |bytes: &Bytes| {
        let split = otlp::split(&OtlpRequest::parse(Signal::Logs, bytes.clone()).expect("OTLP"), 1, 0).expect("OTLP");
        split.into_iter().map(|item| item.bytes).collect::<Vec<_>>()
    };
    assert_eq!(items(&left.bytes), items(&whole(&[]).into()));
    assert!(found.records().all(is_alert));
}

/// Scenario: decoded records, alerts between others, in a batch that another branch of the pipeline has as well.
/// Guarantee: order is kept; the other branch sees no change.
#[test]
fn decoded_records_keep_their_order() {
    let batch = group(&[], vec![carrier("first"), carrier(ALERT), carrier("third"), carrier(ALERT)]);
    let shared = batch.clone();
    let out = parse().run_batch(batch);
    let kinds: Vec<_> = out.records().iter().map(is_alert).collect();
    assert_eq!(kinds, [false, true, false, true]);
    assert!(!shared.records().any(is_alert));
}

/// Scenario: other places to look, places that are none, an empty list.
/// Guarantee: only the named place is looked at; each mistake is an error at its place.
#[test]
fn places_are_configured() {
    let log = || carrier(Value::Map(vec![("a.b".into(), ALERT.into())]));
    assert!(parse().run([log()]).records().iter().all(|record| !is_alert(record)));
    assert!(TransformTest::of::<FalcoParse>("from: [body.a.b]").run([log()]).records().iter().all(is_alert));
    let only_log = TransformTest::of::<FalcoParse>("from: [body.log]");
    assert!(only_log.run([carrier(ALERT)]).records().iter().all(|record| !is_alert(record)));
    for (yaml, part) in
        [("from: [body, log]", "`log` is no place"), ("from: [body.]", "`body.`"), ("from: []", "at least 1")]
    {
        let findings = TransformTest::findings::<FalcoParse>(yaml);
        assert!(findings.iter().any(|finding| finding.message.contains(part)), "{yaml}: {findings:?}");
    }
}

/// Words of alerts, and pieces of their JSON; never all that makes an alert.
const WORDS: [&str; 8] =
    ["rule", "priority", "time", "hostname", "log", r#"{"rule":"a","priority":"b"}"#, r#"{"rule":"priority"#, "{"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Scenario: any request without an alert, also with the words of alerts in bodies, keys and attributes.
    /// Guarantee: it leaves as the bytes it came as.
    #[test]
    fn what_is_no_alert_stays_byte_for_byte(request in requests(&WORDS)) {
        prop_assume!(request.items > 0);
        assert_untouched(&parse().run_batch(Batch::otlp(request.clone())), &request);
    }

    /// Scenario: bytes that are no request at all, with the words of alerts in them.
    /// Guarantee: no panic, and they leave as they came.
    #[test]
    fn what_is_no_request_stays_byte_for_byte(
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::sample::select(WORDS.to_vec()).prop_map(|word| field(1, word.as_bytes())),
        ], 0..8),
        cut: prop::sample::Index,
    ) {
        let valid = group(&[], vec![carrier(ALERT)]).to_otlp().bytes;
        let bytes = [&valid[..cut.index(valid.len())], &parts.concat()].concat();
        prop_assume!(otlp::decode_logs(&bytes.clone().into()).is_err());
        let request = OtlpRequest { signal: Signal::Logs, bytes: bytes.into(), items: 1 };
        assert_untouched(&parse().run_batch(Batch::otlp(request.clone())), &request);
    }
}
