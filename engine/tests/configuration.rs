//! Whole configurations that are right: layers, references, the plan, and what can be made of a document.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

mod support;

use lanner_engine::{
    component::Kind,
    config::{self, Document, Duration, Inputs, Loaded, Origin, Secret, load, render},
    event::Signal,
    graph::{Format, Plan, draw, plan},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

const GATEWAY: &str = "\
receivers:
  falco_http:
    hold: ${env:HOLD:-2s}
  docker_logs:
    containers:
      - {name: falco, labels: {app: 0123}}
processors:
  filter:
    min_priority: warning
    require_tags: container, mitre_execution
  stamp:
connectors:
  event_metrics:
exporters:
  otlp_grpc/tempo:
    endpoint: ${env:SINK}
    headers:
      authorization: ${env:TOKEN}
    sending_queue:
      queue_size: ${env:QUEUE}
  slack:
    webhook_url: https://hooks.example/hunter2
  prometheus:
  debug/unused:
extensions:
  health_check:
service:
  extensions: [health_check]
  telemetry:
    logs: {level: debug, initial_fields: {api_token: hunter2}}
  pipelines:
    logs/security:
      receivers: [falco_http, docker_logs]
      processors: [filter, stamp]
      exporters: [otlp_grpc/tempo, slack, event_metrics]
    logs/all:
      receivers: [falco_http]
      processors: [stamp]
      exporters: [otlp_grpc/tempo]
    metrics:
      receivers: [event_metrics]
      exporters: [prometheus]
";

fn inputs(text: &str) -> Inputs {
    let env = [("SINK", "tempo:4317"), ("TOKEN", "Bearer hunter2"), ("QUEUE", "77"), ("CHANNEL", "#a: {b: c}")];
    Inputs {
        embedded: Some(("gateway.yaml".into(), text.into())),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Inputs::default()
    }
}

fn loaded(inputs: &Inputs) -> (Document, Plan) {
    let Loaded { document, mut findings, sources } = load(inputs);
    let document = document.expect("something was written");
    let plan = plan(&document, &support::registry(), &mut findings);
    let plan = plan.unwrap_or_else(|| panic!("{}", render::human(&findings, &sources, false)));
    (document, plan)
}

/// Scenario: a gateway with two log pipelines, a connector, and an exporter nobody uses.
/// Guarantee: the plan holds what is used, each receiver and exporter once, a processor once per pipeline, and the
/// engine's keys with the values of the environment.
#[test]
fn plans_what_is_used() {
    let (_, plan) = loaded(&inputs(GATEWAY));
    let receivers: Vec<&str> = plan.receivers.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(receivers, ["falco_http", "docker_logs"]);
    let exporters: Vec<&str> = plan.exporters.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(exporters, ["otlp_grpc/tempo", "slack", "prometheus"]);
    let delivery = &plan.exporters[0].delivery;
    assert_eq!((delivery.sending_queue.queue_size, delivery.sending_queue.enabled), (77, Some(true)));
    assert_eq!(delivery.timeout, Some(Duration::from_secs(5)));
    let local = &plan.exporters[2].delivery;
    assert_eq!((local.timeout, local.sending_queue.enabled), (Some(Duration::from_secs(0)), Some(false)));
    let processors: Vec<Vec<&str>> =
        plan.pipelines.iter().map(|node| node.processors.iter().map(|(id, _)| id.as_str()).collect()).collect();
    assert_eq!(processors, [vec!["filter", "stamp"], vec!["stamp"], vec![]]);
    let connector = &plan.connectors[0];
    assert!(connector.consumes.contains(Signal::Logs) && connector.produces.contains(Signal::Metrics));
    assert!(!connector.produces.contains(Signal::Logs));
    assert_eq!(plan.extensions.len(), 1);
}

/// Scenario: the same key in two files, the environment and `--set`.
/// Guarantee: the higher layer wins, maps merge, lists are replaced, and every value knows where it came from.
#[test]
fn layers_win_in_order() {
    let folder = tempfile("layers");
    std::fs::write(folder.join("10.yaml"), "exporters:\n  debug: {verbosity: normal}\n").unwrap();
    std::fs::write(folder.join("20.yaml"), "receivers:\n  falco_http:\n    hold: 3s\nexporters:\n  debug: {verbosity: detailed}\n  otlp_grpc/a.b: {endpoint: a:1}\n").unwrap();
    std::fs::write(folder.join("ignored.txt"), "[").unwrap();
    let mut inputs = Inputs {
        embedded: Some((
            "base.yaml".into(),
            "receivers:\n  falco_http:\n    hold: 1s\n    endpoint: localhost:1\nexporters:\n  debug:\nservice:\n  \
             pipelines:\n    logs:\n      receivers: [falco_http]\n      exporters: [debug]\n"
                .into(),
        )),
        files: vec![folder.clone()],
        sets: vec![
            "exporters.\"otlp_grpc/a.b\".endpoint=b:2".into(),
            "service.pipelines.logs.exporters=[debug, otlp_grpc/a.b]".into(),
        ],
        ..Inputs::default()
    };
    inputs.env.insert("LANNER__receivers__falco_http__hold".into(), "4s".into());
    inputs.env.insert("LANNER__EXPORTERS__DEBUG__TIMEOUT".into(), "9s".into());
    let (document, plan) = loaded(&inputs);
    let falco = document.of_kind(Kind::Receiver).next().unwrap();
    assert_eq!(falco.body.get("hold").unwrap().text(), Some("4s"));
    assert_eq!(falco.body.get("hold").unwrap().origin, Origin::Env("LANNER__receivers__falco_http__hold".into()));
    assert!(matches!(falco.body.get("endpoint").unwrap().origin, Origin::File { .. }));
    let debug = document.of_kind(Kind::Exporter).next().unwrap();
    assert_eq!(debug.body.get("verbosity").unwrap().text(), Some("detailed"));
    let exporters: Vec<&str> = plan.pipelines[0].exporters.iter().map(|id| id.as_str()).collect();
    assert_eq!(exporters, ["debug", "otlp_grpc/a.b"]);
    assert_eq!(plan.exporters[0].delivery.timeout, Some(Duration::from_secs(9)));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Scenario: references to variables and files whose values look like YAML, numbers, or more references.
/// Guarantee: a value stays a value: it makes no keys, is not expanded again, and is typed only when it stands alone.
#[test]
fn references_stay_leaves() {
    let folder = tempfile("references");
    let secret = folder.join("token");
    std::fs::write(&secret, "s3cret: [x]\n").unwrap();
    let text = format!(
        "exporters:\n  slack:\n    webhook_url: ${{file:{}}}\n    channel: ${{CHANNEL}}\n  slack/b:\n    \
         channel: \"p-${{env:QUEUE}}-$${{env:QUEUE}} $5 ${{env:NONE:-d${{QUEUE}}}}\"\n  slack/c:\n    channel: ${{env:NONE:-}}\n    webhook_url: $$x\n",
        secret.display()
    );
    let mut inputs = inputs(&text);
    inputs.env.insert("QUEUE".into(), "${env:SINK}".into());
    let Loaded { document, findings, .. } = load(&inputs);
    assert!(findings.is_empty(), "{findings:?}");
    let document = document.unwrap();
    let leaf = |id: &str, key: &str| {
        let entry = document.component(Kind::Exporter, &id.parse().unwrap()).unwrap();
        entry.body.get(key).unwrap().text().unwrap().to_owned()
    };
    assert_eq!(leaf("slack", "webhook_url"), "s3cret: [x]");
    assert_eq!(leaf("slack", "channel"), "#a: {b: c}");
    assert_eq!(leaf("slack/b", "channel"), "p-${env:SINK}-${env:QUEUE} $5 d${env:SINK}");
    assert_eq!((leaf("slack/c", "channel"), leaf("slack/c", "webhook_url")), (String::new(), "$x".into()));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Scenario: a reference that is opened and not closed: alone, and behind other text.
/// Guarantee: one finding that says so, whether anything stands behind the brace or not.
#[test]
fn references_that_are_not_closed_are_found() {
    for channel in ["${", "${env", "a ${", "${env:A:-${"] {
        let loaded = load(&inputs(&format!("exporters: {{slack: {{channel: '{channel}'}}}}\n")));
        let findings: Vec<String> = loaded.findings.iter().map(|finding| format!("{finding:?}")).collect();
        assert!(matches!(&findings[..], [one] if one.contains("without its closing brace")), "{channel}: {findings:?}");
    }
}

/// Scenario: the effective configuration of the gateway.
/// Guarantee: it has the defaults, shows no secret wherever it came from, and is itself a valid configuration.
#[test]
fn prints_without_secrets() {
    let (document, _) = loaded(&inputs(GATEWAY));
    let printed = config::print_config(&document, &support::registry());
    assert!(!printed.contains("hunter2"), "{printed}");
    let value: Value = serde_yaml::from_str(&printed).unwrap();
    let tempo = &value["exporters"]["otlp_grpc/tempo"];
    assert_eq!(tempo["headers"]["authorization"], Secret::REDACTED);
    assert_eq!(
        (&tempo["sending_queue"]["queue_size"], &tempo["sending_queue"]["num_consumers"]),
        (&json!(77), &json!(10))
    );
    assert_eq!(value["receivers"]["docker_logs"]["containers"][0]["labels"]["app"], "0123");
    assert_eq!(value["receivers"]["falco_http"], json!({"endpoint": "localhost:2801", "hold": "2s", "tls": null}));
    assert_eq!(
        value["service"]["telemetry"]["logs"],
        json!({"level": "debug", "initial_fields": {"api_token": "[REDACTED]"}})
    );
    let (_, plan) = loaded(&inputs(&printed));
    assert_eq!(plan.exporters.len(), 3);
}

/// Scenario: a secret that is not set, one that is set to nothing, and one that is set.
/// Guarantee: what is printed tells them apart without showing the secret.
#[test]
fn prints_whether_a_secret_is_set() {
    let text = "exporters:\n  slack:\n  slack/empty: {webhook_url: ''}\n  slack/set: {webhook_url: hunter2}\n";
    let document = load(&inputs(text)).document.unwrap();
    let printed: Value = serde_yaml::from_str(&config::print_config(&document, &support::registry())).unwrap();
    let shown = |id: &str| printed["exporters"][id]["webhook_url"].clone();
    assert_eq!([shown("slack"), shown("slack/empty"), shown("slack/set")], ["", "", Secret::REDACTED]);
}

/// Scenario: the JSON Schema of the whole file against configurations right and wrong.
/// Guarantee: what loads validates, references included; mistakes of shape do not.
#[test]
fn the_schema_agrees_with_the_loader() {
    let schema = config::schema(&support::registry());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let value = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    let lists = GATEWAY.replace("require_tags: container, mitre_execution", "require_tags: [container]");
    let lists =
        lists.replace("app: 0123", "app: a").replace("\n  stamp:\n", "\n  stamp: {overwrite: '${env:X:-true}'}\n");
    let problems: Vec<String> =
        validator.iter_errors(&value(&lists)).map(|error| format!("{} {error}", error.instance_path())).collect();
    assert_eq!(problems, [] as [String; 0]);
    for (right, wrong) in [
        ("hold:", "hodl:"),
        ("receivers:\n", "recievers:\n"),
        ("min_priority: warning", "min_priority: warn"),
        ("queue_size: ${env:QUEUE}", "queue_size: many"),
        ("endpoint: ${env:SINK}", "endpoint: [a]"),
        ("logs/security:", "events:"),
        ("level: debug", "level: loud"),
        ("initial_fields:", "fields:"),
        ("  slack:", "  slck:"),
        ("name: falco,", ""),
    ] {
        let broken = lists.replacen(right, wrong, 1);
        assert!(broken != lists && !validator.is_valid(&value(&broken)), "{wrong} is valid");
    }
    let text = schema.to_string();
    for line in text.split("\"$ref\":\"#/$defs/").skip(1) {
        let name = line.split('"').next().unwrap();
        assert!(schema["$defs"].get(name).is_some(), "`{name}` is not defined");
    }
}

/// Scenario: the gateway drawn in each format, with ids that need care.
/// Guarantee: every pipeline, component and connection is there; quotes in ids cannot break out.
#[test]
fn draws_pipelines() {
    let (document, _) = loaded(&inputs(GATEWAY));
    assert_eq!(
        draw(&document, Format::Ascii),
        "\
logs/security
  falco_http  --+--> filter --> stamp --+--> otlp_grpc/tempo
  docker_logs --+                       +--> slack
                                        +--> event_metrics (=> metrics)

logs/all
  falco_http --+--> stamp --+--> otlp_grpc/tempo

metrics
  event_metrics (<= logs/security) --+--> prometheus
"
    );
    let mermaid = draw(&document, Format::Mermaid);
    assert!(mermaid.starts_with("flowchart LR\n") && mermaid.contains("{{\"event_metrics\"}}"), "{mermaid}");
    assert_eq!(mermaid.matches(" --> ").count(), 9, "{mermaid}");
    let quoted = GATEWAY.replace("otlp_grpc/tempo", "otlp_grpc/t\\\"];x");
    let quoted = quoted.replace("  otlp_grpc/t\\\"];x:", "  \"otlp_grpc/t\\\"];x\":");
    let quoted = quoted.replace("[otlp_grpc/t\\\"];x", "[\"otlp_grpc/t\\\"];x\"");
    let (document, _) = loaded(&inputs(&quoted));
    assert!(draw(&document, Format::Dot).contains("label=\"otlp_grpc/t\\\"];x\""));
    assert!(draw(&document, Format::Mermaid).contains("[(\"otlp_grpc/t#quot;];x\")]"));
}

/// A new folder of this process.
fn tempfile(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lanner-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Everything that can be done with a text.
fn everything(text: &str) {
    let mut inputs = inputs(text);
    inputs.sets.push(text.chars().take(200).collect());
    inputs.env.insert(format!("LANNER__{}", text.chars().take(40).collect::<String>()), text.to_owned());
    let Loaded { document, mut findings, sources } = load(&inputs);
    if let Some(document) = document {
        let registry = support::registry();
        let planned = plan(&document, &registry, &mut findings);
        assert_eq!(planned.is_none(), config::has_errors(&findings));
        config::print_config(&document, &registry);
        for format in Format::ALL {
            draw(&document, format);
        }
    }
    let shown = render::human(&findings, &sources, false);
    assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()));
    render::json(&findings, &sources);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Scenario: any text at all as a configuration file, a variable and a `--set` argument.
    /// Guarantee: no panic, and a plan exactly when there is no error.
    #[test]
    fn no_text_panics(text in any::<String>()) {
        everything(&text);
    }

    /// Scenario: texts made of what YAML and our references are made of.
    /// Guarantee: as above.
    #[test]
    fn no_yaml_panics(text in "([a-z]{1,3}|: |:\n|\n|  |- |\\[|\\]|\\{|\\}|, |\"|'|&a |\\*a|<<: |\\$\\{|\\$|env:|\\||>|#|!|\t|é|---\n|receivers:\n|service:\n|exporters:\n|  debug:\n|~){0,60}") {
        everything(&text);
    }

    /// Scenario: a right configuration with one piece replaced by another text.
    /// Guarantee: as above.
    #[test]
    fn no_damage_panics(start in 0..GATEWAY.len(), length in 0..40usize, piece in ".{0,12}") {
        let mut text = GATEWAY.to_owned();
        text.replace_range(start..(start + length).min(GATEWAY.len()), &piece);
        everything(&text);
    }
}
