//! What a user writes, and what is checked.
use lanner_engine::prelude::*;

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Attribute to write, for example `deployment.environment.name`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Replace a value that is already there.
    pub overwrite: bool,
}

/// The key is interned here once, so that `apply` compares addresses, not text.
pub struct Plan {
    pub key: Key,
    pub value: Value,
    pub overwrite: bool,
}

impl Config {
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if self.key.is_empty() {
            cx.error("key", EmptyKey);
            return None;
        }
        Some(Plan { key: Key::intern(&self.key), value: Value::text(self.value), overwrite: self.overwrite })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`key` is empty; write for example `key: deployment.environment.name`")]
pub struct EmptyKey;
