//! What a record becomes.

use super::*;
use crate::testing::{alerts, data, falco, hostile, request_of, traces};
use lanner_engine::semantics::{AuditMapper, AuditOptions, audit::Item, scope};
use std::collections::BTreeSet;

/// A row of `events` as JSON, by its uid.
fn row(db: &Db, uid: &str) -> Json {
    let columns = "event_name, priority, alerts, rule, source, host, namespace, pod, container_id, message, user, time";
    let object: String = columns.split(", ").map(|name| format!("'{name}', {name}")).collect::<Vec<_>>().join(", ");
    let query = format!("SELECT json_object({object}) FROM events WHERE uid = ?1");
    let text: String = db.reader().query_row(&query, [uid], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Scenario: every real alert, as it was sent and as its receiver maps it, written twice.
/// Guarantee: a row each with what the sender said, an entry for each tag; the second time changes nothing; what
/// is counted by container and day agrees.
#[test]
fn every_real_alert_is_a_row() {
    let Some(alerts) = alerts() else { return };
    let db = Db::new();
    let mut store = db.store(json!({}));
    for _ in 0..2 {
        for (_, logs) in &alerts {
            assert_eq!(write(&mut store, logs), Outcome::Delivered);
        }
    }
    let uids: BTreeSet<_> = alerts
        .iter()
        .flat_map(|(_, logs)| logs.records())
        .map(|r| r.attrs.get_str(&"log.record.uid".into()).unwrap())
        .collect();
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), uids.len() as i64);
    assert_eq!(db.counted("lanner_sqlite_known_events"), 2 * alerts.len() as i64 - uids.len() as i64);
    let mut seen = BTreeSet::new();
    for (sent, logs) in &alerts {
        let record = logs.records().next().unwrap();
        let uid = record.attrs.get_str(&"log.record.uid".into()).unwrap();
        if !seen.insert(uid) {
            continue;
        }
        let row = row(&db, uid);
        let said = |value: &Json| match value.as_str() {
            Some("" | "<NA>") | None => Json::Null,
            Some(text) => text.into(),
        };
        let field = |name: &str| said(&sent["output_fields"][name]);
        assert_eq!(row["rule"], said(&sent["rule"]), "{sent}");
        assert_eq!(row["host"], said(&sent["hostname"]), "{sent}");
        let priority = sent["priority"].as_str().unwrap().to_lowercase().replace("info", "informational");
        assert_eq!(row["priority"], priority.replace("informationalrmational", "informational"), "{sent}");
        assert_eq!(row["time"], record.time_unix_nano, "{sent}");
        if field("k8s.pod.name") != Json::Null {
            assert_eq!((&row["pod"], &row["namespace"]), (&field("k8s.pod.name"), &field("k8s.ns.name")), "{sent}");
        }
        let container =
            field("container.id").as_str().filter(|id| *id != "host").map(|id| id[..id.len().min(12)].to_owned());
        assert_eq!(row["container_id"], json!(container), "{sent}");
        let tags: BTreeSet<&str> = sent["tags"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let query = "SELECT count(*) FROM event_terms JOIN events ON event_id = id WHERE kind = 'tag' AND uid = ?1";
        let terms: i64 = db.reader().query_row(query, [uid], |row| row.get(0)).unwrap();
        assert_eq!(terms, tags.len() as i64, "{sent}");
    }
    assert_sound(&db);
}

/// Scenario: every real audit event.
/// Guarantee: a row each, with source `k8s_audit`, the time and namespace that the event says and its user; they
/// count in no profile.
#[test]
fn every_real_audit_event_is_a_row() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let db = Db::new();
    let mut store = db.store(json!({}));
    let mapper = AuditMapper::new(&AuditOptions::default()).unwrap();
    let origin = mapper.origin(Some("prod"));
    let mut uids = BTreeSet::new();
    for line in &lines {
        let text: Arc<str> = line.as_str().into();
        let record = mapper.map(&origin, Item { text: &text, removed: None }, TODAY).record;
        let uid = record.attrs.get_str(&"log.record.uid".into()).unwrap().to_owned();
        let sent: Json = serde_json::from_str(line).unwrap();
        // A time in no form that the mapping knows leaves the time of receipt.
        let time = if record.time_unix_nano == 0 { TODAY } else { record.time_unix_nano };
        let logs = Logs::one(origin.resource().clone(), scope("lanner.receiver.k8s_audit"), record);
        assert_eq!(write(&mut store, &logs), Outcome::Delivered);
        let row = row(&db, &uid);
        assert_eq!((&row["source"], &row["time"]), (&json!("k8s_audit"), &json!(time)), "{line}");
        assert_eq!(row["event_name"], "k8s.audit.event", "{line}");
        assert_eq!(row["user"], sent["user"]["username"], "{line}");
        let namespace = sent["objectRef"]["namespace"].as_str().filter(|text| !text.is_empty());
        assert_eq!(row["namespace"], json!(namespace), "{line}");
        uids.insert(uid);
    }
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events WHERE cluster = 'prod'"), uids.len() as i64);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM profile"), 0);
    assert_sound(&db);
}

/// Scenario: an alert whose every text tries to be more than data, with a 64-bit integer and a field of 100 kB.
/// Guarantee: it is stored as it is: nothing is run, nothing rounded, nothing cut outside the columns.
#[test]
fn hostile_values_are_data() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    let mut sent = hostile();
    sent["rule"] = "'); DROP TABLE events; --".into();
    let logs = falco(&sent.to_string());
    assert_eq!(write(&mut store, &logs), Outcome::Delivered);
    assert_eq!(db.ask::<String>("SELECT rule FROM events"), "'); DROP TABLE events; --");
    assert_eq!(db.ask::<String>("SELECT message FROM events"), sent["output"].as_str().unwrap());
    let number = "SELECT attributes ->> '$.\"falco.output_fields.fd.num\"' FROM events";
    assert_eq!(db.ask::<i64>(number), 9_007_199_254_740_993);
    let huge = "SELECT length(attributes ->> '$.\"falco.output_fields.huge\"') FROM events";
    assert_eq!(db.ask::<i64>(huge), 100_000);
    assert!(db.ask::<i64>("SELECT max(length(CAST(namespace AS BLOB))) FROM events") <= 512);
    assert_sound(&db);
}

/// Scenario: OTLP records without an id, the same twice, one other; a summary of 41 folded alerts; a count of
/// absurd size.
/// Guarantee: equal records are one row; a summary counts for those it folded, within bounds.
#[test]
fn records_without_an_id_and_summaries() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    let plain = |text: &str| log().body(text).attr("container.id", "0123456789abcdef").build();
    let summary = |count: i64| {
        log()
            .event_name("falco.alert.summary")
            .priority(Priority::Critical)
            .attr("security_rule.name", "shell")
            .attr("lanner.group.count", count)
            .attr("container.id", "0123456789abcdef")
            .build()
    };
    for record in [plain("a"), plain("a"), plain("b"), summary(41), summary(i64::MAX), summary(-5)] {
        assert_eq!(write(&mut store, &Logs::one(Arc::default(), Arc::default(), record)), Outcome::Delivered);
    }
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 5);
    assert_eq!(db.ask::<i64>("SELECT critical FROM containers WHERE id = '0123456789ab'"), 1_000_000_041);
    assert_eq!(db.ask::<String>("SELECT full_id FROM containers"), "0123456789abcdef");
    assert_eq!(db.ask::<i64>("SELECT alerts FROM profile WHERE entity = '0123456789ab'"), 1_000_000_041);
    assert_sound(&db);
}

/// Scenario: reports of an incident out of order and repeated: updated, closed, opened, updated.
/// Guarantee: the report of the end stands, with its ids; the reports count as no alerts.
#[test]
fn the_end_of_an_incident_stands() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    let report = |state: &str, alerts: i64| {
        let mut record = log()
            .event_name("lanner.incident")
            .priority(Priority::Critical)
            .body(format!("{state} {alerts}"))
            .attr("log.record.uid", format!("{state}-{alerts}"))
            .attr("incident.id", "01J")
            .attr("lanner.incident.state", state)
            .attr("lanner.incident.alerts", alerts)
            .attr("lanner.incident.first_time", 5i64)
            .attr("security_rule.name", Value::Array(vec!["a".into(), "b".into()]))
            .attr("container.id", "0123456789abcdef")
            .build();
        record.trace_id = [0xab; 16];
        record
    };
    for (state, alerts) in [("updated", 3), ("closed", 4), ("opened", 1), ("updated", 2), ("closed", 4)] {
        let logs = Logs::one(Arc::default(), Arc::default(), report(state, alerts));
        assert_eq!(write(&mut store, &logs), Outcome::Delivered);
    }
    let found = db.ask::<String>(
        "SELECT json_array(id, state, alerts, priority, first_time, trace_id, rules, container_id) FROM incidents",
    );
    let found: Json = serde_json::from_str(&found).unwrap();
    assert_eq!(found, json!(["01J", "closed", 4, "critical", 5, "ab".repeat(16), "[\"a\",\"b\"]", "0123456789ab"]));
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM containers"), 0);
}

/// Scenario: requests of spans and of logs through the exporter; the spans twice, then their root again with a
/// later and an earlier end.
/// Guarantee: a span is a row, as its newest form says.
#[tokio::test]
async fn spans_are_kept_once() {
    use lanner_proto::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    let db = Db::new();
    let exporter = Box::new(db.plan(json!({}))).build(&db.cx).await.unwrap();
    let first = traces();
    let with_end = |end: u64| {
        let mut request = ExportTraceServiceRequest::decode(first.bytes().clone()).unwrap();
        request.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = end;
        let bytes = request.encode_to_vec().into();
        Request::new(lanner_engine::event::OtlpRequest { signal: Signal::Traces, bytes, items: 1 })
    };
    for request in [&first, &first, &with_end(9_000_000), &with_end(7)] {
        assert_eq!(exporter.export(request).await, Outcome::Delivered);
    }
    assert_eq!(exporter.export(&request_of(numbered(0, 3, 10))).await, Outcome::Delivered);
    let found =
        db.ask::<String>("SELECT json_array(count(*), trace_id, span_id, name, kind, start_time, end_time) FROM spans");
    assert_eq!(
        serde_json::from_str::<Json>(&found).unwrap(),
        json!([1, "01".repeat(16), "02".repeat(8), "incident", 1, 5, 9_000_000])
    );
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 3);
    let broken = lanner_engine::event::OtlpRequest { signal: Signal::Traces, bytes: vec![0xff; 9].into(), items: 1 };
    assert!(matches!(exporter.export(&Request::new(broken)).await, Outcome::Reject { .. }));
    assert!(matches!(exporter.export(&crate::testing::broken_request()).await, Outcome::Reject { .. }));
}

/// Scenario: alerts of two days, hosts and containers, some from a clock years ahead.
/// Guarantee: a row for each day, rule and entity; what cannot be yet counts for the day of its receipt.
#[test]
fn the_profile_is_by_day() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    let alert = |time: u64, host: &str| {
        let mut record =
            log().event_name("falco.alert").priority(Priority::Error).attr("security_rule.name", "r").build();
        (record.time_unix_nano, record.observed_time_unix_nano) = (time, TODAY + 1);
        let attrs = [("host.name".into(), Value::from(host))].into_iter().collect();
        Logs::one(Arc::new(Resource { attrs, ..Resource::default() }), Arc::default(), record)
    };
    for logs in [
        alert(TODAY, "a"),
        alert(TODAY + 5, "a"),
        alert(TODAY - 1, "a"),
        alert(TODAY, "b"),
        alert(u64::MAX, "b"),
        alert(0, "b"),
    ] {
        assert_eq!(write(&mut store, &logs), Outcome::Delivered);
    }
    let rows = "SELECT group_concat(day || ' ' || entity_kind || ' ' || entity || ' ' || alerts, '; ' ORDER BY day, entity) FROM profile";
    assert_eq!(db.ask::<String>(rows), "2026-11-21 host a 1; 2026-11-22 host a 2; 2026-11-22 host b 3");
    assert_sound(&db);
}
