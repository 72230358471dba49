use super::Routing;
use lanner_engine::{
    config::Level,
    event::OtlpRequest,
    prelude::*,
    semantics::FalcoMapper,
    testing::{Routed, RouterTest, log},
};
use std::{collections::BTreeMap, sync::Arc};

#[path = "../../tests/support/data.rs"]
mod data;

/// An alert of a rule with a priority.
fn alert(rule: &str, priority: Priority) -> LogRecord {
    let alert = log().event_name("falco.alert").priority(priority).attr("falco.priority", priority.lower());
    alert.attr("security_rule.name", rule.to_owned()).build()
}

/// The rules that each pipeline got, in order, and how many records went nowhere.
fn rules(routed: &Routed) -> (BTreeMap<&str, Vec<String>>, usize) {
    let rule = Key::intern("security_rule.name");
    let name = |record: &LogRecord| record.attrs.get_str(&rule).unwrap_or("(none)").to_owned();
    let of = |batch: &Batch| batch.records().map(name).collect();
    (routed.batches.iter().map(|(id, batch)| (id.as_str(), of(batch))).collect(), routed.unrouted)
}

/// Scenario: a table in which rows overlap, with `move` and `copy` and pipelines named twice, over alerts of all kinds
/// and a plain line.
/// Guarantee: the first row that moves ends the walk, those that copy do not; each pipeline gets a record once, in order.
#[test]
fn rows_are_asked_in_order() {
    let table = "
table:
  - {condition: rule startswith Shell, pipelines: [logs/shells, logs/all], action: copy}
  - {condition: priority >= error, pipelines: [logs/urgent]}
  - {condition: rule contains bash, pipelines: [logs/shells, logs/shells]}
default_pipelines: [logs/all]
";
    let records = [
        alert("Shell in bash", Priority::Critical),
        alert("Mount", Priority::Error),
        alert("Shell", Priority::Notice),
        log().body("no alert").build(),
        alert("A bash", Priority::Warning),
        alert("Quiet", Priority::Debug),
    ];
    let routed = RouterTest::of::<Routing>(table).run(records.clone());
    let (by_pipeline, unrouted) = rules(&routed);
    assert_eq!(by_pipeline["logs/shells"], ["Shell in bash", "Shell", "A bash"]);
    assert_eq!(by_pipeline["logs/urgent"], ["Shell in bash", "Mount"]);
    assert_eq!(by_pipeline["logs/all"], ["Shell in bash", "Shell", "(none)", "Quiet"]);
    assert_eq!(unrouted, 0);
    let strict = table.replace("default_pipelines: [logs/all]", "");
    let routed = RouterTest::of::<Routing>(&strict).run(records);
    let (by_pipeline, unrouted) = rules(&routed);
    assert_eq!(by_pipeline["logs/all"], ["Shell in bash", "Shell"], "what was copied is delivered");
    assert_eq!(unrouted, 2, "the plain line and the quiet one");
}

/// Scenario: untouched OTLP of every signal meets a connector that has only defaults; metrics meet one with a table.
/// Guarantee: it goes to the defaults of its signal, byte for byte, decoded by nobody.
#[test]
fn what_no_condition_looks_at_goes_to_the_defaults() {
    let test = RouterTest::of::<Routing>("default_pipelines: [logs/a, metrics/a, logs/b, traces/a]");
    for (signal, pipelines) in [
        (Signal::Logs, vec!["logs/a", "logs/b"]),
        (Signal::Metrics, vec!["metrics/a"]),
        (Signal::Traces, vec!["traces/a"]),
    ] {
        let request = OtlpRequest { signal, bytes: b"whatever".as_slice().into(), items: 3 };
        let routed = test.run_batch(Batch::otlp(request.clone()));
        assert_eq!(routed.batches.keys().collect::<Vec<_>>(), pipelines);
        assert!(routed.batches.values().all(|batch| batch.as_otlp() == Some(&request)));
        assert_eq!(routed.unrouted, 0);
    }
    let test = RouterTest::of::<Routing>(
        "table: [{condition: rule exists, pipelines: [logs/a]}]\ndefault_pipelines: [metrics/a]",
    );
    let metrics = OtlpRequest { signal: Signal::Metrics, bytes: b"whatever".as_slice().into(), items: 3 };
    assert_eq!(test.run_batch(Batch::otlp(metrics)).batches.keys().collect::<Vec<_>>(), ["metrics/a"]);
    let routed = test.run([alert("Shell", Priority::Notice), log().build()]);
    assert_eq!((routed.records("logs/a").len(), routed.unrouted), (1, 1), "no log record goes to a metrics pipeline");
}

/// Scenario: the real alerts of the sample, by namespace of their resource and by priority.
/// Guarantee: every alert goes to exactly one pipeline, and to the one that its own fields say.
#[test]
fn real_alerts_are_parted_by_what_they_say() {
    let Some(lines) = data::lines("dev/falco_alerts.jsonl") else { return };
    let table = "
table:
  - {condition: k8s.ns.name exists and k8s.ns.name != '', pipelines: [logs/cluster]}
  - {condition: priority >= warning, pipelines: [logs/loud]}
default_pipelines: [logs/quiet]
";
    let mapper = FalcoMapper::new(&Default::default());
    let (mut logs, mut wanted) = (Logs::default(), BTreeMap::<&str, usize>::new());
    for line in &lines {
        let Some(mapped) = mapper.map_line(&Arc::from(line.as_str()), 1) else { continue };
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let namespace =
            json["output_fields"]["k8s.ns.name"].as_str().is_some_and(|name| !name.is_empty() && name != "<NA>");
        let priority = json["priority"].as_str().and_then(Priority::parse).unwrap();
        let pipeline = match (namespace, priority >= Priority::Warning) {
            (true, _) => "logs/cluster",
            (false, true) => "logs/loud",
            (false, false) => "logs/quiet",
        };
        *wanted.entry(pipeline).or_default() += 1;
        logs.push(mapped.resource, Arc::default(), mapped.record);
    }
    assert_eq!(wanted.len(), 3, "the sample has all kinds: {wanted:?}");
    let routed = RouterTest::of::<Routing>(table).run_batch(Batch::logs(logs));
    let got: BTreeMap<&str, usize> = routed.batches.iter().map(|(id, batch)| (id.as_str(), batch.len())).collect();
    assert_eq!(got, wanted);
}

/// Scenario: a table with a mistake of every kind, keys of the Collector's connector among them; nothing at all.
/// Guarantee: each is an error at its place that says what to write instead.
#[test]
fn mistakes_are_found_before_start() {
    let yaml = "
error_mode: ignore
match_once: false
table:
  - {condition: priority >= wrning, pipelines: [logs/a]}
  - {condition: rule = x, pipelines: []}
  - {condition: rule = x, pipelines: [logs/a, traces/a]}
  - {statement: route() where true, context: log, condition: rule = x, pipelines: [logs/a]}
  - {pipelines: [logs/a]}
  - {condition: 'attributes[\"env\"] == \"prod\"', pipelines: [log/a]}
  - {condition: severity_number < ERROR, pipelines: [logs/a]}
";
    let findings = RouterTest::findings::<Routing>(yaml);
    let said: Vec<_> = findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.level, Level::Error, "{finding:?}");
            (finding.path.as_str(), finding.message.as_str(), finding.help.as_deref().unwrap_or_default())
        })
        .collect();
    for (path, message, help) in [
        ("error_mode", "cannot fail", "remove the key"),
        ("match_once", "not offered", "`action: copy`"),
        ("table[0]::condition", "wrning", ""),
        ("table[1]::pipelines", "names no pipeline", "filter"),
        ("table[2]::pipelines[1]", "`traces/a` takes traces", "default_pipelines"),
        ("table[3]::statement", "no OTTL", "`condition`"),
        ("table[3]::context", "not offered", "remove the key"),
        ("table[4]::condition", "needs the key `condition`", "priority >= error"),
        ("table[5]::condition", "attributes", ""),
        ("table[5]::pipelines[0]", "unknown pipeline signal", "logs"),
        ("table[6]::condition", "`ERROR`", ""),
    ] {
        let found = said.iter().any(|(at, text, remedy)| {
            *at == format!("connectors::routing::{path}") && text.contains(message) && remedy.contains(help)
        });
        assert!(found, "{path}: {message}; {help}\nin {said:#?}");
    }
    let findings = RouterTest::findings::<Routing>("{}");
    assert!(findings[0].message.contains("no pipeline is named"), "{findings:?}");
}
