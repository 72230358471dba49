#[path = "../../tests/support/kafka_cluster.rs"]
pub mod kafka_cluster;

use super::{Kafka, config::Config};
use crate::testing::{SOON, data};
use kafka_cluster::Cluster;
use lanner_engine::{
    config::plan_body,
    event::{OtlpRequest, otlp},
    prelude::*,
    semantics::keys,
    testing::{Mood, log, planning, receiver::Running},
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::timeout;

/// A receiver of this cluster, from the beginning, with these keys.
async fn start(cluster: &Cluster, mut keys: Json) -> Running {
    keys["brokers"] = json!([cluster.brokers]);
    keys["initial_offset"] = "earliest".into();
    Running::start(&Factory::receiver::<Kafka>(), SOON, |_| keys.to_string()).await
}

async fn items(running: &Running, count: usize) {
    let came = timeout(SOON, running.capture.items(count)).await;
    assert!(came.is_ok(), "{} of {count} items came; {:?}", running.capture.records().len(), running.capture.failed());
}

/// An OTLP request of so many records, numbered from `first` on.
fn request(first: usize, count: usize) -> OtlpRequest {
    let mut logs = Logs::default();
    for number in first..first + count {
        let record = log().attr("log.record.uid", format!("uid-{number}").as_str()).body("a shell").build();
        logs.push(Default::default(), Default::default(), record);
    }
    Batch::logs(logs).to_otlp()
}

/// How often each record came.
fn times(running: &Running) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for mut batch in running.capture.batches() {
        batch.decode().unwrap();
        for record in batch.records() {
            *times.entry(record.attrs.get_str(&keys::UID).unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    times
}

/// Polls until the group has committed this offset of the first partition.
async fn committed(cluster: &Cluster, topic: &str, offset: i64) {
    let reached = async {
        while cluster.committed("lanner", topic, 0) != Some(offset) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(SOON, reached).await.is_ok(), "{:?} is committed", cluster.committed("lanner", topic, 0));
}

/// Scenario: OTLP of every signal, in protobuf and as JSON, with messages between them that are none.
/// Guarantee: every item arrives with its signal, protobuf as the bytes it was; what is no OTLP is counted and passed.
#[tokio::test]
async fn otlp_of_every_signal() {
    let cluster = Cluster::start(&[("otlp_logs", 1), ("otlp_metrics", 1), ("spans", 1)]);
    let (first, second) = (request(0, 2), request(2, 1));
    cluster.produce("otlp_logs", 0, &[first.bytes.to_vec(), b"\xff\xff no OTLP".to_vec(), second.bytes.to_vec()]);
    let metrics = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "falco.alerts", "sum": {"dataPoints": [{"asInt": "9007199254740993"}, {"asInt": "1"}]}},
    ]}]}]});
    cluster.produce("otlp_metrics", 0, &[b"{".to_vec(), metrics.to_string().into_bytes()]);
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "incident"}]}]}]});
    cluster.produce("spans", 0, &[spans.to_string().into_bytes()]);
    let keys = json!({
        "metrics": {"encoding": "otlp_json"},
        "traces": {"topics": ["spans"], "encoding": "otlp_json"},
    });
    let mut running = start(&cluster, keys).await;
    items(&running, 6).await;
    running.stop().await;
    let mut of_signal: BTreeMap<&str, (usize, Vec<u8>)> = BTreeMap::new();
    for batch in running.capture.batches() {
        let request = batch.to_otlp();
        let (items, bytes) = of_signal.entry(request.signal.as_str()).or_default();
        *items += request.items;
        bytes.extend_from_slice(&request.bytes);
    }
    assert_eq!(
        of_signal.iter().map(|(signal, (items, _))| (*signal, *items)).collect::<Vec<_>>(),
        [("logs", 3), ("metrics", 2), ("traces", 1)]
    );
    assert_eq!(of_signal["logs"].1, [first.bytes, second.bytes].concat());
    assert_eq!(running.capture.failed(), BTreeMap::from([("malformed", 2)]));
}

/// Scenario: the real alerts, audit events, JSON and text, one receiver for each.
/// Guarantee: each line becomes the record that the same line would become in a file; a plain record has its own id and the
/// time of its message.
#[tokio::test]
async fn lines_of_every_encoding() {
    let cluster = Cluster::start(&[("lines", 1)]);
    let lines = ["{\"level\": \"warn\"}", "no JSON", "no JSON"].map(|line| line.as_bytes().to_vec());
    cluster.produce("lines", 0, &lines);
    for (encoding, unusable) in [("json", 2), ("text", 0)] {
        let keys = json!({"group_id": encoding, "logs": {"topics": ["lines"], "encoding": encoding}});
        let mut running = start(&cluster, keys).await;
        items(&running, 3).await;
        running.stop().await;
        let records = running.capture.records();
        let ids: BTreeSet<_> = records.iter().map(|record| record.attrs.get_str(&keys::UID).unwrap()).collect();
        assert_eq!(ids.len(), 3, "{encoding}");
        assert!(records.iter().all(|record| record.time_unix_nano > 0));
        assert_eq!(running.metric("lanner_receiver_unusable", ""), unusable, "{encoding}");
    }
    for (encoding, file, name) in [
        ("falco_json", "dev/falco_alerts.jsonl", "falco."),
        ("k8s_audit", "dev/k8s_audit_events.jsonl", "k8s.audit.event"),
    ] {
        let Some(lines) = data::lines(file) else { return };
        let lines: Vec<Vec<u8>> = lines.into_iter().take(100).map(String::into_bytes).collect();
        cluster.produce(encoding, 0, &lines);
        let keys = json!({"group_id": encoding, "logs": {"topics": [encoding], "encoding": encoding}});
        let mut running = start(&cluster, keys).await;
        items(&running, lines.len()).await;
        running.stop().await;
        assert!(running.capture.records().iter().all(|record| record.event_name.starts_with(name)), "{encoding}");
        assert_eq!(running.capture.failed(), BTreeMap::new(), "{encoding}");
    }
}

/// Scenario: the pipeline has a message and has not answered.
/// Guarantee: nothing is committed; once it has taken the message, its offset is.
#[tokio::test]
async fn offsets_are_committed_after_the_acceptance() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    cluster.produce("otlp_logs", 0, &[request(0, 1).bytes.to_vec()]);
    let mut running = start(&cluster, json!({})).await;
    running.capture.set(Mood::Stuck);
    timeout(SOON, running.capture.waiting(1)).await.unwrap();
    // Longer than the interval of commits.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(cluster.committed("lanner", "otlp_logs", 0), None);
    running.capture.set(Mood::Taking);
    items(&running, 1).await;
    committed(&cluster, "otlp_logs", 1).await;
    running.stop().await;
}

/// Scenario: a receiver is cut off while the pipeline has messages that it has not taken; another one of the group starts.
/// Then it stops in order, and a third one starts.
/// Guarantee: the second one gets what was not taken; the third one gets nothing again, only what is new.
#[tokio::test]
async fn at_least_once_over_a_restart() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    let keys = json!({"session_timeout": "6s", "heartbeat_interval": "500ms"});
    cluster.produce("otlp_logs", 0, &[request(0, 5).bytes.to_vec()]);
    let mut first = start(&cluster, keys.clone()).await;
    items(&first, 5).await;
    committed(&cluster, "otlp_logs", 1).await;
    first.capture.set(Mood::Stuck);
    cluster.produce("otlp_logs", 0, &[request(5, 5).bytes.to_vec()]);
    timeout(SOON, first.capture.waiting(1)).await.unwrap();
    first.cut_off().await;
    let mut second = start(&cluster, json!({})).await;
    items(&second, 5).await;
    let expected: BTreeMap<String, usize> = (5..10).map(|number| (format!("uid-{number}"), 1)).collect();
    assert_eq!(times(&second), expected);
    second.stop().await;
    cluster.produce("otlp_logs", 0, &[request(10, 1).bytes.to_vec()]);
    let mut third = start(&cluster, json!({})).await;
    items(&third, 1).await;
    assert_eq!(times(&third), BTreeMap::from([("uid-10".to_owned(), 1)]));
    third.stop().await;
}

/// Scenario: a pipeline that is full for longer than the receiver's patience, while messages keep coming.
/// Guarantee: the partitions are paused and go on afterwards; every message arrives once, and none is counted as lost.
#[tokio::test]
async fn a_full_pipeline_pauses_the_partitions() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    cluster.produce("otlp_logs", 0, &[request(0, 1).bytes.to_vec()]);
    let mut running = start(&cluster, json!({})).await;
    running.capture.set(Mood::Busy);
    timeout(SOON, running.capture.waiting(1)).await.unwrap();
    let paused = async {
        while running.metric("lanner.kafka.pauses", "") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, paused).await.unwrap();
    for number in 1..20 {
        cluster.produce("otlp_logs", 0, &[request(number, 1).bytes.to_vec()]);
    }
    running.capture.set(Mood::Taking);
    items(&running, 20).await;
    assert_eq!(times(&running), (0..20).map(|number| (format!("uid-{number}"), 1)).collect());
    assert_eq!((running.capture.refused(), running.capture.failed()), Default::default());
    running.stop().await;
}

/// Scenario: somebody behind looks at records, and a message has one among others that cannot be read.
/// Guarantee: the others arrive, that one is counted.
#[tokio::test]
async fn records_that_cannot_be_read_take_no_neighbour_along() {
    let cluster = Cluster::start(&[("otlp_logs", 1)]);
    // A record whose body is cut: resource_logs { scope_logs { log_records { body: .. } } }.
    let broken = [0x0a, 0x06, 0x12, 0x04, 0x12, 0x02, 0x2a, 0x05];
    let damaged = [request(0, 2).bytes.to_vec(), broken.to_vec()].concat();
    assert!(otlp::decode_logs(&damaged.clone().into()).is_err(), "it cannot be read");
    cluster.produce("otlp_logs", 0, &[damaged, request(2, 1).bytes.to_vec()]);
    let mut running = start(&cluster, json!({})).await;
    running.capture.set(Mood::Reading);
    items(&running, 3).await;
    committed(&cluster, "otlp_logs", 2).await;
    running.stop().await;
    assert_eq!(times(&running).len(), 3);
    assert_eq!(running.capture.failed(), BTreeMap::from([("malformed", 1)]));
}

/// Scenario: keys that are wrong in each way, and keys of the Collector that are not offered.
/// Guarantee: an error for each, in one run, with the remedy.
#[test]
fn mistakes_are_told() {
    let factory = Factory::receiver::<Kafka>();
    let body = "brokers: []\ngroup_id: ''\nsession_timeout: 10s\nheartbeat_interval: 5s\nmax_message_size: 1\n\
                logs: {topics: ['a b']}\nmetrics: {topics: [x, x]}";
    let found = plan_body(&factory, body).rendered();
    for part in ["brokers", "group_id: lanner", "heartbeat_interval: 3s", "1024 to 67108864", "`a b`", "listed twice"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let found = plan_body(&factory, "autocommit: {enable: true}\ntopic: x\nheader_extraction: {}").rendered();
    for part in ["after the pipelines have the messages", "logs.topics", "headers of messages"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

/// Scenario: the configurations in the README.
/// Guarantee: each has this receiver, and it is accepted as it is.
#[test]
fn the_readme_is_accepted() {
    let blocks: Vec<&str> = include_str!("README.md").split("```yaml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let yaml = block.split("```").next().unwrap();
        let body = yaml.split("  kafka").nth(1).unwrap().split_once('\n').unwrap().1;
        let body: Vec<&str> = body.lines().take_while(|line| line.starts_with("    ")).collect();
        let found = plan_body(&Factory::receiver::<Kafka>(), &body.join("\n")).rendered();
        assert!(!found.contains("error["), "{found}");
    }
}

/// Scenario: a receiver that stands in no pipeline of logs.
/// Guarantee: it subscribes to the topics of its signals only.
#[test]
fn topics_have_one_signal() {
    let config = Config::default();
    let (plan, findings) = planning(|cx| config.check(cx));
    let topics: Vec<_> = plan.unwrap().topics.into_iter().map(|(topic, (signal, _))| (topic, signal)).collect();
    let expected = [("otlp_logs", Signal::Logs), ("otlp_metrics", Signal::Metrics), ("otlp_spans", Signal::Traces)];
    assert_eq!(topics, expected.map(|(topic, signal)| (topic.to_owned(), signal)));
    assert!(findings.is_empty());
}
