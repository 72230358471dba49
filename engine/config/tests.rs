//! Scenarios of one component's config: parser, checker, decode and `PlanCx` together.

use super::{Duration, Level, ListenAddress, Pattern, PlanCx, Secret, Trial, plan_body};
use crate::component::{Component, Emitter, Factory, Planned, Stability, Transform};
use crate::{
    component::{BoxError, BuildCx, Exporter, ExporterPlan},
    config::DeliveryDefaults,
    event::{Batch, Signals},
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Mutex};

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    endpoint: Option<ListenAddress>,
    names: Vec<String>,
    interval: Duration,
    rule: Option<Pattern>,
    token: Secret,
    port: u16,
    ratio: f64,
    on: bool,
    mode: Mode,
    headers: BTreeMap<String, String>,
    rules: Vec<Rule>,
    target: Option<Target>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// The first.
    #[default]
    First,
    Second,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    #[serde(default)]
    weight: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Target {
    File { path: String },
    Null,
}

struct Probe;

/// What the last plan on this thread saw.
static SEEN: Mutex<Vec<(String, Config)>> = Mutex::new(Vec::new());

impl Component for Probe {
    const TYPE: &'static str = "probe";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = "";
    type Config = Config;
    type Plan = Checked;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Checked> {
        if let Some(endpoint) = &config.endpoint {
            cx.listens("endpoint", endpoint);
        }
        if config.headers.contains_key("x.y") {
            cx.error("headers.x.y", Refusal);
        }
        SEEN.lock().unwrap().push((config.headers.get("test").cloned().unwrap_or_default(), config));
        Some(Checked)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`x.y` is taken; use another header")]
struct Refusal;

struct Checked;

impl Transform for Checked {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit(batch);
    }
}

#[async_trait]
impl ExporterPlan for Checked {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Err("not built in tests".into())
    }
}

const TRANSFORM: Factory = Factory::transform::<Probe>();
const EXPORTER: Factory = Factory::exporter::<Probe>(DeliveryDefaults::REMOTE);

fn seen(test: &str) -> Config {
    let seen = SEEN.lock().unwrap();
    seen.iter()
        .rev()
        .find(|(name, _)| name == test)
        .map(|(_, config)| config.clone())
        .expect("the component was planned")
}

fn codes(trial: &Trial) -> Vec<(&str, &str)> {
    trial.findings.iter().map(|finding| (finding.code, finding.path.rsplit("::").next().unwrap_or_default())).collect()
}

/// Scenario: every kind of value, written as the Collector allows.
/// Guarantee: text stays as written, lists may be one text, null means the default.
#[test]
fn decodes_what_was_written() {
    let trial = plan_body(
        &TRANSFORM,
        "endpoint: localhost:2801\nnames: a, 0123\ninterval: 1m30s\nrule: ^sh$\ntoken: 0123\nport: 0x10\nratio: 2\n\
         on: true\nmode: second\nheaders: {test: all, n: 5}\nrules: [{name: 007, weight: 3}]\ntarget: {kind: file, path: /x}\n",
    );
    assert!(trial.findings.is_empty() && trial.planned.is_some(), "{}", trial.rendered());
    let config = seen("all");
    assert_eq!(config.names, ["a", "0123"]);
    assert_eq!(config.token.expose(), "0123");
    assert_eq!((config.port, config.ratio, config.on, config.mode), (16, 2.0, true, Mode::Second));
    assert_eq!(config.headers["n"], "5");
    assert_eq!(config.rules[0].name, "007");
    let trial = plan_body(&TRANSFORM, "port:\nrules: ~\nheaders: {test: nulls}\ntarget:\n");
    assert!(trial.findings.is_empty(), "{}", trial.rendered());
    assert_eq!(seen("nulls").port, 0);
}

/// Scenario: a body in which nearly everything is wrong.
/// Guarantee: each mistake is reported once, at its own place; the component's own check still runs.
#[test]
fn reports_every_problem() {
    let trial = plan_body(
        &TRANSFORM,
        "endpont: localhost:1\nnames: {a: b}\ninterval: 5\nrule: '('\ntoken: [x]\nport: 70000\nratio: '2'\non: yes\n\
         mode: secnd\nheaders: {x.y: 1, z: [1]}\nrules:\n- {weight: 300}\n- {name: a, wieght: 1}\ntarget: {kind: fil}\n",
    );
    assert!(trial.planned.is_none());
    let mut found = codes(&trial);
    found.sort_by_key(|(_, path)| *path);
    let mut expected = [
        ("L0104", "endpont"),
        ("L0110", "x.y"),
        ("L0103", "names"),
        ("L0107", "interval"),
        ("L0107", "rule"),
        ("L0103", "token"),
        ("L0108", "port"),
        ("L0103", "ratio"),
        ("L0103", "on"),
        ("L0105", "mode"),
        ("L0103", "z"),
        ("L0106", "name"),
        ("L0108", "weight"),
        ("L0104", "wieght"),
        ("L0105", "kind"),
    ];
    expected.sort_by_key(|(_, path)| *path);
    assert_eq!(found, expected, "{}", trial.rendered());
}

/// Scenario: an exporter's body with the engine's keys.
/// Guarantee: the engine's keys are planned with the type's defaults, and their mistakes found beside the others.
#[test]
fn splits_the_engines_keys() {
    let trial = plan_body(&EXPORTER, "port: 1\ntimeout: 3s\nsending_queue: {queue_size: 7, batch: {}}\n");
    let Some(Planned::Exporter { delivery, .. }) = trial.planned else { panic!("{:?}", trial.findings) };
    assert_eq!(delivery.timeout, Some(Duration::from_secs(3)));
    assert_eq!((delivery.sending_queue.enabled, delivery.sending_queue.queue_size), (Some(true), 7));
    let trial = plan_body(
        &EXPORTER,
        "prot: 1\ntimeuot: 3s\nsending_queue: {num_consumers: 0, on_full: reject, batch: {min_size: 5, max_size: 2}}\n\
         retry_on_failure: {multiplier: 0.5, max_elapsed_time: 1s, enabeld: true}\n",
    );
    let mut found = codes(&trial);
    found.sort_by_key(|(_, path)| *path);
    assert_eq!(
        found,
        [
            ("L0104", "enabeld"),
            ("L0113", "max_elapsed_time"),
            ("L0113", "max_elapsed_time"),
            ("L0113", "max_size"),
            ("L0108", "multiplier"),
            ("L0108", "num_consumers"),
            ("L0113", "on_full"),
            ("L0104", "prot"),
            ("L0104", "timeuot"),
        ],
        "{}",
        trial.rendered()
    );
    assert!(trial.rendered().contains("did you mean `timeout`?"));
}

/// Scenario: S15: anchors, merge keys, duplicate keys, tabs, deep nesting, an alias bomb.
/// Guarantee: what YAML means is read; what is wrong is a finding with its line; nothing grows without bound.
#[test]
fn s15_reads_yaml_within_bounds() {
    let trial = plan_body(&TRANSFORM, "headers: &h {test: merge, a: b}\nrules: [&r {name: x}, {<<: *r, weight: 2}]\n");
    assert!(trial.findings.is_empty(), "{}", trial.rendered());
    assert_eq!(seen("merge").rules[1].weight, 2);
    let trial = plan_body(&TRANSFORM, "port: 1\nport: 2\n");
    assert_eq!(codes(&trial)[0].0, "L0003");
    assert!(trial.rendered().contains("first written here") && trial.rendered().contains("body.yaml:2:1"));
    assert_eq!(codes(&plan_body(&TRANSFORM, "a:\n\tb: 1\n"))[0].0, "L0002");
    assert_eq!(codes(&plan_body(&TRANSFORM, &"[".repeat(5000)))[0].0, "L0004");
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..40 {
        bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1);
    }
    assert_eq!(codes(&plan_body(&TRANSFORM, &bomb)), [("L0004", "")]);
}

/// Scenario: a receiver that listens on all interfaces without TLS.
/// Guarantee: a warning, and the plan is made all the same.
#[test]
fn s8_warns_about_an_open_door() {
    let trial = plan_body(&TRANSFORM, "endpoint: 0.0.0.0:2801\n");
    assert!(trial.planned.is_some());
    assert_eq!(
        trial.findings.iter().map(|finding| (finding.level, finding.code)).collect::<Vec<_>>(),
        [(Level::Warning, "L0303")]
    );
}
