use super::*;
use crate::testing::alerts;
use lanner_engine::{
    event::{
        Logs, Resource,
        otlp::{LogReader, encode_logs},
    },
    testing::log,
};
use serde_json::{Value as Json, json};

/// Scenario: the real alerts, mapped to records and read back.
/// Guarantee: every field that the alert had is there again under its name with its value (as text), but for times and
/// what says nothing; the keys of the event are the same; so is the event when the record is read from its bytes.
#[test]
fn the_mapping_is_undone() {
    let Some(alerts) = alerts() else { return };
    let (mut compared, mut wrong) = (0, std::collections::BTreeSet::new());
    for (sent, logs) in alerts {
        let group = &logs.groups[0];
        let event = FalcoEvent::of(Seen { resource: &group.resource, record: &group.records[0] }).to_json();
        let request = encode_logs(&logs);
        let mut reader = LogReader::of(&request);
        assert!(reader.advance().unwrap());
        let lent = FalcoEvent::read(reader.lent());
        assert_eq!(lent.to_json(), event);
        assert_eq!(lent.to_bytes(), serde_json::to_vec(&event).unwrap());
        for key in ["output", "priority", "rule", "hostname", "tags"] {
            let sent = sent.get(key).filter(|value| **value != json!([]) && **value != json!("")).cloned();
            let got = event.get(key).filter(|value| **value != json!(""));
            let shown = |value: Option<&Json>| value.map(|value| value.to_string().to_lowercase());
            if shown(got) != shown(sent.as_ref()) {
                wrong.insert(format!("{key}: {:?} for {sent:?}", event.get(key)));
            }
        }
        let is_host = sent["output_fields"]["container.id"] == "host";
        for (name, value) in sent["output_fields"].as_object().into_iter().flatten() {
            let says_nothing = value.is_null() || matches!(value.as_str(), Some("" | "<NA>"));
            let is_time = matches!(&**name, "evt.time" | "evt.time.iso8601" | "evt.rawtime");
            let nobody = name == "user.loginuid" && [json!(-1), json!(4294967295u32)].contains(value);
            if says_nothing || is_time || nobody || (is_host && name.starts_with("container.")) {
                continue;
            }
            let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let got = &event["output_fields"][name];
            if shown(got) != shown(value) {
                wrong.insert(format!("{name}: {got} for {value}"));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 300, "{compared}");
}

/// Scenario: a record that is no alert, with attributes of its own, a nested one and one of 19 digits.
/// Guarantee: it has the shape; attributes follow under their names with exact values.
#[test]
fn any_record_has_the_shape() {
    let record = log()
        .event_name("lanner.incident")
        .body("incident opened")
        .attr("team", "blue")
        .attr("evt.number", 1_739_178_940_698_757_001_i64)
        .attr("log.record.uid", "00112233445566778899aabbccddeeff")
        .attr("nested", Value::Map(vec![("a".into(), Value::Int(1))]))
        .build();
    let resource = Resource::default();
    let event = FalcoEvent::of(Seen { resource: &resource, record: &record });
    assert_eq!(event.field("team").as_deref(), Some("blue"));
    assert_eq!(
        Json::from(event.to_json()),
        json!({
            "uuid": "00112233-4455-6677-8899-aabbccddeeff", "output": "incident opened", "priority": "",
            "rule": "lanner.incident", "time": null, "source": "",
            "output_fields": {"evt.number": 1_739_178_940_698_757_001_i64, "nested": {"a": 1}, "team": "blue"},
        })
    );
}

/// Scenario: an alert with every kind of value, an id in capitals, and a map with a key twice.
/// Guarantee: the bytes are exact, in falcosidekick's order, and the same as those of the tree and of the encoded record.
#[test]
fn the_bytes_are_those_of_the_tree() {
    let twice = Value::Map(vec![("a".into(), Value::Int(1)), ("b".into(), Value::Empty), ("a".into(), Value::Int(2))]);
    let record = log()
        .event_name("falco.alert")
        .body("a \"quoted\" line\n")
        .attr("security_rule.name", "Shell")
        .attr("log.record.uid", "ABCDEF00112233445566778899AABBCC")
        .attr("falco.tags", Value::Array(vec!["T1059".into()]))
        .attr("bool", true)
        .attr("double", 0.5)
        .attr("none", f64::NAN)
        .attr("bytes", Value::Bytes(bytes::Bytes::from_static(b"ab\xff")))
        .attr("list", Value::Array(vec![Value::Int(i64::MIN), Value::Empty, twice.clone()]))
        .attr("twice", twice)
        .build();
    let mut resource = Resource::default();
    resource.attrs.set("host.name", "node-1");
    let event = FalcoEvent::of(Seen { resource: &resource, record: &record });
    let bytes = String::from_utf8(event.to_bytes()).unwrap();
    assert_eq!(
        bytes,
        r#"{"uuid":"abcdef00-1122-3344-5566-778899aabbcc","output":"a \"quoted\" line\n","priority":"","rule":"Shell","time":null,"source":"","output_fields":{"bool":true,"bytes":"ab�","double":0.5,"list":[-9223372036854775808,null,{"a":2,"b":null}],"none":null,"twice":{"a":2,"b":null}},"tags":["T1059"],"hostname":"node-1"}"#
    );
    assert_eq!(serde_json::to_string(&event.to_json()).unwrap(), bytes);
    let logs = Logs::one(resource.clone().into(), Default::default(), record.clone());
    let request = encode_logs(&logs);
    let mut reader = LogReader::of(&request);
    assert!(reader.advance().unwrap());
    assert_eq!(FalcoEvent::read(reader.lent()).to_bytes(), bytes.into_bytes());
}
