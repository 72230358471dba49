//! That fields mean what Falco means, and that mistakes are explained.

use crate::*;
#[path = "../tests/support/data.rs"]
mod data;
use lanner_engine::{
    prelude::*,
    semantics::{
        AuditMapper, FalcoMapper,
        audit::{AuditOptions, Item},
    },
    testing::{log, read_of},
};
use lanner_rules::output::Rendered;
use std::{collections::BTreeSet, sync::Arc};

fn alert(json: &str) -> (Arc<Resource>, LogRecord) {
    let mapped = FalcoMapper::new(&Default::default()).map_line(&Arc::from(json), 1).expect("an alert");
    (mapped.resource, mapped.record)
}

fn example() -> (Arc<Resource>, LogRecord) {
    alert(
        r#"{"time":"2026-01-02T03:04:05.123456789Z","rule":"Shell","priority":"Warning","source":"syscall","hostname":"node1",
        "output":"A shell","tags":["container","T1059","mitre_execution"],"output_fields":{"proc.name":"bash","proc.pid":4711,
        "proc.exepath":"/bin/bash","proc.aname[2]":"sshd","proc.aname[3]":"systemd","proc.tty":34816,"user.uid":0,"user.name":"root","fd.name":"10.1.2.3:40000->10.9.9.9:22",
        "fd.sip":"10.9.9.9","fd.sport":22,"evt.type":"execve","evt.arg.path":"/etc/shadow","k8s.ns.name":"prod",
        "k8s.pod.name":"web-1","k8s.pod.labels":"app:web, team:x","container.id":"3ad7b26ded6d","container.image.repository":"docker.io/nginx",
        "container.image.tag":"1.27","proc.is_exe_upper_layer":true,"proc.pid.ts":1767323045000000000,"ct.user":"eve"}}"#,
    )
}

/// Whether it does, and that it has said what it reads for that.
fn holds(condition: &str, seen: Seen<'_>) -> bool {
    let parsed = Condition::parse(condition).unwrap_or_else(|problems| panic!("{condition}: {problems:?}"));
    let holds = parsed.holds(seen);
    if seen.record.raw.text().is_none() {
        let record = read_of(seen.record, &parsed.reads());
        assert_eq!(parsed.holds(Seen { record: &record, ..seen }), holds, "{condition} of what it reads");
    }
    holds
}

/// Scenario: conditions over one alert, with Falco's names, OpenTelemetry's, and short ones.
/// Guarantee: each holds, and its negation does not.
#[test]
fn every_kind_of_name_is_understood() {
    let (resource, record) = example();
    let seen = Seen { resource: &resource, record: &record };
    for condition in [
        "rule = Shell and source = syscall and hostname = node1 and category = Execution and output contains shell",
        "priority >= warning and priority = Warning and priority < error and priority in (notice, warning) and priority != info",
        "falco.priority >= notice and severity_number = 13 and severity_text = Warning and event_name = falco.alert",
        "tags intersects (T1059) and not tags in (T1059) and len(tags) = 3",
        "proc.name = bash and falco.proc.name = bash and process.executable.name = bash and proc.exepath endswith /bash",
        "proc.pid = 4711 and process.pid = 4711 and process.pid > 4000 and proc.tty != 0 and user.uid = 0 and user.id = 0",
        "proc.aname = systemd and proc.aname[2] = sshd and proc.aname[3] = systemd and not proc.aname[4] exists",
        "fd.sip = 10.9.9.9 and fd.sport = 22 and server.port <= 22 and server.address startswith 10. and fd.name contains ->",
        "evt.type = execve and evt.arg.path = /etc/shadow and evt.arg[path] startswith /etc and file.path = /etc/shadow",
        "k8s.ns.name = prod and k8s.namespace.name = prod and k8s.pod.name = web-1 and k8s.pod.label.app = web",
        "k8s.pod.label[team] = x and k8s.pod.label.team in (x, y) and resource[k8s.pod.label.team] = x",
        "container.id = 3ad7b26ded6d and container.image.repository = docker.io/nginx and container.image.tag = 1.27",
        "container.image.name icontains NGINX and container.image.tags = 1.27 and proc.is_exe_upper_layer = true",
        "proc.pid.ts = 1767323045000000000 and evt.rawtime = 1767323045123456789 and evt.time startswith 2026-01-02T03:04:05.123",
        "ct.user = eve and attr[falco.output_fields.ct.user] = eve and threat.technique.id = T1059",
        "fd.snet exists and server.address in (1.1.1.1, 10.9.9.9)",
        "fd.snet in (10.0.0.0/8) and fd.snet = 10.9.0.0/16 and not fd.snet in (192.168.0.0/16) and not fd.cnet exists",
        "not container.privileged exists and not k8s.node.uid exists and not my.own.attribute exists",
    ] {
        assert!(holds(condition, seen), "{condition}");
        assert!(!holds(&format!("not ({condition})"), seen), "not {condition}");
    }
}

/// Scenario: every output field of the sample alerts, mapped and read again under Falco's name.
/// Guarantee: it is what Falco wrote, as Falco shows it; only those differ that the mapping changes on purpose.
#[test]
fn falco_fields_are_read_back() {
    let Some(lines) = data::lines("dev/falco_alerts.jsonl") else { return };
    let (mut fields, mut different) = (0, BTreeSet::new());
    for line in lines {
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        if json["source"] == "internal" || json["rule"].as_str().is_some_and(|rule| rule.starts_with("Falco internal"))
        {
            continue;
        }
        let (resource, record) = alert(&line);
        let seen = Seen { resource: &resource, record: &record };
        for (name, value) in json["output_fields"].as_object().into_iter().flatten() {
            let expected = match value {
                serde_json::Value::String(text) if text.is_empty() || text == "<NA>" => continue,
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(items) => {
                    let items: Vec<String> =
                        items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
                    format!("({})", items.join(","))
                }
                other => other.to_string(),
            };
            let Ok(field) = Field::parse(name) else {
                different.insert(format!("{name}: no field"));
                continue;
            };
            fields += 1;
            let read = read_of(&record, &field.reads());
            assert_eq!(field.text(Seen { record: &read, ..seen }), field.text(seen), "{name} of what it reads");
            if field.text(seen).as_ref() != Some(&expected) {
                different.insert(format!("{name}: {expected:?} became {:?}", field.text(seen)));
            }
        }
    }
    assert!(fields > 250, "{fields}");
    let surprising: Vec<&String> =
        different.iter().filter(|difference| !CHANGED.iter().any(|name| difference.starts_with(name))).collect();
    assert!(surprising.is_empty(), "{surprising:#?}");
}

/// What the mapping changes: times are the record's, `host` is no container, -1 is
/// nobody; two names end with a blank and are written `attr["falco.output_fields.gcp.userAgent "]`.
const CHANGED: &[&str] = &[
    "evt.time",
    "container.id: \"host\"",
    "container.name: \"host\"",
    "user.loginuid: \"-1\"",
    "gcp.authorizationInfo ",
    "gcp.userAgent ",
];

/// Scenario: the audit fields that the mapping carries, over the sample events with their JSON and without.
/// Guarantee: both say the same; a field that only the JSON has is missing without it.
#[test]
fn audit_fields_do_not_need_the_json() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let mapper = AuditMapper::new(&AuditOptions::default()).unwrap();
    let origin = mapper.origin(None);
    let names = [
        "ka.auditid",
        "ka.stage",
        "ka.verb",
        "ka.uri",
        "ka.useragent",
        "ka.user.name",
        "ka.user.groups",
        "ka.impuser.name",
        "ka.target.resource",
        "ka.target.name",
        "ka.target.namespace",
        "ka.target.subresource",
        "ka.response.code",
        "ka.auth.decision",
        "ka.sourceips",
    ];
    let fields: Vec<Field> = names.iter().map(|name| Field::parse(name).unwrap()).collect();
    let image = Field::parse("ka.req.pod.containers.image").unwrap();
    let (mut found, mut images) = (0, 0);
    for line in lines {
        let text: Arc<str> = line.into();
        let record = mapper.map(&origin, Item { text: &text, removed: None }, 1).record;
        let bare = LogRecord { raw: Default::default(), ..record.clone() };
        let (whole, bare) = (
            Seen { resource: origin.resource(), record: &record },
            Seen { resource: origin.resource(), record: &bare },
        );
        for field in &fields {
            assert_eq!(field.text(whole), field.text(bare), "{} of {text}", field.name());
            found += usize::from(field.text(whole).is_some());
        }
        images += usize::from(image.text(whole).is_some());
        assert_eq!(image.text(bare), None);
    }
    assert!(found > 1000 && images > 0, "{found} {images}");
}

/// Scenario: mistakes that users make.
/// Guarantee: each is an error that says where, and what to write instead.
#[test]
fn mistakes_are_explained() {
    for (condition, expected) in [
        (
            "proc.nmae = bash",
            "there is no field `proc.nmae` (column 1); did you mean `proc.name`? An attribute is `attr[proc.nmae]`.",
        ),
        ("rule = x and prioriti >= warning", "there is no field `prioriti` (column 14); did you mean `priority`?"),
        (
            "priority >= wanring",
            "`wanring` is no priority (column 13); write one of emergency, alert, critical, error, warning, notice, informational, debug",
        ),
        (
            "k8s.namespace.nmae = x",
            "there is no field `k8s.namespace.nmae` (column 1); did you mean `k8s.namespace.name`? An attribute is `attr[k8s.namespace.nmae]`.",
        ),
        (
            "container.id = host",
            "events of the host have no container fields (column 16); write `container.id exists`, or `not` before it",
        ),
        (
            "tags = x",
            "`=` compares one value, and the field has many (column 1); use `in` (all of them) or `intersects` (any)",
        ),
        (
            "rule",
            "expected a valid check operator: exists, =, ==, !=, <, <=, >, >=, contains, icontains, bcontains, startswith, bstartswith, endswith, glob, iglob, regex, in, intersects or pmatch (column 5)",
        ),
        ("", "the condition is empty (column 1); write for example `ka.verb = create`"),
        ("rule regex '('", "not a regular expression: unclosed group (column 12)"),
    ] {
        let problems = Condition::parse(condition).unwrap_err();
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{condition}");
    }
    assert_eq!(Condition::parse("proc.x = 1 and fd.y = 2 and proc.pid = many").unwrap_err().len(), 3);
    assert!(
        Field::parse("rule = x").is_err() && Field::parse("rule or").is_err() && Template::parse("%proc.nmae").is_err()
    );
}

/// Scenario: templates over an alert: complete, with a missing value, lenient; fields with values of each type.
/// Guarantee: they read as Falco's outputs do, and fields keep their types.
#[test]
fn templates_and_fields() {
    let (resource, record) = example();
    let seen = Seen { resource: &resource, record: &record };
    let render = |text: &str| {
        let (template, mut out, mut again) = (Template::parse(text).unwrap(), String::new(), String::new());
        let rendered = template.render(seen, &mut out);
        let read = read_of(&record, &template.reads());
        assert_eq!(template.render(Seen { record: &read, ..seen }, &mut again), rendered);
        assert_eq!(again, out, "{text} of what it reads");
        (rendered == Rendered::Complete).then_some(out)
    };
    assert_eq!(
        render("%rule by %user.name in %k8s.pod.name: %proc.aname").unwrap(),
        "Shell by root in web-1: (sshd,systemd)"
    );
    assert_eq!(render("%proc.cwd"), None);
    assert_eq!(render("*%proc.cwd %attr[nothing]").unwrap(), "<NA> <NA>");
    let value = |name: &str| Field::parse(name).unwrap().to_owned(seen);
    assert_eq!(value("proc.pid"), Some(Value::Int(4711)));
    assert_eq!(value("toupper(proc.name)"), Some(Value::text("BASH")));
    assert_eq!(value("container.image.tags"), Some(Value::text("1.27")));
    assert_eq!(value("proc.cwd"), None);
    let fields = FieldList::parse(["rule", "proc.cwd", "fd.sport"]).unwrap();
    fields.with(seen, |values| {
        let shown: Vec<String> = values.map(|value| value.to_string()).collect();
        assert_eq!(shown, ["Shell", "<NA>", "22"]);
    });
    assert_eq!(FieldList::parse(["rule", "prioriti"]).unwrap_err()[0].0, 1);
}

/// Scenario: a condition asked inside another one's evaluation, and of records that share nothing.
/// Guarantee: the memory of the thread is not mixed up.
#[test]
fn evaluations_nest() {
    let (resource, record) = example();
    let seen = Seen { resource: &resource, record: &record };
    let other = log().build();
    let other = Seen { resource: &resource, record: &other };
    let inner = Condition::parse("proc.name = bash and rule exists").unwrap();
    Field::parse("evt.time").unwrap().with(seen, |value| {
        assert!(inner.holds(seen) && !inner.holds(other));
        assert_eq!(value.to_string(), "2026-01-02T03:04:05.123456789Z");
    });
}
