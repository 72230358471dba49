//! What a user writes, and what is checked of it.

use super::{Reader, input::Input};
use crate::{
    container::Wrapping,
    counters::ByReason,
    formats::{Format, Mapper, NonJson, Options, Semantics},
    size::Size,
};
use lanner_engine::prelude::*;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What a line is.
    pub format: Format,
    /// What a container runtime puts around the lines.
    pub container: Wrapping,
    /// What becomes of lines that are no event. Unset: `skip` with `format: falco`, `keep` with `format: json`.
    pub non_json: Option<NonJson>,
    /// How events become records.
    pub semantics: Semantics,
    /// Longest line; the rest of a longer one is left out.
    pub max_log_size: Size,
    /// End with the input. When all other receivers have ended as well, the process drains and ends.
    pub stop_at_eof: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::Text,
            container: Wrapping::None,
            non_json: None,
            semantics: Semantics::default(),
            max_log_size: Size(1 << 20),
            stop_at_eof: true,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`max_log_size` is {0}; choose 64 to 67108864")]
struct OutOfRange(Size);

/// A checked config.
pub struct Plan {
    pub(super) config: Config,
    pub(super) mapper: Mapper,
}

impl Config {
    pub(crate) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let valid = (64..=64 << 20).contains(&self.max_log_size.0);
        if !valid {
            cx.error("max_log_size", OutOfRange(self.max_log_size));
        }
        let options = Options {
            format: self.format,
            container: self.container,
            non_json: self.non_json,
            semantics: self.semantics.clone(),
            max_line: self.max_log_size.0 as usize,
            scope: "lanner.receiver.stdin",
        };
        let mapper = options.check(cx);
        Some(Plan { config: self, mapper: mapper? }).filter(|_| valid)
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    /// Claims standard input; nothing is read before the receiver runs.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(self.open(Input::standard(cx.is_rehearsal())?, cx)))
    }
}

impl Plan {
    pub(crate) fn open(self, input: Input, cx: &BuildCx) -> Reader {
        let Self { config, mapper } = self;
        Reader { input, mapper, config, degraded: ByReason::degraded(cx), unusable: ByReason::unusable(cx) }
    }
}
