//! Scenarios of the reference table.

use super::table;
use crate::{
    component::{Component, Emitter, Factory, Stability, Transform},
    config::{Duration, ListenAddress, Pattern, PlanCx, Secret},
    event::{Batch, Signals},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One of every kind of key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Where to listen.
    endpoint: ListenAddress,
    /// How long | how far.
    hold: Duration,
    #[schemars(range(min = 1, max = 9))]
    digits: u8,
    rule: Option<Pattern>,
    token: Secret,
    mode: Mode,
    modes: Vec<Mode>,
    /// Anything with a name.
    labels: BTreeMap<String, String>,
    /// Nobody, unless written.
    inner: Option<Inner>,
    always: Inner,
    listed: Vec<Inner>,
    named: BTreeMap<String, Inner>,
}

/// What to do.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Wait.
    Hold,
    /// Say no.
    Reject,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    /// How many.
    count: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(1234),
            hold: Duration::from_millis(1500),
            digits: 3,
            rule: None,
            token: Secret::default(),
            mode: Mode::Hold,
            modes: vec![Mode::Hold, Mode::Reject],
            labels: BTreeMap::new(),
            inner: None,
            always: Inner { count: 7 },
            listed: Vec::new(),
            named: BTreeMap::new(),
        }
    }
}

struct Nothing;

impl Transform for Nothing {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit(batch);
    }
}

impl Component for Nothing {
    const TYPE: &'static str = "nothing";
    const STABILITY: Stability = Stability::Development;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = "";
    type Config = Config;
    type Plan = Self;
    fn plan(_: Config, _: &mut PlanCx<'_>) -> Option<Self> {
        Some(Self)
    }
}

/// Scenario: a config with every kind of key, nested in every way.
/// Guarantee: each key is a row with its type, range or words, the default of its place, and what its author wrote.
#[test]
fn every_key_is_a_row() {
    let expected = "\
| key | type | default | meaning |
|---|---|---|---|
| `endpoint` | host:port | `localhost:1234` | Where to listen. |
| `hold` | duration | `1.5s` | How long \\| how far. |
| `digits` | integer, 1 to 9 | `3` | |
| `rule` | regular expression | | |
| `token` | secret | | |
| `mode` | `hold`, `reject` | `hold` | What to do. `hold`: Wait. `reject`: Say no. |
| `modes` | list of `hold`, `reject` | `[hold, reject]` | |
| `labels` | names with text | `{}` | Anything with a name. |
| `inner` | keys | | Nobody, unless written. |
| `inner.count` | integer | `0` | How many. |
| `always.count` | integer | `7` | How many. |
| `listed` | list | `[]` | |
| `listed[].count` | integer | `0` | How many. |
| `named` | names with keys | `{}` | |
| `named.<name>.count` | integer | `0` | How many. |
";
    assert_eq!(table(&Factory::transform::<Nothing>()), expected);
}
