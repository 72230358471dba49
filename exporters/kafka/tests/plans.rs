//! What a user may write.

use super::*;
use lanner_engine::config::plan_body;

fn findings(body: &str) -> String {
    plan_body(&Factory::exporter::<crate::kafka::Kafka>(crate::kafka::DELIVERY), body).rendered()
}

/// Scenario: a key that is wrong in each way.
/// Guarantee: an error for each, in one run, with the remedy.
#[test]
fn mistakes_are_told() {
    let body = "brokers: [kafka]\nclient_id: ''\nlogs: {topic: 'a b', key: [[]]}\nproducer: {max_message_bytes: 1, linger: 1m}";
    let found = findings(body);
    for part in ["`host:port`", "client_id", "`a b` is no topic", "key: []", "max_message_bytes", "linger: 10ms"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

/// Scenario: keys of the Collector that are not offered.
/// Guarantee: each is told with what to write instead.
#[test]
fn keys_of_the_collector() {
    let body = "topic: x\npartition_logs_by_trace_id: true\nproducer: {required_acks: 1}\nprotocol_version: 3.0.0";
    let found = findings(body);
    for part in ["logs.topic", "logs.key", "all in-sync replicas", "the version is found out"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

/// Scenario: the configurations in the README.
/// Guarantee: each has this exporter, and it is accepted as it is.
#[test]
fn the_readme_is_accepted() {
    let blocks: Vec<&str> = include_str!("../README.md").split("```yaml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let yaml = block.split("```").next().unwrap();
        let exporters = yaml.split("\nexporters:\n").nth(1).unwrap();
        let body = exporters.split("  kafka").nth(1).unwrap().split_once('\n').unwrap().1;
        let body: Vec<&str> = body.lines().take_while(|line| line.starts_with("    ")).collect();
        let found = findings(&body.join("\n"));
        assert!(!found.contains("error["), "{found}");
    }
}
