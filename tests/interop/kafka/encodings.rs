//! Every encoding and compression, both ways, and what Kafka's own programs see of it.

use super::{
    broker::Broker,
    lanners::{Post, QUEUED},
    tools::{self, Printed, lengths, produce},
};
use crate::{
    canonical::Items,
    requests::numbered,
    sender::Sender,
    support::{
        connection::Connection,
        data,
        otlp_sink::{OtlpSink, Received},
        request_sink::RequestSink,
        wait,
    },
};
use std::collections::{BTreeMap, BTreeSet};

const REQUESTS: usize = 4;
const ITEMS: usize = 250;

/// Scenario: logs, metrics and traces with everything OTLP offers go through Kafka as protobuf in every compression, and as
/// JSON.
/// Guarantee: every item arrives once and is what was sent, with its resource and its scope.
#[test]
fn otlp_arrives_unchanged_in_every_encoding_and_compression() {
    let broker = Broker::start();
    let kinds = [
        ("otlp_proto", "none"),
        ("otlp_proto", "gzip"),
        ("otlp_proto", "snappy"),
        ("otlp_proto", "lz4"),
        ("otlp_proto", "zstd"),
        ("otlp_json", "none"),
        ("otlp_json", "zstd"),
    ];
    let address = broker.address();
    let (port, mut receivers, mut exporters, mut pipelines) = (wait::free_port(), vec![], vec![], vec![]);
    let kinds = kinds.map(|(encoding, compression)| {
        (format!("{encoding}-{compression}"), encoding, compression, RequestSink::start())
    });
    receivers.push(format!("otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{port}'}}}}}}"));
    for (name, encoding, compression, sink) in &kinds {
        let signals = |key: &str, value: &dyn Fn(&str) -> String| {
            ["logs", "metrics", "traces"]
                .map(|signal| {
                    format!("{signal}: {{{key}: {}, encoding: {encoding}}}", value(&format!("{name}-{signal}")))
                })
                .join(", ")
        };
        let (topic, topics) = (signals("topic", &str::to_owned), signals("topics", &|topic| format!("[{topic}]")));
        exporters.push(format!(
            "kafka/{name}: {{brokers: ['{address}'], {QUEUED}, producer: {{compression: {compression}}}, {topic}}}"
        ));
        receivers.push(format!(
            "kafka/{name}: {{brokers: ['{address}'], group_id: {name}, initial_offset: earliest, {topics}}}"
        ));
        exporters.push(format!(
            "otlp_grpc/{name}: {{endpoint: 'localhost:{}', tls: {{insecure: true}}, {QUEUED}}}",
            sink.port()
        ));
        for signal in ["logs", "metrics", "traces"] {
            pipelines.push(format!("{signal}/to-{name}: {{receivers: [otlp], exporters: [kafka/{name}]}}"));
            pipelines.push(format!("{signal}/of-{name}: {{receivers: [kafka/{name}], exporters: [otlp_grpc/{name}]}}"));
        }
    }
    let mut post = Post::start(&receivers.join(", "), &exporters.join(", "), &pipelines.join(", "));
    let mut sender = Sender::to(port);
    (0..REQUESTS).for_each(|index| sender.send(numbered(index * ITEMS, ITEMS)));
    let sent = Items::of(&sender.taken);
    for (name, _, _, sink) in &kinds {
        sink.wait_until(&format!("{name}: all items"), |all| Items::of(all).total() >= sent.total());
    }
    post.stop();
    let lengths = lengths(&broker);
    for (name, _, _, sink) in &kinds {
        let arrived = Items::of(&sink.requests());
        arrived.assert_same(&sent, name);
        let messages = ["logs", "metrics", "traces"].map(|signal| lengths[&format!("{name}-{signal}")]);
        println!("{name:>18}: {} items in {messages:?} messages, {} KiB equal", arrived.total(), arrived.bytes() >> 10);
    }
}

/// A log record without what depends on the way: when it was seen, by which component, and the id that a forwarder adds.
fn essence(received: &Received) -> String {
    let Received { record, mut attributes, resource, .. } = received.clone();
    attributes.remove("falco.uuid");
    format!(
        "{} {} {} {:?} {:?} {attributes:?} {resource:?}",
        record.time_unix_nano, record.severity_number, record.severity_text, record.event_name, record.body
    )
}

/// What Falco's JSON surely keeps: not the spelling of the priority, nor whether a name is the record's or its resource's.
fn gist(received: &Received) -> String {
    let [id, rule] = ["log.record.uid", "security_rule.name"].map(|key| received.attributes.get(key));
    let record = &received.record;
    format!("{} {} {:?} {id:?} {rule:?}", record.time_unix_nano, record.severity_number, record.body)
}

fn sorted(received: &[Received], form: fn(&Received) -> String) -> Vec<String> {
    let mut all: Vec<_> = received.iter().map(form).collect();
    all.sort();
    all
}

/// The key that the documentation promises for a record.
fn key(received: &Received) -> String {
    let value = |name: &str| {
        let value = received.attributes.get(name).or_else(|| received.resource.get(name))?;
        match value {
            lanner_proto::common::v1::any_value::Value::StringValue(text) => Some(text.clone()),
            other => panic!("{name} is {other:?}"),
        }
    };
    let pod = || Some(format!("{}/{}", value("k8s.namespace.name")?, value("k8s.pod.name")?));
    pod().or_else(|| value("container.id")).or_else(|| value("host.name")).unwrap_or_else(|| "null".to_owned())
}

/// Scenario: real alerts are posted to a Lanner, which sends them straight to a sink, and through Kafka as Falco's JSON and
/// as OTLP; the same alerts, audit events, JSON and text are written by Kafka's own producer.
/// Guarantee: all ways lead to the same records; Falco's JSON keeps what makes the alert. Kafka's own consumer sees a message for each alert with the key of its
/// pod, container or host and its id as the header, and every key in the partition where Kafka's own producer puts it.
#[test]
fn alerts_look_alike_to_lanner_and_to_kafkas_own_programs() {
    let (Some(alerts), Some(audit)) =
        (data::lines("dev/falco_alerts.jsonl"), data::lines("dev/k8s_audit_events.jsonl"))
    else {
        return;
    };
    let broker = Broker::start();
    let address = broker.address();
    let port = wait::free_port();
    // What Kafka's own producer writes, and what it is.
    let texts: Vec<String> = (0..40).map(|number| format!("line {number} of a program")).collect();
    let objects: Vec<String> = (0..40).map(|number| format!("{{\"number\":{number}}}")).collect();
    for (topic, lines) in [("foreign_alerts", &alerts), ("audit", &audit), ("texts", &texts), ("objects", &objects)] {
        produce(&broker, topic, false, lines);
    }
    let ways = [
        ("alerts_json", "falco_json"),
        ("alerts_otlp", "otlp_proto"),
        ("foreign_alerts", "falco_json"),
        ("audit", "k8s_audit"),
        ("texts", "text"),
        ("objects", "json"),
    ];
    let (direct, sinks) = (OtlpSink::start(), ways.map(|_| OtlpSink::start()));
    let mut receivers = format!("falco_http: {{endpoint: 'localhost:{port}'}}");
    let to = |name: &str, sink: &OtlpSink| {
        format!("otlp_grpc/{name}: {{endpoint: '{}', tls: {{insecure: true}}, {QUEUED}}}", sink.endpoint())
    };
    let mut exporters = to("direct", &direct);
    let mut pipelines =
        "logs: {receivers: [falco_http], exporters: [otlp_grpc/direct, kafka/alerts_json, kafka/alerts_otlp]}"
            .to_owned();
    for ((topic, encoding), sink) in ways.iter().zip(&sinks) {
        receivers += &format!(
            ", kafka/{topic}: {{brokers: ['{address}'], group_id: {topic}, initial_offset: earliest, logs: {{topics: [{topic}], encoding: {encoding}}}}}"
        );
        exporters += &format!(", {}", to(topic, sink));
        if topic.starts_with("alerts") {
            exporters += &format!(
                ", kafka/{topic}: {{brokers: ['{address}'], {QUEUED}, logs: {{topic: {topic}, encoding: {encoding}}}}}"
            );
        }
        pipelines += &format!(", logs/{topic}: {{receivers: [kafka/{topic}], exporters: [otlp_grpc/{topic}]}}");
    }
    let mut post = Post::start(&receivers, &exporters, &pipelines);
    let mut connection = Connection::open(port).unwrap();
    for alert in &alerts {
        let status = connection.post("/", "Content-Type: application/json\r\n", alert.as_bytes()).unwrap();
        assert_eq!(status, 200, "{alert}");
    }
    let arrived = [alerts.len(), alerts.len(), alerts.len(), audit.len(), texts.len(), objects.len()];
    let direct = direct.wait_for(alerts.len());
    let got: Vec<Vec<Received>> = sinks.iter().zip(arrived).map(|(sink, count)| sink.wait_for(count)).collect();
    post.stop();
    for ((topic, form), got) in ways.iter().map(|(topic, _)| topic).zip([gist, essence, essence]).zip(&got) {
        let (got, expected) = (sorted(got, form), sorted(&direct, form));
        assert_eq!(got.len(), expected.len(), "{topic}");
        got.iter().zip(&expected).for_each(|(got, expected)| assert_eq!(got, expected, "{topic}"));
        println!("{topic:>14}: {} records as without Kafka", got.len());
    }
    let [.., audit_records, text_records, object_records] = &got[..] else { panic!("all ways were read") };
    assert_eq!(audit_records.len(), audit.len());
    assert!(audit_records.iter().all(|record| !record.text("k8s.audit.event.id").is_empty()));
    let bodies: BTreeSet<&str> = text_records.iter().map(Received::body).collect();
    assert_eq!(bodies, texts.iter().map(String::as_str).collect());
    assert_eq!(object_records.len(), objects.len());
    // What Kafka's own consumer says of the messages.
    let printed = tools::read(&broker, "alerts_json", alerts.len());
    assert_eq!(lengths(&broker)["alerts_json"], alerts.len() as u64, "a message for each alert");
    let ids = |key: &dyn Fn(&Received) -> String| -> BTreeSet<(String, String)> {
        direct.iter().map(|record| (format!("log.record.uid:{}", record.text("log.record.uid")), key(record))).collect()
    };
    let seen: BTreeSet<_> = printed.iter().map(|message| (message.headers.clone(), message.key.clone())).collect();
    assert_eq!(seen, ids(&key));
    let partitions: BTreeMap<&str, i32> = keyed(&printed).collect();
    let lines: Vec<_> = partitions.keys().map(|key| format!("{key}\tx")).collect();
    produce(&broker, "foreign_keys", true, &lines);
    let foreign = tools::read(&broker, "foreign_keys", lines.len());
    assert_eq!(partitions, keyed(&foreign).collect(), "the partitions of the keys");
    assert!(keyed(&printed).all(|(key, partition)| partitions[key] == partition), "a key is in one partition");
    println!("{} keys in {:?}", partitions.len(), partitions.values().collect::<BTreeSet<_>>());
}

/// Keys and their partitions, of those that have one.
fn keyed(messages: &[Printed]) -> impl Iterator<Item = (&str, i32)> {
    messages.iter().filter(|message| message.key != "null").map(|message| (message.key.as_str(), message.partition))
}
