//! Scenarios of `falco_rules`. What an alert becomes is told by the mapper that `falco_http` uses.

mod builtin;
mod official;
mod reload;
mod rig;
mod second_level;

use super::FalcoRules;
use crate::testing::OBSERVED;
use lanner_engine::{
    event::{LogGroup, SeverityNumber},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, is_alert, is_audit},
    testing::{TransformTest, log},
};
use rig::{get, hopped, record, resource, rules_of, with_rules};

const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseStarted","requestURI":"/api/v1/namespaces/web/pods/shop-1/exec?command=sh&container=app","verb":"create","user":{"username":"jane","groups":["dev","system:authenticated"]},"sourceIPs":["203.0.113.9"],"objectRef":{"resource":"pods","subresource":"exec","namespace":"web","name":"shop-1"},"responseStatus":{"code":101},"requestReceivedTimestamp":"2025-06-01T00:00:00.000001Z","stageTimestamp":"2025-06-01T00:00:00.250001Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

const CONFIG_MAP: &str = r#"{"kind":"Event","level":"Request","auditID":"c-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/configmaps","verb":"create","user":{"username":"jane"},"objectRef":{"resource":"configmaps","namespace":"web","name":"settings"},"responseStatus":{"code":201},"requestObject":{"kind":"ConfigMap","metadata":{"name":"settings"},"data":{"password":"hunter2"}},"stageTimestamp":"2025-06-01T00:00:00Z"}"#;

const RULES: &str = r#"
- rule: Exec
  desc: Somebody runs a command in a pod.
  condition: ka.verb = create and ka.target.subresource = exec
  output: "exec (user=%ka.user.name pod=%ka.target.name ns=%ka.target.namespace groups=%ka.user.groups command=%ka.uri.param[command] code=%ka.response.code missing=%ka.impuser.name)"
  priority: WARNING
  source: k8s_audit
  tags: [k8s, mitre_execution, T1609, PCI_DSS_10.2.5]

- rule: Any
  desc: Anything.
  condition: ka.auditid exists
  output: any
  priority: DEBUG
  source: k8s_audit

- rule: Attach to cluster-admin Role
  desc: A rule that Falco ships without tags.
  condition: ka.verb = patch
  output: attached
  priority: CRITICAL
  source: k8s_audit
"#;

/// Scenario: an event that matches, and the alert that Falco with its audit plugin sends for it.
/// Guarantee: the record is the one that `falco_http` makes of Falco's alert, but for the id and what is documented to be
/// added; resource and trace are the event's.
#[tokio::test]
async fn an_alert_is_what_falcos_own_alert_becomes() {
    let falco = r#"{"hostname":"","output":"exec (user=jane pod=shop-1 ns=web groups=(dev,system:authenticated) command=sh code=101 missing=<NA>)","output_fields":{"ka.impuser.name":null,"ka.response.code":"101","ka.target.name":"shop-1","ka.target.namespace":"web","ka.uri.param[command]":"sh","ka.user.groups":["dev","system:authenticated"],"ka.user.name":"jane"},"priority":"Warning","rule":"Exec","source":"k8s_audit","tags":["PCI_DSS_10.2.5","T1609","k8s","mitre_execution"],"time":"2025-06-01T00:00:00.250001000Z"}"#;
    let mut expected =
        FalcoMapper::new(&MappingOptions::default()).map_line(&falco.into(), OBSERVED).expect("an alert").record;
    let mut event = record(EXEC);
    event.trace_id = [7; 16];
    let group = LogGroup { resource: resource(), records: vec![event], ..LogGroup::default() };
    let test = with_rules("equal", RULES, "").await;
    let out = test.run_batch(Batch::logs(Logs { groups: vec![group] }));
    let [alert] = &out.records()[..] else { panic!("{out:?}") };
    let logs = out.batches()[0].as_logs().expect("decoded");
    assert_eq!((&logs.groups[0].resource, &*logs.groups[0].scope.name), (&resource(), "lanner.processor.rules"));
    assert_eq!((out.created(), out.discarded()), (0, vec![]));

    let uid = get(&record(EXEC), "log.record.uid");
    assert_eq!(get(alert, "lanner.matched.uid"), uid);
    assert_eq!(get(alert, "k8s.audit.event.id").as_deref(), Some(r#""a-1""#));
    assert_eq!(get(alert, "security_rule.description").as_deref(), Some(r#""Somebody runs a command in a pod.""#));
    assert_ne!(get(alert, "log.record.uid"), uid);
    expected.trace_id = [7; 16];
    let added = ["log.record.uid", "lanner.matched.uid", "k8s.audit.event.id", "security_rule.description"];
    let without = |mut record: LogRecord| {
        record.attrs.retain(|key, _| !added.contains(&key.as_str()));
        record
    };
    assert!(is_alert(alert) && !is_audit(alert));
    assert_eq!(without(alert.clone()), without(expected));
}

/// Scenario: the same event judged twice, an event that differs in its id only, the same event under two rules.
/// Guarantee: the first two alerts have one id, the others have ids of their own.
#[tokio::test]
async fn ids_follow_from_event_and_rule() {
    let test = with_rules("ids", RULES, "rule_matching: all").await;
    let ids = |event: &str| -> Vec<_> {
        test.run([record(event)]).records().iter().map(|alert| get(alert, "log.record.uid")).collect()
    };
    let (once, again, other) = (ids(EXEC), ids(EXEC), ids(&EXEC.replace("a-1", "a-2")));
    assert_eq!(once, again);
    assert_eq!((once.len(), other.len()), (2, 2));
    let mut all = [once, other].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4);
}

/// Scenario: a matching event, one that matches nothing, an alert and a plain line, under each of the switches.
/// Guarantee: `first` makes one alert, `all` one for each rule; kept events carry the rule's severity; what is left out is
/// counted, and what comes out is what came in, plus what was created, less what was discarded. The others pass as they are.
#[tokio::test]
async fn switches_decide_what_goes_on() {
    let rules = RULES.replace("ka.auditid exists", "ka.verb = create");
    let get_event = EXEC.replace(r#""verb":"create""#, r#""verb":"get""#);
    let alert = log().event_name("falco.alert").attr("security_rule.name", "Shell").attr("falco.source", "syscall");
    let records = [record(EXEC), record(&get_event), alert.clone().build(), log().body("a line").build()];
    for (keys, alerts, kept, discarded) in [
        ("", &["Exec"][..], 0, 1),
        ("rule_matching: all", &["Exec", "Any"], 0, 1),
        ("keep_matched: true", &["Exec"], 1, 1),
        ("keep_unmatched: true", &["Exec"], 1, 0),
        ("{rule_matching: all, keep_matched: true, keep_unmatched: true}", &["Exec", "Any"], 2, 0),
    ] {
        let keys = keys.trim_matches(['{', '}']).replace(", ", "\n");
        let test = with_rules("switches", &rules, &keys).await;
        let out = test.run(records.clone());
        let records_out = out.records();
        assert_eq!(rules_of(&out), [alerts, &["Shell"]].concat(), "{keys}");
        let audit: Vec<_> = records_out.iter().filter(|record| is_audit(record)).collect();
        assert_eq!(audit.len(), kept, "{keys}");
        if keys.contains("keep_matched") {
            assert_eq!(audit[0].severity_number, Priority::Warning.severity_number());
            assert_eq!(audit[0].attrs, record(EXEC).attrs);
        }
        let expected = if discarded == 0 { vec![] } else { vec![("no_rule_matched", discarded)] };
        assert_eq!(out.discarded(), expected, "{keys}");
        assert_eq!(records_out.len(), records.len() + out.created() - discarded, "{keys}");
        assert!(records_out.contains(&alert.clone().build()) && records_out.contains(&records[3]), "{keys}");
    }
}

/// Scenario: a batch without audit events that another branch of the graph shares.
/// Guarantee: it goes on as it is, without a copy.
#[tokio::test]
async fn other_batches_are_not_touched() {
    let test = with_rules("shared", RULES, "").await;
    let batch =
        Batch::logs(Logs { groups: vec![LogGroup { records: vec![log().body("x").build()], ..LogGroup::default() }] });
    let before: *const Logs = batch.as_logs().expect("decoded");
    let out = test.run_batch(batch.clone());
    let after: *const Logs = out.batches()[0].as_logs().expect("decoded");
    assert!(std::ptr::eq(before, after));
}

/// Scenario: an event with its text, one that carries its JSON, one of which a hop left the attributes, one whose copy of
/// the JSON was cut.
/// Guarantee: all are judged the same; the last two are counted.
#[tokio::test]
async fn the_best_form_of_an_event_is_judged() {
    let test = with_rules("forms", RULES, "").await;
    let carrying = |text: &str| {
        let mut record = hopped(EXEC);
        record.attrs.set("log.record.original", text);
        record
    };
    let expected = test.run([record(EXEC)]).records();
    for (form, degraded) in
        [(record(EXEC), 0), (carrying(EXEC), 0), (hopped(EXEC), 1), (carrying(&EXEC[..EXEC.len() - 20]), 1)]
    {
        let out = test.run([form]);
        assert_eq!(out.records(), expected);
        let expected = if degraded == 0 { vec![] } else { vec![("attributes_only", degraded)] };
        assert_eq!(out.degraded(), expected);
    }
}

const PAYLOAD_RULES: &str = r#"
- rule: Password
  desc: A password in a ConfigMap
  condition: ka.req.configmap.obj contains hunter2 and jevt.value[/requestObject/data/password] = hunter2
  output: "%ka.req.configmap.obj|%jevt.value[/requestObject/data/password]|%toupper(jevt.value[/requestObject/data])|%jevt.obj|%evt.plugininfo|%ka.target.name|%jevt.value[/verb]"
  priority: ERROR
  source: k8s_audit
"#;

/// Scenario: a rule that looks for a password in a ConfigMap and shows it in every way there is.
/// Guarantee: it matches; nothing of the alert shows the value, but names of keys and all other fields are there. With
/// `mask_payloads: false` the value is shown, but where its neighbourhood says that it is a secret.
#[tokio::test]
async fn payloads_are_judged_and_not_shown() {
    let masked = with_rules("masked", PAYLOAD_RULES, "").await.run([record(CONFIG_MAP)]);
    let [alert] = &masked.records()[..] else { panic!("{masked:?}") };
    let said = format!("{alert:?}").to_lowercase();
    assert!(!said.contains("hunter2"), "{said}");
    let body = alert.body.as_str().expect("text");
    assert!(body.starts_with(r#"{"password":"[REDACTED]"}|[REDACTED]|"#), "{body}");
    assert!(body.ends_with("|settings|create"), "{body}");
    let shown = with_rules("shown", PAYLOAD_RULES, "mask_payloads: false").await.run([record(CONFIG_MAP)]);
    let [alert] = &shown.records()[..] else { panic!("{shown:?}") };
    let body = alert.body.as_str().expect("text");
    assert!(body.contains("|hunter2|") && body.contains(r#"{"password":"[REDACTED]"}"#), "{body}");
}

/// Scenario: a ConfigMap nested deeper than any parser goes, with a password at its top.
/// Guarantee: the rule matches, and nothing of the objects is shown.
#[tokio::test]
async fn what_cannot_be_masked_is_not_shown() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let event = CONFIG_MAP.replace(r#""metadata":{"name":"settings"}"#, &format!(r#""deep":{deep}"#));
    let rules = PAYLOAD_RULES.replace("|%evt.plugininfo", "");
    let out = with_rules("deep", &rules, "").await.run([record(&event)]);
    let [alert] = &out.records()[..] else { panic!("{out:?}") };
    assert!(!format!("{alert:?}").to_lowercase().contains("hunter2"));
    assert_eq!(alert.body.as_str(), Some("[REDACTED]|[REDACTED]|[REDACTED]|[REDACTED]|settings|[REDACTED]"));
}

/// Scenario: rules that are switched by name and by tag, a least priority, text that is appended.
/// Guarantee: only what is on matches; steps are taken in order; the text stands behind the output of the rules that fit.
#[tokio::test]
async fn rules_are_switched_and_extended() {
    let on = |out: lanner_engine::testing::Transformed| rules_of(&out);
    let off = with_rules("off", RULES, "rules: [{disable: {rule: 'Ex*'}}]").await;
    assert_eq!(on(off.run([record(EXEC)])), ["Any"]);
    let tag = with_rules("tag", RULES, "rules: [{disable: {rule: '*'}}, {enable: {tag: T1609}}]").await;
    assert_eq!(on(tag.run([record(EXEC)])), ["Exec"]);
    assert_eq!(on(tag.run([record(CONFIG_MAP)])), [""; 0]);
    let least = with_rules("least", RULES, "min_priority: critical").await;
    assert_eq!(on(least.run([record(EXEC)])), [""; 0]);
    let keys = "append_output: [{match: {tags: [T1609]}, extra_output: 'verb=%ka.verb'}]";
    let out = with_rules("append", RULES, keys).await.run([record(EXEC), record(CONFIG_MAP)]);
    let bodies: Vec<_> = out.records().iter().filter_map(|alert| alert.body.as_str().map(str::to_owned)).collect();
    assert!(bodies[0].ends_with(") verb=create"), "{bodies:?}");
    assert_eq!(bodies[1], "any");
}

/// Scenario: a rule that Falco ships without tags.
/// Guarantee: its alert has the tactic and technique of the overlay, marked as such, and its severity.
#[tokio::test]
async fn stock_rules_get_the_overlay() {
    let event = EXEC.replace(r#""verb":"create""#, r#""verb":"patch""#);
    let out = with_rules("overlay", &RULES.replace("ka.auditid exists", "ka.verb = x"), "").await.run([record(&event)]);
    let [alert] = &out.records()[..] else { panic!("{out:?}") };
    assert_eq!(alert.severity_number, SeverityNumber(18));
    assert_eq!(get(alert, "lanner.threat.origin").as_deref(), Some(r#""overlay""#));
    assert_eq!(get(alert, "threat.technique.subtechnique.id").as_deref(), Some(r#"["T1098.006"]"#));
}

/// Scenario: two files, the second with two mistakes; a file that is not there; a pattern that nothing matches.
/// Guarantee: the processor is not built; the error names every mistake with file, line, column and a remedy.
#[tokio::test]
async fn wrong_files_are_an_error_at_the_start() {
    let folder = rig::Folder::new("wrong");
    folder.write("a.yaml", RULES);
    folder.write("b.yaml", "- rule: X\n  desc: d\n  condition: ka.verbs = create\n  output: '%ka.nothing'\n  priority: INFO\n  source: k8s_audit\n- rule: Y\n  desc: d\n  condition: ka.verb = (\n  output: o\n  priority: INFO\n  source: k8s_audit\n");
    let error = async |yaml: String| {
        TransformTest::built::<FalcoRules>(&yaml, &rig::surroundings()).await.err().expect("an error").to_string()
    };
    let path = folder.path().display();
    let found = error(format!("rules_files: [{path}/*.yaml]")).await;
    for part in ["b.yaml:3:14", "did you mean `ka.verb`?", "b.yaml:9:"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let found = error(format!("rules_files: [{path}/a.yaml, {path}/c.yaml]")).await;
    assert!(found.contains("c.yaml: ") && found.contains("; check the path"), "{found}");
    let found = error(format!("rules_files: ['{path}/*.yml']")).await;
    assert!(found.contains("no rule file is there; check"), "{found}");
}

/// Scenario: every kind of mistake in the configuration.
/// Guarantee: each is found before anything is built, with a remedy.
#[test]
fn mistakes_are_found_before_start() {
    for (yaml, part) in [
        ("{}", "there are no rules"),
        ("rules_files: ['']", "the path is empty"),
        ("rules_files: ['/etc/*/a.yaml']", "wildcards in a folder's name"),
        ("rules_files: ['/etc/[a.yaml']", "is no pattern"),
        ("builtin: [k8s_audit, k8s_audit]", "stands here twice"),
        ("builtin: [k8s_audit]\nrules: [{}]", "one of `enable` and `disable`"),
        ("builtin: [k8s_audit]\nrules: [{enable: {}}]", "one of `rule` and `tag`"),
        ("builtin: [k8s_audit]\nappend_output: [{match: {source: k8s_audit}}]", "nothing to append"),
        ("builtin: [k8s_audit]\nreload_interval: 1ms", "`reload_interval` is 1ms"),
    ] {
        let findings = rig::findings(yaml);
        assert!(
            findings.iter().any(|finding| finding.message.contains(part) && finding.help.is_some()),
            "{yaml}: {findings:?}"
        );
    }
    assert!(rig::findings("builtin: [k8s_audit]\nreload_interval: 0").is_empty());
}

/// Scenario: an event whose user agent is as long as a request, shown by a rule twice; a rule whose name no alert can have.
/// Guarantee: output and field are cut at a character; what the second matches goes on as it is.
#[tokio::test]
async fn outputs_are_bounded() {
    let rules = r#"
- rule: Agent
  desc: d
  condition: ka.verb = create
  output: "%ka.useragent %ka.useragent"
  priority: INFO
  source: k8s_audit
- rule: <NA>
  desc: d
  condition: ka.verb = get
  output: o
  priority: INFO
  source: k8s_audit
"#;
    let test = with_rules("bounded", rules, "").await;
    let agent = format!("x{}", "ü".repeat(100_000));
    let event = EXEC.replace(r#""verb":"create""#, &format!(r#""verb":"create","userAgent":"{agent}""#));
    let out = test.run([record(&event)]);
    let [alert] = &out.records()[..] else { panic!("{} records", out.records().len()) };
    assert_eq!(alert.body.as_str().map(str::len), Some(65535));
    let field = alert.attrs.get_str(&Key::intern("user_agent.original")).expect("the agent");
    assert_eq!(field, &agent[..4095]);
    let event = record(&EXEC.replace(r#""verb":"create""#, r#""verb":"get""#));
    assert_eq!(test.run([event.clone()]).records(), [event]);
}
