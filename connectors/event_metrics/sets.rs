//! The metrics that come ready-made: the default set and the three compatibility sets.
//!
//! Names, labels and priority scales are those of `docs/mapping.md`, section 6. Compatibility metrics carry their
//! Prometheus names already in OTLP, so that any exporter shows them as the dashboards expect; only `falco_events`,
//! a counter without `_total`, needs the hint [`PROMETHEUS_NAME`](super::metric::PROMETHEUS_NAME).

use super::{
    label::{Label, Scale, Source},
    metric::{Definition, Output, OutputKind},
    recognise::Match,
    table::Grouping,
};
use lanner_engine::prelude::*;

/// The compatibility sets, as `compat` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// `falcosecurity_falcosidekick_falco_events_total` and `falcosecurity_falcosidekick_inputs_total`.
    Falcosidekick,
    /// `falcosecurity_falco_rules_matches_total`.
    Falco,
    /// `falco_events`.
    #[serde(alias = "falco-exporter")]
    FalcoExporter,
}

/// Opt-in names that stand for more than one attribute or for one of another name.
fn opt_in(name: &str) -> Label {
    match name {
        "workload" => Label {
            name: "workload".into(),
            source: Source::Attributes(WORKLOAD.iter().map(|kind| Key::intern(kind)).collect()),
            absent: None,
        },
        "tactic" => Label::renamed("tactic", "threat.tactic.name"),
        _ => Label::attribute(name),
    }
}

/// Owners of pods, the longest-lived first.
const WORKLOAD: [&str; 6] = [
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "k8s.replicaset.name",
];

/// `falco.alerts`, `falco.alert.last_seen` and `k8s.audit.events`, with `more` attributes.
pub fn defaults(more: &[String]) -> Vec<Definition> {
    let with_more = |mut labels: Vec<Label>| {
        for label in more.iter().map(|name| opt_in(name)) {
            if !labels.iter().any(|known| known.name == label.name) {
                labels.push(label);
            }
        }
        labels
    };
    vec![
        Definition {
            grouping: Grouping {
                events: Match::Alerts,
                labels: with_more(
                    ["security_rule.name", "falco.priority", "falco.source"].map(Label::attribute).into(),
                ),
            },
            outputs: vec![
                Output::new("falco.alerts", "Falco alerts.", "{alert}", OutputKind::Counter),
                Output::new("falco.alert.last_seen", "Time of the newest Falco alert.", "s", OutputKind::LastSeen),
            ],
        },
        Definition {
            grouping: Grouping {
                events: Match::Audit,
                labels: with_more(vec![
                    Label::renamed("verb", "k8s.audit.event.request.verb"),
                    Label::renamed("resource", "k8s.audit.event.object_ref.resource"),
                    Label {
                        name: "response_class".into(),
                        source: Source::StatusClass(Key::intern("http.response.status_code")),
                        absent: None,
                    },
                    Label::renamed("decision", "k8s.audit.event.annotation.authorization.k8s.io/decision"),
                ]),
            },
            outputs: vec![Output::new("k8s.audit.events", "Kubernetes audit events.", "{event}", OutputKind::Counter)],
        },
    ]
}

/// The metrics of a compatibility set.
pub fn compat(set: Compat) -> Vec<Definition> {
    let alerts =
        |labels, output| Definition { grouping: Grouping { events: Match::Alerts, labels }, outputs: vec![output] };
    match set {
        Compat::Falcosidekick => {
            let mut labels = common(Scale::Falcosidekick, "unknown");
            labels.push(Label::renamed("priority_raw", "falco.priority").or(""));
            let inputs = ["source", "status"].into_iter().zip(["requests", "accepted"]).map(|(name, text)| Label {
                name: name.into(),
                source: Source::Fixed(text),
                absent: None,
            });
            vec![
                alerts(labels, Output::exact("falcosecurity_falcosidekick_falco_events_total")),
                alerts(inputs.collect(), Output::exact("falcosecurity_falcosidekick_inputs_total")),
            ]
        }
        Compat::Falco => {
            let labels = vec![
                Label::renamed("rule_name", "security_rule.name").or(""),
                Label::renamed("source", "falco.source").or(""),
                priority(Scale::Falco),
                Label { name: "tags".into(), source: Source::TagFlags(Key::intern("falco.tags")), absent: None },
            ];
            vec![alerts(labels, Output::exact("falcosecurity_falco_rules_matches_total"))]
        }
        Compat::FalcoExporter => {
            let mut labels = common(Scale::Falco, "");
            labels.push(Label {
                name: "tags".into(),
                source: Source::Tags(Key::intern("falco.tags")),
                absent: Some(""),
            });
            vec![alerts(labels, Output::exact("falco_events"))]
        }
    }
}

/// The labels that falcosidekick and falco-exporter share. An absent value is an empty label, as theirs is.
fn common(scale: Scale, no_host: &'static str) -> Vec<Label> {
    vec![
        Label::renamed("rule", "security_rule.name").or(""),
        priority(scale),
        Label::renamed("source", "falco.source").or(""),
        Label::renamed("hostname", "host.name").or(no_host),
        Label::renamed("k8s_ns_name", "k8s.namespace.name").or(""),
        Label::renamed("k8s_pod_name", "k8s.pod.name").or(""),
    ]
}

fn priority(scale: Scale) -> Label {
    Label { name: "priority".into(), source: Source::Priority(scale), absent: Some("") }
}
