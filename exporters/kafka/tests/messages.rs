//! What is in the messages.

use super::*;
use crate::testing::{alerts, hostile, logs, metrics, records, request_of, traces};
use lanner_engine::{event::Attributes, semantics::keys, testing::log};
use std::collections::{BTreeMap, BTreeSet};

fn on(attributes: &[(&str, &str)]) -> Resource {
    let attrs = attributes.iter().map(|(name, value)| (Key::intern(name), Value::text(*value)));
    Resource { attrs: attrs.collect::<Attributes>(), ..Resource::default() }
}

fn numbered(from: usize, count: usize) -> Vec<LogRecord> {
    (from..from + count).map(|number| log().attr("log.record.uid", format!("uid-{number}").as_str()).build()).collect()
}

/// Three places, each with four records, in turns.
fn three_places() -> Request {
    let places = [
        on(&[("k8s.namespace.name", "shop"), ("k8s.pod.name", "cart-1"), ("host.name", "node-1")]),
        on(&[("container.id", "0123456789ab"), ("host.name", "node-1")]),
        on(&[("host.name", "node-1")]),
    ];
    let mut all = Logs::default();
    for turn in 0..4 {
        for (place, resource) in places.iter().enumerate() {
            let part = records(resource.clone(), numbered(turn * 3 + place, 1));
            part.groups.into_iter().for_each(|group| all.groups.push(group));
        }
    }
    request_of(all)
}

/// Scenario: the real alerts as Falco's JSON.
/// Guarantee: a message each, with the event as falcosidekick writes it, its id as a header, and the place as the key; equal
/// keys are in one partition.
#[tokio::test]
async fn falco_json() {
    let Some(alerts) = alerts() else { return };
    let cluster = Cluster::start(&[("falco", 4)]);
    let exporter = exporter(&cluster, json!({"logs": {"topic": "falco", "encoding": "falco_json"}})).await;
    let (mut expected, mut all) = (Vec::new(), Logs::default());
    for (sent, logs) in alerts {
        let record = &logs.groups[0].records[0];
        let uid = record.attrs.get_str(&keys::UID).unwrap().to_owned();
        expected.push((uid, sent["rule"].as_str().unwrap().to_owned()));
        all.groups.extend(logs.groups);
    }
    assert_eq!(export(&*exporter, &request_of(all)).await, Outcome::Delivered);
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut got = Vec::new();
    for message in cluster.messages("falco") {
        let event: Json = serde_json::from_slice(&message.value).unwrap();
        assert!(event["output_fields"].is_object());
        let [(name, uid)] = &message.headers[..] else { panic!("{:?}", message.headers) };
        assert_eq!(name, "log.record.uid");
        got.push((uid.clone(), event["rule"].as_str().unwrap().to_owned()));
        // Without a key there is no place to keep together.
        if let Some(key) = message.key {
            partitions.entry(key).or_default().insert(message.partition);
        }
    }
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
    assert!(partitions.len() > 1 && partitions.values().all(|of_key| of_key.len() == 1), "{partitions:?}");
}

/// Scenario: records of three places, in turns: a pod, a container, a host.
/// Guarantee: one message for each place, with its key, its records in order, and an id; nothing is changed in them.
#[tokio::test]
async fn one_message_for_each_key() {
    let cluster = Cluster::start(&[("otlp_logs", 8)]);
    let exporter = exporter(&cluster, json!({})).await;
    let request = three_places();
    assert_eq!(export(&*exporter, &request).await, Outcome::Delivered);
    let mut messages = cluster.messages("otlp_logs");
    messages.sort_by(|a, b| a.key.cmp(&b.key));
    let keys: Vec<_> = messages.iter().map(|message| message.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["0123456789ab", "node-1", "shop/cart-1"]);
    assert!(messages.iter().all(|message| message.headers[0].0 == "lanner.message.id"));
    assert_eq!(messages.iter().map(|message| &message.headers[0].1).collect::<BTreeSet<_>>().len(), 3);
    for (message, first) in messages.iter().zip([1, 2, 0]) {
        let got = decoded(std::slice::from_ref(message));
        let sent: Vec<_> = request.logs().unwrap().records().skip(first).step_by(3).cloned().collect();
        assert_eq!(got, sent);
    }
}

/// Scenario: all records have one key, or keys are switched off; then metrics and traces.
/// Guarantee: the request's bytes are the message, in the topic of its signal.
#[tokio::test]
async fn whole_requests_go_as_they_are() {
    let cluster = Cluster::start(&[("otlp_logs", 1), ("otlp_metrics", 1), ("otlp_spans", 1), ("plain", 1)]);
    let keyed = exporter(&cluster, json!({"producer": {"compression": "zstd"}})).await;
    let plain =
        exporter(&cluster, json!({"logs": {"topic": "plain", "key": []}, "producer": {"compression": "gzip"}})).await;
    let one_place = request_of(records(on(&[("host.name", "node-1")]), numbered(0, 3)));
    let several = three_places();
    for (exporter, request, topic, key) in [
        (&keyed, &one_place, "otlp_logs", Some("node-1")),
        (&plain, &several, "plain", None),
        (&keyed, &metrics(), "otlp_metrics", None),
        (&keyed, &traces(), "otlp_spans", None),
    ] {
        assert_eq!(export(&**exporter, request).await, Outcome::Delivered);
        let messages = cluster.messages(topic);
        assert_eq!(messages.len(), 1, "{topic}");
        assert_eq!((&messages[0].value[..], messages[0].key.as_deref()), (&request.bytes()[..], key), "{topic}");
    }
    // One record: its own id.
    let single = request_of(records(Resource::default(), numbered(7, 1)));
    assert_eq!(export(&*keyed, &single).await, Outcome::Delivered);
    let ids: Vec<_> = cluster.messages("otlp_logs").into_iter().map(|message| message.headers).collect();
    assert_eq!(ids[1], [("log.record.uid".to_owned(), "uid-7".to_owned())]);
}

/// Scenario: OTLP as JSON, and an alert with hostile text in every field as its key.
/// Guarantee: the JSON is an OTLP request; the key is data, bounded, and nothing breaks.
#[tokio::test]
async fn otlp_json_and_hostile_keys() {
    let cluster = Cluster::start(&[("otlp_logs", 2)]);
    let exporter = exporter(&cluster, json!({"logs": {"encoding": "otlp_json"}})).await;
    assert_eq!(export(&*exporter, &logs(2)).await, Outcome::Delivered);
    let alert = crate::testing::alert_request(&[hostile()]);
    assert_eq!(export(&*exporter, &alert).await, Outcome::Delivered);
    let mut bodies = 0;
    for message in cluster.messages("otlp_logs") {
        let request: Json = serde_json::from_slice(&message.value).unwrap();
        let records = request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
        bodies += records.iter().filter(|record| record["body"]["stringValue"].is_string()).count();
        assert!(message.key.is_none_or(|key| key.len() <= 512));
    }
    assert_eq!(bodies, 3);
}

/// Scenario: a request of the same records twice, as after a lost answer.
/// Guarantee: the messages have the same ids, so that a consumer can tell.
#[tokio::test]
async fn repetitions_have_the_same_ids() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let exporter = exporter(&cluster, json!({})).await;
    for _ in 0..2 {
        assert_eq!(export(&*exporter, &three_places()).await, Outcome::Delivered);
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    cluster
        .messages("otlp_logs")
        .into_iter()
        .for_each(|message| *times.entry(message.headers[0].1.clone()).or_default() += 1);
    assert_eq!(times.into_values().collect::<Vec<_>>(), [2, 2, 2]);
}
