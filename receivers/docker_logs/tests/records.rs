//! What becomes of a line.

use crate::{
    container::{Line, Stream},
    docker_logs::{NonJson, records::Mapping, select::Candidate},
};
use lanner_engine::{prelude::*, semantics::MappingOptions};
use std::collections::HashMap;

const NOW: u64 = 1_795_352_284_000_000_000;

fn line(text: &str) -> Line {
    let content = text.to_owned().into();
    Line { stream: Stream::Stdout, time: NOW, content, parts: 1, incomplete: false, cut: false, at: 0 }
}

fn container() -> Candidate {
    Candidate {
        id: "c".repeat(64),
        name: "falco".into(),
        image: "registry:5000/falcosecurity/falco:0.42.0@sha256:00".into(),
        labels: HashMap::from([("team".to_owned(), "sec".to_owned()), ("other".to_owned(), "x".to_owned())]),
    }
}

/// Scenario: a plain line of a container with labels, read twice as one of several equal lines.
/// Guarantee: it carries the container and only the labels asked for; its id depends on the ordinal and on nothing
/// that changes when it is read again.
#[test]
fn plain_lines_name_their_container() {
    let labels = vec![("team".to_owned(), Key::intern("container.label.team"))];
    let mapping = Mapping::new(&MappingOptions::default(), NonJson::Keep, labels);
    let source = mapping.source(&container());
    let mut logs = Logs::default();
    for ordinal in [0, 0, 1] {
        assert!(mapping.map(&source, &line("hello"), ordinal, &mut logs));
    }
    let [group] = &logs.groups[..] else { panic!("one resource") };
    let attribute = |name: &str| group.resource.attrs.get(&Key::intern(name)).cloned();
    assert_eq!(attribute("container.id"), Some("c".repeat(64).into()));
    assert_eq!(attribute("container.name"), Some("falco".into()));
    assert_eq!(attribute("container.image.name"), Some("registry:5000/falcosecurity/falco".into()));
    assert_eq!(attribute("container.image.tags"), Some(Value::Array(vec!["0.42.0".into()])));
    assert_eq!(attribute("container.label.team"), Some("sec".into()));
    assert_eq!(attribute("container.label.other"), None);
    assert_eq!(group.scope.name, "lanner.receiver.docker");
    let record = &group.records[0];
    assert_eq!((record.body.as_str(), record.time_unix_nano), (Some("hello"), NOW));
    assert_eq!(record.attrs.get_str(&Key::intern("log.iostream")), Some("stdout"));
    assert_eq!(group.records[0], group.records[1]);
    assert_ne!(group.records[0].attrs, group.records[2].attrs);
}

/// Scenario: an alert on stdout, the same text on stderr, Falco's statistics, JSON that is no alert, broken JSON.
/// Guarantee: only the first is an alert: with its own time, the daemon's as the observed one, and nothing of the
/// container Falco runs in. The others are plain, or left out when so configured.
#[test]
fn only_alerts_on_stdout_are_alerts() {
    let alert = r#"{"hostname":"n","output":"Shell (container_id=abc)","priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["shell"],"time":"2026-11-22T10:00:00.5Z","output_fields":{"container.id":"abc","container.name":"web"}}"#;
    let stderr = Line { stream: Stream::Stderr, ..line(alert) };
    let others = [line("Events detected: 5"), line(r#"{"time":"x"}"#), line("{\"rule\":\"r\""), line(""), stderr];
    for (non_json, kept) in [(NonJson::Skip, 1), (NonJson::Keep, 6)] {
        let mapping = Mapping::new(&MappingOptions::default(), non_json, Vec::new());
        let source = mapping.source(&container());
        let mut logs = Logs::default();
        assert!(mapping.map(&source, &line(alert), 0, &mut logs));
        for other in &others {
            assert_eq!(mapping.map(&source, other, 0, &mut logs), non_json == NonJson::Keep);
        }
        assert_eq!(logs.len(), kept);
        assert_eq!(logs.records().filter(|record| record.event_name == "falco.alert").count(), 1);
        let group = &logs.groups[0];
        let record = &group.records[0];
        assert_eq!(group.scope.name, "lanner.receiver.falco");
        assert_eq!(group.resource.attrs.get_str(&Key::intern("container.name")), Some("web"));
        assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (1_795_341_600_500_000_000, NOW));
    }
}
