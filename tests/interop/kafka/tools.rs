//! Kafka's own programs: the node, the console producer and consumer.

use super::broker::Broker;
use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

/// A class of Kafka's jars, as a program with a small heap that starts fast.
pub fn java(class: &str) -> Command {
    let jars = std::env::var("KAFKA_JARS").expect("KAFKA_JARS is set by tests/interop/kafka/run.sh");
    let mut java = Command::new("java");
    java.env("CLASSPATH", format!("{jars}/*"))
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.showDateTime=true", class]);
    java
}

/// A message as the console consumer prints it; what is absent is `null` there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Printed {
    pub partition: i32,
    pub headers: String,
    pub key: String,
    pub value: String,
}

/// Writes `key<tab>value` lines to a topic, with Kafka's own choice of partitions; lines without a key with `keyed` unset.
pub fn produce(broker: &Broker, topic: &str, keyed: bool, lines: &[String]) {
    let mut producer = java("org.apache.kafka.tools.ConsoleProducer");
    producer.args(["--bootstrap-server", &broker.address(), "--topic", topic]);
    // Its three tries may be over before a new topic has its leaders.
    producer.args(["--message-send-max-retries", "1000", "--reader-property", &format!("parse.key={keyed}")]);
    let mut running = producer.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !log.contains("ERROR"), "{log}");
}

/// The first `count` messages of a topic; all of them must be there.
pub fn read(broker: &Broker, topic: &str, count: usize) -> Vec<Printed> {
    let mut consumer = java("org.apache.kafka.tools.consumer.ConsoleConsumer");
    consumer.args(["--bootstrap-server", &broker.address(), "--topic", topic, "--from-beginning"]);
    consumer.args(["--max-messages", &count.to_string(), "--timeout-ms", "60000"]);
    for property in ["print.partition", "print.headers", "print.key"] {
        consumer.args(["--formatter-property", &format!("{property}=true")]);
    }
    let output = consumer.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<_> = text.lines().filter_map(printed).collect();
    assert_eq!(messages.len(), count, "{topic}: {text}{}", String::from_utf8_lossy(&output.stderr));
    messages
}

fn printed(line: &str) -> Option<Printed> {
    let mut parts = line.strip_prefix("Partition:")?.splitn(4, '\t');
    let partition = parts.next()?.parse().ok()?;
    let [headers, key, value] = [parts.next()?, parts.next()?, parts.next()?].map(str::to_owned);
    Some(Printed { partition, headers, key, value })
}

/// How many messages each topic has.
pub fn lengths(broker: &Broker) -> BTreeMap<String, u64> {
    let mut shell = java("org.apache.kafka.tools.GetOffsetShell");
    let output = shell.args(["--bootstrap-server", &broker.address(), "--exclude-internal-topics"]).output().unwrap();
    let mut lengths = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut parts = line.rsplitn(3, ':');
        let (offset, _, topic) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        *lengths.entry(topic.to_owned()).or_default() += offset.parse::<u64>().unwrap();
    }
    lengths
}
