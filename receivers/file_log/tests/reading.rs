//! Lines of a file that nobody rotates.

use super::rig::Rig;
use crate::{
    container::Wrapping,
    file_log::config::{Config, StartAt},
    formats::{Format, NonJson},
    size::Size,
    testing::data,
};
use lanner_engine::{
    config::Duration,
    prelude::*,
    semantics::{is_alert, is_audit, secrets},
};

fn attribute<'r>(record: &'r LogRecord, name: &str) -> Option<&'r Value> {
    record.attrs.get(&Key::intern(name))
}

/// Scenario: lines before and after the start, with `start_at: end`, one of them half written at the start.
/// Guarantee: what was complete before the start is left out; the half line is delivered whole once it is complete; a file
/// that comes later is read from its beginning.
#[tokio::test(start_paused = true)]
async fn an_end_is_the_end_of_the_last_line() {
    let mut rig = Rig::new();
    rig.write("a.log", "old 1\nold 2\nhalf");
    rig.write("b.log", "finished without a line end");
    let config = Config { start_at: StartAt::End, ..rig.config("*.log") };
    rig.start(config).await;
    rig.look().await;
    rig.write("a.log", " and half\nnew\r\n\n");
    rig.write("c.log", "first\n");
    rig.items(3).await;
    rig.look().await;
    rig.stop().await;
    let records = rig.capture.records();
    let (c, a): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| attribute(record, "log.file.name") == Some(&"c.log".into()));
    assert_eq!(a.iter().map(|record| record.body.as_str()).collect::<Vec<_>>(), [Some("half and half"), Some("new")]);
    let [record] = c[..] else { panic!("{c:?}") };
    assert_eq!(record.body.as_str(), Some("first"));
    assert_eq!(attribute(record, "log.file.path"), None);
    assert!(record.observed_time_unix_nano > 0);
    assert_eq!(rig.metric("lanner_file_log_files", ""), 3);
}

/// Scenario: text without a line end; the same with `force_flush_period: 0`.
/// Guarantee: it is handed out, marked, after the period and not before; with 0 it waits for its end.
#[tokio::test(start_paused = true)]
async fn text_without_an_end_waits_for_the_period() {
    let mut rig = Rig::new();
    rig.write("a.log", "one\ntwo");
    let config = Config { force_flush_period: Duration::from_secs(3), ..rig.config("a.log") };
    rig.start(config).await;
    rig.look().await;
    assert_eq!(rig.texts(), ["one"]);
    rig.items(2).await;
    rig.write("a.log", " and more\n");
    rig.items(3).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["one", "two", " and more"]);
    assert_eq!(attribute(&rig.capture.records()[1], "lanner.line.incomplete"), Some(&true.into()));
    assert_eq!(rig.metric("lanner_receiver_degraded", "line_incomplete"), 1);

    let mut rig = Rig::new();
    rig.write("a.log", "one");
    let config = Config { force_flush_period: Duration::from_secs(0), ..rig.config("a.log") };
    rig.start(config).await;
    for _ in 0..30 {
        rig.look().await;
    }
    assert!(rig.texts().is_empty());
    rig.write("a.log", " line\n");
    rig.items(1).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["one line"]);
}

/// Scenario: a writer stops in the middle of a JSON line for seconds; another ends a file without a line end; a third dies
/// in the middle of a line.
/// Guarantee: half a line is not handed out while its writer may go on; a complete object needs no line end; what a
/// dead writer left is handed out in the end.
#[tokio::test(start_paused = true)]
async fn half_a_json_line_waits_for_its_other_half() {
    let mut rig = Rig::new();
    rig.write("a.log", "{\"a\":");
    rig.write("b.log", "{\"b\": 2}");
    rig.write("c.log", "{\"c\":");
    let config = Config { format: Format::Json, ..rig.config("*.log") };
    rig.start(config).await;
    rig.items(1).await;
    for _ in 0..3 {
        rig.look().await;
    }
    assert_eq!(rig.capture.records().len(), 1);
    assert_eq!(rig.capture.records()[0].body, Value::Map(vec![("b".into(), Value::Int(2))]));
    rig.write("a.log", " 1}\n");
    rig.items(3).await;
    rig.stop().await;
    assert_eq!(rig.capture.records()[1].body, Value::Map(vec![("a".into(), Value::Int(1))]));
    assert_eq!(rig.texts()[2], "{\"c\":");
    assert_eq!(rig.metric("lanner_receiver_unusable", "not_json"), 1);
}

/// Scenario: lines far over, just at and just under `max_log_size`, in a file and across chunks; with CRLF behind them.
/// Guarantee: a line at the bound is whole; of longer ones the beginning is delivered, marked and counted, and the next
/// line is untouched.
#[tokio::test(start_paused = true)]
async fn a_long_line_is_cut_and_its_neighbours_are_not() {
    for bound in [100, 70_000, 1 << 20] {
        let mut rig = Rig::new();
        let (fits, over, far) = ("f".repeat(bound), "o".repeat(bound + 1), "x".repeat(5 * bound + 200_000));
        rig.write("a.log", format!("before\n{fits}\n{over}\n{far}\r\nafter\n"));
        let config = Config { max_log_size: Size(bound as u64), ..rig.config("a.log") };
        rig.start(config).await;
        rig.items(5).await;
        rig.look().await;
        rig.stop().await;
        let texts = rig.texts();
        assert_eq!(texts.iter().map(String::len).collect::<Vec<_>>(), [6, bound, bound, bound, 5], "{bound}");
        assert_eq!((texts[0].as_str(), texts[4].as_str()), ("before", "after"));
        assert_eq!(rig.metric("lanner_receiver_degraded", "line_cut"), 2);
        let cut: Vec<bool> =
            rig.capture.records().iter().map(|record| attribute(record, "lanner.line.cut").is_some()).collect();
        assert_eq!(cut, [false, false, true, true, false]);
    }
}

/// Scenario: random bytes, without and with zero bytes, and a line of text behind them.
/// Guarantee: nothing panics, what is no UTF-8 is replaced and counted, the text comes out.
#[tokio::test(start_paused = true)]
async fn binary_junk_is_survived() {
    let mut random = fastrand::Rng::with_seed(7);
    for format in [Format::Text, Format::Json, Format::Falco, Format::K8sAudit] {
        let mut rig = Rig::new();
        let mut junk = vec![0xc3, 0x28, b'\n'];
        junk.extend((0..200_000).map(|_| random.u8(..)));
        rig.write("a.log", junk);
        rig.write("a.log", "\nthe end\n");
        let config = Config { format, non_json: Some(NonJson::Keep), ..rig.config("a.log") };
        rig.start(config).await;
        rig.look().await;
        rig.look().await;
        rig.stop().await;
        assert_eq!(rig.texts().last().map(String::as_str), Some("the end"), "{format:?}");
        assert!(rig.metric("lanner_receiver_degraded", "invalid_utf8") > 0, "{format:?}");
    }
}

/// Scenario: the team's Falco alerts and audit events as files, with Falco's own text and a broken line in between.
/// Guarantee: every line of data is an alert or an event; the text of Falco is left out and counted; the broken audit line
/// is kept and counted.
#[tokio::test(start_paused = true)]
async fn events_of_files_are_events() {
    if let Some(alerts) = data::lines("dev/falco_alerts.jsonl") {
        let mut rig = Rig::new();
        rig.write("falco.log", "Fri Nov 20 10:00:00 2026: Falco initialized\n");
        rig.write("falco.log", alerts.join("\n") + "\nEvents detected: 3\n{\"rule\": cut sh\n");
        let config = Config { format: Format::Falco, ..rig.config("falco.log") };
        rig.start(config).await;
        rig.items(alerts.len()).await;
        rig.look().await;
        rig.stop().await;
        assert_eq!(rig.capture.records().len(), alerts.len());
        assert!(rig.capture.records().iter().all(|record| record.event_name.starts_with("falco.")));
        assert!(rig.capture.records().iter().filter(|record| is_alert(record)).count() > 0);
        assert_eq!(rig.capture.failed().get("not_an_alert"), Some(&3));
        assert!(rig.uids().iter().all(|uid| uid.len() == 32));
    }
    if let Some(events) = data::lines("dev/k8s_audit_events.jsonl") {
        let mut rig = Rig::new();
        let list = format!("{{\"kind\":\"EventList\",\"items\":[{},{}]}}", events[0], events[1]);
        rig.write("audit.log", format!("{}\n{list}\n{{\"kind\":\"Event\",\"sta\n", events.join("\n")));
        let config = Config { format: Format::K8sAudit, ..rig.config("audit.log") };
        rig.start(config).await;
        rig.items(events.len() + 3).await;
        rig.stop().await;
        let records = rig.capture.records();
        assert_eq!(records.iter().filter(|record| is_audit(record)).count(), events.len() + 2);
        assert_eq!(records.len(), events.len() + 3);
        let unusable = rig.metric("lanner_receiver_unusable", "");
        assert_eq!(unusable, 1);
    }
}

/// Scenario: the team's alerts that Falco printed as text, because `json_output` is off.
/// Guarantee: they are no alerts, but kept whole as plain records when asked for, in either format; what Falco said loses
/// its secrets as an alert does, text of any other origin stays as it is.
#[tokio::test(start_paused = true)]
async fn text_alerts_are_kept_as_text() {
    let Some(lines) = data::lines("dev/falco_text_alerts.jsonl") else { return };
    let texts: Vec<String> = lines
        .iter()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().replace('\n', " ")
        })
        .collect();
    for (format, non_json) in [(Format::Text, None), (Format::Falco, Some(NonJson::Keep))] {
        let mut rig = Rig::new();
        rig.write("falco.txt", texts.join("\n") + "\n");
        rig.start(Config { format, non_json, ..rig.config("falco.txt") }).await;
        rig.items(texts.len()).await;
        rig.stop().await;
        let read = rig.texts();
        assert_eq!(read.len(), texts.len());
        for (read, text) in read.iter().zip(&texts) {
            match format {
                Format::Text => assert_eq!(read, text),
                _ => assert_eq!(read, &secrets::redact(text)),
            }
        }
        assert!(!rig.capture.records().iter().any(is_alert));
    }
}

/// Scenario: the team's lines of Docker files, with `container: auto`.
/// Guarantee: every line comes out of its wrapping with its time and its stream.
#[tokio::test(start_paused = true)]
async fn docker_files_of_the_team_are_unwrapped() {
    let Some(lines) = data::lines("dev/docker_json_file.jsonl") else { return };
    let expected: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = expected.iter().filter(|entry| {
        let log = entry["log"].as_str().unwrap();
        log.ends_with('\n') && !log.trim().is_empty()
    });
    let mut rig = Rig::new();
    rig.write("x-json.log", lines.join("\n") + "\n");
    let config = Config { container: Wrapping::Auto, ..rig.config("*-json.log") };
    rig.start(config).await;
    rig.items(ended.clone().count()).await;
    rig.look().await;
    rig.stop().await;
    let texts = rig.texts();
    for entry in ended {
        let text = entry["log"].as_str().unwrap().trim_end_matches(['\n']);
        assert!(texts.iter().any(|found| found.ends_with(text)), "{text}");
    }
    assert_eq!(rig.metric("lanner_receiver_degraded", "not_wrapped"), 0);
    let records = rig.capture.records();
    assert!(records.iter().all(|record| attribute(record, "log.iostream").is_some() && record.time_unix_nano > 0));
}

/// Scenario: an alert of 40000 bytes that Docker and containerd have split, with lines of stderr between its parts.
/// Guarantee: it is one alert, observed at the runtime's time; the same alert on stderr is not.
#[tokio::test(start_paused = true)]
async fn a_split_alert_is_one_alert() {
    let alert = format!(
        "{{\"hostname\":\"n\",\"output\":\"{}\",\"priority\":\"Notice\",\"rule\":\"R\",\"source\":\"syscall\",\"time\":\"2026-01-01T00:00:00Z\",\"output_fields\":{{}}}}",
        "o".repeat(40_000)
    );
    let parts: Vec<&str> = alert.as_bytes().chunks(16_384).map(|part| std::str::from_utf8(part).unwrap()).collect();
    let time = "2026-01-02T00:00:00.000000001Z";
    for wrapping in [Wrapping::Docker, Wrapping::Cri, Wrapping::Auto] {
        let mut rig = Rig::new();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let line = if wrapping == Wrapping::Docker {
                let log = if last { format!("{part}\n") } else { (*part).to_owned() };
                let noise = serde_json::json!({"log": "noise\n", "stream": "stderr", "time": time});
                format!("{}\n{noise}\n", serde_json::json!({"log": log, "stream": "stdout", "time": time}))
            } else {
                // Parts have times of their own.
                let tag = if last { "F" } else { "P" };
                format!("2026-01-02T00:00:00.00000000{}Z stdout {tag} {part}\n{time} stderr F {alert}\n", index + 1)
            };
            rig.write("a.log", line);
        }
        let config =
            Config { container: wrapping, format: Format::Falco, non_json: Some(NonJson::Keep), ..rig.config("a.log") };
        rig.start(config).await;
        rig.items(1 + parts.len()).await;
        rig.stop().await;
        let records = rig.capture.records();
        let alerts: Vec<_> = records.iter().filter(|record| is_alert(record)).collect();
        assert_eq!(alerts.len(), 1, "{wrapping:?}");
        assert_eq!(alerts[0].observed_time_unix_nano, 1_767_312_000_000_000_001);
        assert_eq!(alerts[0].time_unix_nano, 1_767_225_600_000_000_000);
        assert_eq!(records.len(), 1 + parts.len());
    }
}

/// Scenario: two files with the same lines, one of them read twice, once under another name.
/// Guarantee: equal lines of one file and of two have different ids; a line that is read again has the same.
#[tokio::test(start_paused = true)]
async fn ids_are_those_of_the_place_in_the_file() {
    let mut rig = Rig::new();
    rig.write("a.log", "same\nsame\n");
    rig.write("b.log", "same\nsame\n");
    rig.start(rig.config("*.log")).await;
    rig.items(4).await;
    rig.stop().await;
    let first = rig.uids();
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 4);
    rig.rename("a.log", "c.log");
    rig.write("c.log", "more\n");
    rig.start(rig.config("c.log")).await;
    rig.items(7).await;
    rig.stop().await;
    assert_eq!(rig.uids()[4..6], first[..2]);
}
