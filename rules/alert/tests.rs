//! Alerts as Falco writes them, and rules over alerts.

use super::*;
use crate::{
    audit::{self, AuditEvent, AuditPlan, Meta, Parity},
    evaluate::{Arena, Run},
    file::{Loader, Options},
    ruleset::Ruleset,
};
use std::sync::Arc;

fn load(source: &str, condition: &str, output: &str) -> Ruleset {
    let mut options = Options::default();
    options.sources.retain(|(name, _)| name == audit::SOURCE);
    options.sources.push((SOURCE.to_owned(), Arc::new(schema())));
    let mut loader = Loader::new(options);
    let text = format!(
        "- rule: R\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: warning\n  source: {source}\n  tags: [b, a]\n"
    );
    let report = loader.load("r.yaml", &text);
    assert!(report.accepted, "{:?}", report.diagnostics);
    loader.finish()
}

fn written(output: &str) -> String {
    let ruleset = load(audit::SOURCE, "ka.verb = create", output);
    let rules = ruleset.source(audit::SOURCE).unwrap();
    let plan = AuditPlan::new(rules.fields(), Parity::Corrected);
    let arena = Arena::new();
    let event = br#"{"auditID":"1","verb":"create","stageTimestamp":"2026-01-02T03:04:05.000000006Z","user":{"username":"e\"ve","groups":["x","y"]}}"#;
    let event = AuditEvent::new(event, Meta::default(), &plan, &arena).unwrap();
    let run = Run::new(rules.program(), &event, &arena);
    let hit = rules.first(&run).unwrap();
    let rule = &ruleset.rules()[hit.rule];
    let alert = Alert { rule, template: &hit.template, run: &run, time: event.time(), hostname: "h" };
    serde_json::to_string(&alert).unwrap()
}

/// Scenario: an output with text, a list, a missing field, and `%evt.time`, which is text only in the message.
/// Guarantee: keys, their order and the types of values are Falco's; output fields are sorted, the time among them.
#[test]
fn written_as_falco_does() {
    assert_eq!(
        written("by=%ka.user.name of=%ka.user.groups to=%ka.target.name at=%evt.time.s"),
        concat!(
            r#"{"hostname":"h","output":"03:04:05.000000006: Warning by=e\"ve of=(x,y) to=<NA> at=03:04:05","#,
            r#""output_fields":{"evt.time":1767323045000000006,"evt.time.s":1767323045000000006,"#,
            r#""ka.target.name":null,"ka.user.groups":["x","y"],"ka.user.name":"e\"ve"},"#,
            r#""priority":"Warning","rule":"R","source":"k8s_audit","tags":["a","b"],"#,
            r#""time":"2026-01-02T03:04:05.000000006Z"}"#,
        )
    );
    for output in ["nothing", "a=%evt.num", "a=%evt.time", "a=%evt.time b=%evt.source", "a=%evt.source"] {
        let found = written(output).matches("\"evt.time\":1767323045000000006").count();
        assert_eq!(found, 1, "{output}: {}", written(output));
    }
}

const ALERT: &str = r#"{"hostname":"n1","rule":"Terminal shell","priority":"Notice","tags":["shell","T1059"],"output":"o",
"output_fields":{"evt.time":1767323045000000006,"proc.name":"bash","proc.pid":-7,"user.uid":4294967295,"fd.sip":"10.0.0.1",
"evt.is_open_write":true,"evt.arg[path]":"/tmp","evt.arg.flags":"O_RDONLY","proc.aname[2]":"sshd","k8s.ns.name":null,
"fd.types":["file","ipv4"],"proc.cmdline":"<NA>","evt.type":["not","a","text"],"container.id":17,"proc.ppid":"many"}}"#;

fn holds(condition: &str) -> bool {
    let ruleset = load(SOURCE, condition, "again %proc.name");
    let rules = ruleset.source(SOURCE).unwrap();
    let plan = AlertPlan::new(rules.fields());
    let arena = Arena::new();
    let event = AlertEvent::new(ALERT.as_bytes(), 1, &plan, &arena).unwrap();
    let run = Run::new(rules.program(), &event, &arena);
    rules.first(&run).is_some()
}

/// Scenario: rules over an alert ask for fields of every type, for what the alert itself says, and for what it lacks.
/// Guarantee: output fields have the types of system call fields; what is null, `<NA>` or of another type is missing.
#[test]
fn read_as_events() {
    for condition in [
        "proc.name = bash",
        "proc.pid = -7",
        "user.uid = 4294967295",
        "fd.sip = 10.0.0.1",
        "evt.is_open_write = true",
        "evt.arg.path = /tmp",
        "evt.arg[flags] = O_RDONLY",
        "proc.aname[2] = sshd",
        "fd.types intersects (ipv4)",
        "container.id = 17",
        "security_rule.name startswith Terminal",
        "falco.priority in (Notice, Warning)",
        "falco.tags intersects (T1059)",
        "evt.hostname = n1",
        "evt.source = syscall",
        "evt.rawtime = 1767323045000000006",
        "not k8s.ns.name exists",
        "not proc.cmdline exists",
        "not proc.ppid exists",
        "not proc.exepath exists",
    ] {
        assert!(holds(condition), "{condition}");
    }
    assert!(!holds("evt.arg.other exists"));
}

/// Scenario: JSON that is no alert, and alerts of other kinds.
/// Guarantee: it is refused, or its source is known.
#[test]
fn what_is_no_alert() {
    let plan = AlertPlan::new(&[]);
    let arena = Arena::new();
    for text in ["", "{}", "[]", "7", "{\"rule\":1", "{\"output_fields\":{}}"] {
        assert!(AlertEvent::new(text.as_bytes(), 1, &plan, &arena).is_err(), "{text}");
    }
    assert!(AlertEvent::new(b"{\"rule\":\"\xff\"}", 1, &plan, &arena).is_err());
    for (text, source) in [
        (r#"{"rule":"r"}"#, "syscall"),
        (r#"{"rule":"r","source":"syscalls"}"#, "syscall"),
        (r#"{"rule":"r","source":"k8s_audit"}"#, "k8s_audit"),
    ] {
        assert_eq!(AlertEvent::new(text.as_bytes(), 1, &plan, &arena).unwrap().source(), source);
    }
}
