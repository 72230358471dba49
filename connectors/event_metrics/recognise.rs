//! Which events a metric counts.

use lanner_engine::prelude::*;
use std::sync::LazyLock;

/// The kinds of events, as `match` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Falco alerts, from Falco itself or from rules run inside Lanner.
    #[default]
    Alerts,
    /// Kubernetes audit events.
    Audit,
    /// Every log record.
    All,
}

/// Names that recognition looks at, interned once.
struct Keys {
    event_name: Key,
    rule: Key,
    priority: Key,
    source: Key,
    stage: Key,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    event_name: Key::intern("event.name"),
    rule: Key::intern("security_rule.name"),
    priority: Key::intern("falco.priority"),
    source: Key::intern("falco.source"),
    stage: Key::intern("k8s.audit.event.stage"),
});

impl Match {
    /// Whether `record` is of this kind.
    pub fn matches(self, record: &LogRecord) -> bool {
        match self {
            Self::Alerts => is_alert(record),
            Self::Audit => is_audit(record),
            Self::All => true,
        }
    }
}

fn name(record: &LogRecord) -> &str {
    if record.event_name.is_empty() {
        record.attrs.get_str(&KEYS.event_name).unwrap_or_default()
    } else {
        &record.event_name
    }
}

/// By name, or, when a hop lost the name, by the two attributes that every alert has.
fn is_alert(record: &LogRecord) -> bool {
    match name(record) {
        "falco.alert" => true,
        "" => {
            record.attrs.contains(&KEYS.rule)
                && record.attrs.contains(&KEYS.priority)
                && record.attrs.get_str(&KEYS.source) != Some("internal")
        }
        _ => false,
    }
}

fn is_audit(record: &LogRecord) -> bool {
    name(record) == "k8s.audit.event" || record.attrs.contains(&KEYS.stage)
}
