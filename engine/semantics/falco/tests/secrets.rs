//! Scenarios of secrets in alerts.

use super::*;
use crate::{event::Batch, semantics::carried::Form};

/// Text that must not come out anywhere.
const CANARY: &str = "c4n4ry";

/// An alert that says its secret in every way it can.
fn leaky() -> String {
    alert(
        r#""proc.cmdline":"mysql -pc4n4ry shop","proc.pcmdline":"sh -c mysql -pc4n4ry","proc.args":"--password c4n4ry",
        "evt.args":"data=\"password\": \"c4n4ry\" fd=3","proc.exepath":"/tmp/token=a.c4n4ry","fd.name":"/tmp/pwd=x/c4n4ry.c4n4ry",
        "proc.aname[2]":"PGPASSWORD=c4n4ry","proc.env":["A=1","AWS_SECRET_ACCESS_KEY=c4n4ry"],
        "ka.uri":"/api?token=c4n4ry&watch=1","json.value[/user/password]":"c4n4ry","json.obj":{"api_key":"c4n4ry","n":1},
        "k8s.pod.labels":"app: shop, api-token: c4n4ry","evt.arg.data":"https:\/\/u:c4n4ry@host","ct.error":"Bearer c4n4ryc4n4ry",
        "container.id":"abc","container.image.repository":"https://u:c4n4ry@reg/a","container.image.digest":"sha256:1""#,
    )
    .replace("Notice something", "Notice something (cmdline=mysql -pc4n4ry shop)")
}

/// Everything a record says, as it leaves the process.
fn encoded(logs: Logs) -> String {
    String::from_utf8_lossy(&Batch::logs(logs).to_otlp().bytes).into_owned()
}

/// Scenario: the same secret in the command line, in the message, in a path, in a list, in nested JSON, under a telling name,
/// behind escapes, with all fields and the original kept.
/// Guarantee: none of it leaves, what stands around it does, and the id is that of the alert as it was sent.
#[test]
fn a_secret_leaves_nowhere() {
    for preserve in [Preserve::Unmapped, Preserve::All] {
        let options = MappingOptions { keep_original: true, preserve, ..MappingOptions::default() };
        let (logs, summary) = map_with(&options, &leaky());
        assert_eq!((summary.alerts, logs.len()), (1, 1), "{summary:?}");
        let open = MappingOptions { redact_command_lines: false, ..options };
        let (as_sent, _) = map_with(&open, &leaky());
        let (record, sent) = (logs.records().next(), as_sent.records().next());
        let (record, sent) = (record.expect("one"), sent.expect("one"));
        let attrs = &record.attrs;
        assert_eq!(text(attrs, "log.record.uid"), text(&sent.attrs, "log.record.uid"));
        assert_eq!(text(attrs, "process.command_line"), Some("mysql -p[REDACTED] shop"));
        assert_eq!(text(attrs, "url.query"), Some("token=[REDACTED]&watch=1"));
        assert_eq!(text(attrs, "falco.output_fields.json.obj"), Some(r#"{"api_key":"[REDACTED]","n":1}"#));
        assert!(record.body.as_str().is_some_and(|body| body.ends_with("(cmdline=mysql -p[REDACTED] shop)")));
        let original = text(attrs, "log.record.original").expect("kept");
        serde_json::from_str::<serde_json::Value>(original).expect("still JSON");
        let text = encoded(logs);
        assert!(!text.contains(CANARY), "{text}");
        assert!(encoded(as_sent).contains(CANARY));
    }
}

/// Scenario: a secret in an alert that came as parts, in one that another agent made a map of, and in a line that is no alert.
/// Guarantee: it leaves in none of them.
#[test]
fn secrets_go_from_every_form_of_an_alert() {
    let mapper = FalcoMapper::new(&MappingOptions::default());
    let fields = vec![("proc.cmdline", "mysql -pc4n4ry"), ("proc.args", "--password c4n4ry")];
    let parts = AlertParts { rule: "r", output: "ran mysql -pc4n4ry", fields, ..AlertParts::default() };
    let value = Value::from_json(&leaky()).expect("JSON");
    let Reading::Event(carried) = mapper.map_carried(&Form::Map(&value), NOW) else { panic!("an alert") };
    for mapped in [mapper.map_parts(parts, NOW), carried] {
        let scope = scope("lanner.receiver.falco");
        let text = encoded(Logs::one(mapped.resource, scope, mapped.record));
        assert!(text.contains("[REDACTED]") && !text.contains(CANARY), "{text}");
    }
    let (logs, summary) = map("12:00:00.0: Warning ran (cmdline=mysql -pc4n4ry)");
    assert_eq!(summary.plain.total(), 1);
    assert!(!encoded(logs).contains(CANARY));
    let line = "12:00:00.0: Warning ran (cmdline=mysql -pc4n4ry)".into();
    assert_eq!(mapper.plain_body(&line).as_str(), Some("12:00:00.0: Warning ran (cmdline=mysql -p[REDACTED])"));
}

/// Scenario: a secret that begins before the cap and ends behind it.
/// Guarantee: not even its beginning leaves.
#[test]
fn a_secret_at_the_cap_is_no_half_secret() {
    let options = MappingOptions { max_attribute_bytes: 12, ..MappingOptions::default() };
    let (logs, _) = map_with(&options, &alert(r#""proc.cmdline":"x AKIAIOSFODNN7EXAMPLE""#));
    assert_eq!(
        logs.records().next().and_then(|record| text(&record.attrs, "process.command_line")),
        Some("x [REDACTED]")
    );
}
