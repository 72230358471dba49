//! Scenarios of judgement.

mod data_driven;

use super::Categorize;
use lanner_engine::{
    component::{BuildCx, Kind},
    event::LogGroup,
    prelude::*,
    telemetry::{Health, Telemetry},
    testing::{TransformTest, log},
};
use std::sync::Arc;

/// The built processor.
pub(super) async fn built(yaml: &str) -> TransformTest {
    let transform = try_built(yaml).await.expect("builds");
    TransformTest::new(transform)
}

async fn try_built(yaml: &str) -> Result<Arc<dyn Transform>, BoxError> {
    let id = "categorize".parse().expect("an id");
    let cx = BuildCx::new(Kind::Processor, id, Telemetry::default(), Health::default());
    let built = TransformTest::built::<Categorize>(yaml, &cx).await?;
    Ok(built)
}

fn alert(rule: &str, tags: &[&'static str]) -> LogRecord {
    let mut record = log()
        .event_name("falco.alert")
        .priority(Priority::Warning)
        .body("A shell was spawned (user=eve db=shop)")
        .attr("security_rule.name", rule)
        .attr("falco.priority", "warning")
        .attr("falco.source", "syscall")
        .build();
    if !tags.is_empty() {
        record.attrs.set("falco.tags", tags.iter().map(|tag| Text::from_static(tag)).collect::<Value>());
    }
    record
}

fn text<'r>(record: &'r LogRecord, name: &str) -> Option<&'r str> {
    record.attrs.get_str(&Key::intern(name))
}

fn list(record: &LogRecord, name: &str) -> Vec<String> {
    super::texts(&record.attrs, &Key::intern(name)).map(str::to_owned).collect()
}

async fn judge(yaml: &str, record: LogRecord) -> LogRecord {
    let out = built(yaml).await.run([record]);
    assert!(out.discarded().is_empty());
    out.records().pop().expect("the record stays")
}

/// Scenario: an alert that came without the mapping's judgement, only with tags.
/// Guarantee: it gets categories, ATT&CK ids with names and a recommendation.
#[tokio::test]
async fn an_alert_without_judgement_gets_one() {
    let record = judge("{}", alert("r", &["T1059.004", "mitre_execution", "network"])).await;
    assert_eq!(text(&record, "security_rule.category"), Some("Network"));
    assert_eq!(list(&record, "lanner.categories"), ["Network", "Execution"]);
    assert_eq!(list(&record, "threat.tactic.name"), ["Execution"]);
    assert_eq!(list(&record, "threat.technique.id"), ["T1059"]);
    assert_eq!(list(&record, "threat.technique.subtechnique.name"), ["Unix Shell"]);
    assert_eq!(text(&record, "threat.framework"), Some("MITRE ATT&CK"));
    assert_eq!(text(&record, "lanner.recommendation.id"), Some("lanner-1/T1059"));
    assert!(text(&record, "lanner.recommendation").is_some_and(|text| text.contains("isolating the pod")));
    assert_eq!(record.attrs.get(&Key::intern("lanner.compliance.pci_dss")), None, "nobody asked");
}

/// Scenario: audit rules without ids, alerts without tags, with both sets of categories.
/// Guarantee: the overlay is marked; fields decide without tags; the extended set names the control plane.
#[tokio::test]
async fn the_overlay_and_the_fields_decide_where_tags_do_not() {
    let mut audit = alert("Attach/Exec Pod", &["k8s"]);
    audit.attrs.set("falco.source", "k8s_audit");
    let judged = judge("{}", audit.clone()).await;
    assert_eq!(
        (text(&judged, "security_rule.category"), list(&judged, "threat.technique.id")),
        (Some("Execution"), vec!["T1609".into()])
    );
    assert_eq!(text(&judged, "lanner.threat.origin"), Some("overlay"));
    let judged = judge("categories: extended", audit).await;
    assert_eq!(list(&judged, "lanner.categories"), ["ControlPlane", "Execution"]);
    let mut untagged = alert("r", &[]);
    untagged.attrs.set("file.path", "/etc/shadow");
    untagged.attrs.set("server.address", "10.0.0.1");
    let judged = judge("{}", untagged).await;
    assert_eq!(list(&judged, "lanner.categories"), ["Network", "FileSystem"]);
    assert_eq!(text(&judged, "lanner.recommendation.id"), Some("lanner-1/Network"));
}

/// Scenario: severities that a hop took apart: number without word, word without number, text only, nothing known.
/// Guarantee: the parts say the same afterwards; nothing is made up.
#[tokio::test]
async fn parts_of_the_severity_agree() {
    let mut number = alert("r", &[]);
    number.attrs.remove(&Key::intern("falco.priority"));
    number.severity_text = Text::EMPTY;
    let mut word = alert("r", &[]);
    word.severity_number = Default::default();
    let mut only_text = number.clone();
    only_text.severity_number = Default::default();
    only_text.severity_text = "WARNING".into();
    for (record, severity_text) in [(number.clone(), "Warning"), (word, "Warning"), (only_text, "WARNING")] {
        let judged = judge("{}", record).await;
        assert_eq!((judged.severity_number.0, judged.severity_text.as_str()), (13, severity_text));
        assert_eq!(text(&judged, "falco.priority"), Some("warning"));
    }
    number.severity_number = Default::default();
    let judged = judge("{}", number).await;
    assert_eq!((judged.severity_number.0, text(&judged, "falco.priority")), (0, None));
}

/// Scenario: overrides by rule with a wildcard, by tags, by condition; two that fit one alert; one that takes ids away.
/// Guarantee: those that fit count, the last of several; what follows from ids follows from the new ones.
#[tokio::test]
async fn overrides_know_better() {
    let yaml = r#"
compliance: [pci_dss]
overrides:
  - rule: "Terminal shell*"
    set: {priority: critical, techniques: [T1611], tactics: [mitre_privilege_escalation]}
  - tags: [shell, container]
    set: {category: Impact, compliance: {cis_controls: ["4.1"]}}
  - condition: proc.name = bash and priority < critical
    set: {priority: alert, recommendation: {id: runbook-7, text: Call the owner.}}
  - rule: quiet
    set: {tactics: [], techniques: []}
"#;
    let mut shell = alert("Terminal shell in container", &["shell", "container", "T1059", "mitre_execution"]);
    shell.attrs.set("falco.proc.name", "bash");
    let judged = judge(yaml, shell.clone()).await;
    assert_eq!((judged.severity_number.0, judged.severity_text.as_str()), (19, "Alert"));
    assert_eq!(
        (text(&judged, "falco.priority"), text(&judged, "lanner.priority.original")),
        (Some("alert"), Some("warning"))
    );
    assert_eq!(
        (list(&judged, "threat.technique.id"), text(&judged, "lanner.threat.origin")),
        (vec!["T1611".to_owned()], Some("override"))
    );
    assert_eq!(list(&judged, "threat.tactic.id"), ["TA0004"]);
    assert_eq!(list(&judged, "lanner.categories"), ["Impact", "PrivilegeEscalation", "Execution"]);
    assert_eq!(list(&judged, "lanner.compliance.pci_dss"), ["2.2.1", "7.2.2"]);
    assert_eq!(list(&judged, "lanner.compliance.cis_controls"), ["4.1"]);
    assert_eq!(text(&judged, "lanner.recommendation.id"), Some("runbook-7"));
    let judged = judge(yaml, alert("quiet", &["T1059"])).await;
    assert_eq!((text(&judged, "threat.framework"), text(&judged, "security_rule.category")), (None, Some("Other")));
    assert_eq!(judged.severity_number.0, 13);
}

/// Scenario: an alert whose rule has parsers, one whose text does not fit them, one that has the attribute already.
/// Guarantee: named groups become attributes; an attribute that is there stays; what did not fit passes and is counted.
#[tokio::test]
async fn parsers_take_attributes_out_of_the_text() {
    let yaml = r#"
parsers:
  - rule: "Shell*"
    pattern: 'user=(?P<user>\S+) db=(?P<db.namespace>\w+)'
    attributes: {user: user.name}
  - rule: Cmd
    from: proc.cmdline
    pattern: '--app (?P<app>\w+)'
overrides:
  - {condition: 'user.name = eve', set: {priority: critical}}
"#;
    let mut known = alert("Shell", &[]);
    known.attrs.set("user.name", "root");
    let mut other = alert("Shell", &[]);
    other.body = "nothing".into();
    let mut command = alert("Cmd", &[]);
    command.attrs.set("process.command_line", "run --app web");
    let out = built(yaml).await.run([alert("Shell", &[]), known, other, command, alert("unparsed", &[])]);
    let records = out.records();
    let names = records.iter().map(|record| text(record, "user.name").unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(names, ["eve", "root", "-", "-", "-"]);
    assert_eq!(list(&records[0], "lanner.indicators.user"), ["eve"]);
    assert_eq!(
        (text(&records[0], "db.namespace"), text(&records[0], "falco.priority")),
        (Some("shop"), Some("critical"))
    );
    assert_eq!(text(&records[3], "app"), Some("web"));
    assert_eq!(out.degraded(), [("not_parsed", 1)]);
}

/// Scenario: an alert full of values, in a pod; with indicators and without.
/// Guarantee: each list has each value once, the resource's too; empty lists are not written.
#[tokio::test]
async fn indicators_gather_values() {
    let mut record = alert("r", &[]);
    for (name, value) in [
        ("process.executable.path", "/bin/sh"),
        ("user.name", "root"),
        ("falco.user.login_name", "root"),
        ("client.address", "10.0.0.1"),
        ("server.address", "10.0.0.2"),
    ] {
        record.attrs.set(Key::intern(name), value);
    }
    let attrs = [("container.id", "abc"), ("container.image.name", "nginx")];
    let attrs = attrs.into_iter().map(|(name, value)| (Key::intern(name), Value::text(value))).collect();
    let resource = Arc::new(Resource { attrs, ..Resource::default() });
    let group = LogGroup { resource, records: vec![record], ..LogGroup::default() };
    let batch = Batch::logs(Logs { groups: vec![group] });
    let judged = built("{}").await.run_batch(batch.clone()).records().remove(0);
    assert_eq!(list(&judged, "lanner.indicators.process"), ["/bin/sh"]);
    assert_eq!(list(&judged, "lanner.indicators.user"), ["root"]);
    assert_eq!(list(&judged, "lanner.indicators.container"), ["abc", "nginx"]);
    assert_eq!(list(&judged, "lanner.indicators.address"), ["10.0.0.1", "10.0.0.2"]);
    assert!(!judged.attrs.contains(&Key::intern("lanner.indicators.file")));
    let judged = built("indicators: false").await.run_batch(batch).records().remove(0);
    assert!(!judged.attrs.iter().any(|(key, _)| key.as_str().starts_with("lanner.indicators")));
}

/// Scenario: recommendations of the configuration and of a file, without Lanner's, switched off.
/// Guarantee: rule before technique before category, the configuration before the file before Lanner's.
#[tokio::test]
async fn recommendations_can_be_replaced() {
    let folder = std::env::temp_dir().join(format!("lanner-categorize-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("table.yaml");
    std::fs::write(
        &file,
        "entries:\n- {id: f1, technique: T1611, text: file}\n- {id: f2, category: Network, text: file}\n",
    )
    .expect("written");
    let own = format!(
        "file: {}\n  entries:\n  - {{id: r, rule: 'Special*', text: t}}\n  - {{id: t, technique: T1611, text: t}}\n",
        file.display()
    );
    let id = async |config: &str, record: LogRecord| {
        let judged = judge(&format!("recommendations:\n  {config}"), record).await;
        text(&judged, "lanner.recommendation.id").map(str::to_owned)
    };
    let tagged = || alert("r", &["T1611"]);
    assert_eq!(id(&own, alert("Special one", &["T1611"])).await.as_deref(), Some("r"));
    assert_eq!(id(&own, tagged()).await.as_deref(), Some("t"));
    assert_eq!(id(&own, alert("r", &["network"])).await.as_deref(), Some("f2"));
    assert_eq!(id(&own, alert("r", &["T1046"])).await.as_deref(), Some("lanner-1/T1046"));
    assert_eq!(id(&format!("builtin: false\n  {own}"), alert("r", &["T1046"])).await, None);
    assert_eq!(id("enabled: false", tagged()).await, None);
    std::fs::write(&file, "entries:\n- {id: f1, technique: TX, text: file}").expect("written");
    let error = try_built(&format!("recommendations:\n  {own}")).await.err().expect("wrong").to_string();
    assert!(error.contains("table.yaml: entry 1: `TX` is no technique"), "{error}");
    std::fs::remove_dir_all(&folder).expect("removed");
    let error = try_built(&format!("recommendations:\n  {own}")).await.err().expect("gone").to_string();
    assert!(error.contains("table.yaml cannot be read"), "{error}");
}

/// Scenario: audit events, Falco's messages about itself and plain lines.
/// Guarantee: an audit event has a category and indicators, and a recommendation only by an override; the others pass as
/// they are.
#[tokio::test]
async fn other_records() {
    let audit = log()
        .event_name("k8s.audit.event")
        .attr("k8s.user.username", "jane")
        .attr("k8s.audit.event.request.verb", "delete")
        .build();
    let judged = judge("categories: extended", audit.clone()).await;
    assert_eq!(text(&judged, "security_rule.category"), Some("ControlPlane"));
    assert_eq!(list(&judged, "lanner.indicators.user"), ["jane"]);
    assert_eq!(text(&judged, "lanner.recommendation"), None);
    let yaml = "overrides: [{condition: ka.verb = delete, set: {priority: error, recommendation: {id: a, text: b}}}]";
    let judged = judge(yaml, audit).await;
    assert_eq!((judged.severity_number.0, text(&judged, "lanner.recommendation.id")), (17, Some("a")));
    assert_eq!(text(&judged, "falco.priority"), None);
    for other in [log().body("line").build(), log().event_name("falco.internal").attr("falco.tags", "T1059").build()] {
        assert_eq!(judge("categories: extended", other.clone()).await, other);
    }
}

/// Scenario: every kind of mistake.
/// Guarantee: told before start, all in one run, with the remedy.
#[test]
fn mistakes_are_found_before_start() {
    let yaml = r#"
parsers:
  - {rule: a}
  - {rule: a, pattern: 'x'}
  - {rule: a, pattern: '(?P<b>x)', attributes: {c: d}}
  - {rule: a, pattern: '(?P<b>x)', attributes: {b: log.record.uid}}
overrides:
  - {set: {priority: error}}
  - {rule: a}
  - {rule: '[', set: {priority: error}}
  - {rule: a, set: {tactics: [T1059], techniques: [x]}}
  - {condition: 'proc.nam = x', set: {priority: error}}
recommendations:
  entries: [{id: a, text: b}, {id: a, rule: b}, {id: a, category: Exec, text: b}]
"#;
    let findings = lanner_engine::config::plan_body(&Factory::built_transform::<Categorize>(), yaml).findings;
    let said = format!("{findings:?}");
    for part in [
        "there is no `pattern`",
        "has no named group",
        "no group `c`",
        "`log.record.uid` cannot be filled",
        "which records it is for",
        "sets nothing",
        "no name with wildcards",
        "`T1059` is no tactic",
        "`x` is no technique",
        "did you mean",
        "is for one thing",
        "`text` is empty",
        "`Exec` is no category",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
