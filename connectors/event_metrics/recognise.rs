//! Which events a metric counts.

use lanner_engine::{prelude::*, semantics};

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

impl Match {
    /// Whether `record` is of this kind.
    pub fn matches(self, record: &LogRecord) -> bool {
        match self {
            Self::Alerts => semantics::is_alert(record),
            Self::Audit => semantics::is_audit(record),
            Self::All => true,
        }
    }
}
