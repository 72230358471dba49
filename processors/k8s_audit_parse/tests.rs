//! Scenarios of `k8s_audit_parse`. What an event becomes is told by the mapper that `k8s_audit` uses.

use super::K8sAuditParse;
use crate::testing::{OBSERVED, assert_untouched, carrier, emitted, get, group, lines, requests, untouched};
use lanner_engine::{
    prelude::*,
    semantics::{AuditMapper, AuditOptions, audit::Item, is_audit},
    testing::TransformTest,
};
use proptest::prelude::*;
use std::sync::Arc;

const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/secrets","verb":"create","user":{"username":"jane","uid":"u7","groups":["dev"],"extra":{"scopes":["a","b"]}},"sourceIPs":["203.0.113.9"],"objectRef":{"resource":"secrets","namespace":"web","name":"n"},"responseStatus":{"metadata":{},"code":403,"reason":"Forbidden"},"requestObject":{"data":{"password":"hunter2"}},"requestReceivedTimestamp":"2025-06-01T00:00:00.000001Z","stageTimestamp":"2025-06-01T00:00:00.250001Z"}"#;

fn parse() -> TransformTest {
    TransformTest::of::<K8sAuditParse>("{}")
}

/// What `k8s_audit` makes of an event of this cluster that it receives at [`OBSERVED`].
fn over_webhook(event: &str, cluster: Option<&str>) -> (Arc<Resource>, LogRecord) {
    let mapper = AuditMapper::new(&AuditOptions::default()).expect("no pointers");
    let origin = mapper.origin(cluster);
    let mapped = mapper.map(&origin, Item { text: &event.into(), removed: None }, OBSERVED);
    assert_eq!(mapped.plain, None, "{event}");
    (Arc::clone(origin.resource()), mapped.record)
}

/// Takes out what depends on the carrier.
fn without_id(mut record: LogRecord) -> LogRecord {
    record.attrs.retain(|key, _| key.as_str() != "log.record.uid" && !key.as_str().starts_with("lanner.body."));
    record
}

/// Scenario: events that real API servers wrote, as text and as the map an agent made of it, bare and inside `log`.
/// Guarantee: each is what `k8s_audit` makes of it; as text with the same id, as a map with one that is the same every time;
/// nothing of its objects is in it.
#[test]
fn real_events_become_what_the_webhook_makes_of_them() {
    let mut events = lines("dev/k8s_audit_events.jsonl").unwrap_or_default();
    events.push(EVENT.to_owned());
    let mut events_with_objects = 0;
    for event in &events {
        let (resource, expected) = over_webhook(event.trim(), None);
        let map = Value::from_json(event).expect("JSON");
        let log = |value: Value| Value::Map(vec![("log".into(), value)]);
        for (is_text, body) in [
            (true, Value::text(format!("{event}\n"))),
            (true, log(event.as_str().into())),
            (false, map.clone()),
            (false, log(map)),
        ] {
            let decoded = group(&[], vec![carrier(body)]);
            let again = emitted(&parse().run_batch(decoded.clone()));
            let all = emitted(&parse().run_batch(untouched(&decoded)));
            assert_eq!(all, again);
            let [(found, scope, record)] = &all[..] else { panic!("{all:?}") };
            assert!(is_audit(record));
            assert_eq!((found, &*scope.name), (&resource, "lanner.processor.k8s_audit_parse"));
            if is_text {
                assert_eq!(record, &expected);
            }
            assert_eq!(without_id(record.clone()), without_id(expected.clone()));
            let said = format!("{record:?}");
            assert!(!said.contains("requestObject") && !said.contains("hunter2"), "{said}");
        }
        events_with_objects += usize::from(event.contains("\"requestObject\""));
    }
    assert!(events_with_objects > 0);
}

/// Scenario: upstream names the cluster and has attributes of its own; the same event from two clusters.
/// Guarantee: the cluster is upstream's and part of the id, as it is for the receiver; upstream's attributes stay.
#[test]
fn the_cluster_is_upstreams() {
    for cluster in ["prod", "test"] {
        let upstream = [("k8s.cluster.name", cluster), ("service.name", "audit-tailer")];
        let out = parse().run_batch(untouched(&group(&upstream, vec![carrier(EVENT)])));
        let [(resource, _, record)] = &emitted(&out)[..] else { panic!("{out:?}") };
        for (name, value) in upstream {
            assert_eq!(get(&resource.attrs, name), Some(&value.into()), "{name}");
        }
        assert_eq!(record, &over_webhook(EVENT, Some(cluster)).1);
    }
}

/// Scenario: an event that was cut; one of a wrong shape; lines that only talk of audits; an event without a stage.
/// Guarantee: all pass as they are; the first two are counted.
#[test]
fn damage_is_counted_and_passes() {
    let records: Vec<_> = [
        &EVENT[..EVENT.len() - 30],
        r#"{"auditID":"a","stage":"Panic","user":"jane"}"#,
        "the auditID of this stage",
        r#"{"msg":"auditID stage"}"#,
        r#"{"auditID":"a","stage":""}"#,
        r#"{"kind":"Policy","auditID":"a","stage":"Panic"}"#,
    ]
    .into_iter()
    .map(carrier)
    .collect();
    let request = group(&[], records).to_otlp();
    let out = parse().run_batch(Batch::otlp(request.clone()));
    assert_untouched(&out, &request);
    assert_eq!(out.degraded(), [("damaged", 2)]);
}

/// Scenario: a place that is none, and a pointer that is none, in one configuration.
/// Guarantee: both are reported.
#[test]
fn mistakes_are_found_before_start() {
    let yaml = "from: [bodylog]\nsemantics: {attributes: {a: b}}";
    let findings = TransformTest::findings::<K8sAuditParse>(yaml);
    for part in ["`bodylog` is no place", "is no attribute with a JSON pointer"] {
        assert!(findings.iter().any(|finding| finding.message.contains(part)), "{part}: {findings:?}");
    }
}

proptest! {
    /// Scenario: any request without an audit event, also with the words of one in bodies, keys and attributes.
    /// Guarantee: it leaves as the bytes it came as.
    #[test]
    fn what_is_no_event_stays_byte_for_byte(
        request in requests(&["auditID", "level", "log", r#"{"auditID":"a","stage":1}"#, r#"{"stage":"auditID"#]),
    ) {
        prop_assume!(request.items > 0);
        assert_untouched(&parse().run_batch(Batch::otlp(request.clone())), &request);
    }
}
