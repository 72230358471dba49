//! `file_log` reads log files: Falco's alerts, the audit log of API servers, files of container runtimes, text.
//!
//! Promises
//! - Every line that is written to a file while it is followed is delivered once: through renames, files that take the
//!   place of others, and truncation as far as it was not truncated away unread. What is lost is counted.
//! - The position in a file moves only once the pipeline has its lines. With a `storage` it survives restarts; after a
//!   crash at most the lines of the last second come again, with the same ids.
//! - A busy pipeline slows the reading down and loses nothing.
//! - Memory is bounded by a batch, one line and [`read::HELD_BYTES`], whatever the number and size of the files.
//!
//! `follow` is the loop. `files` gives the files their turns; `discover` finds them by `search`, and `identity` recognises
//! them. Each is a `tail`, which `read` takes lines from, and
//! `checkpoints` keep how far it was read. `container` takes lines out of their wrapping, `formats` makes records of them.

mod blocks;
mod checkpoints;
mod config;
mod discover;
mod files;
mod follow;
mod identity;
mod metrics;
mod read;
mod search;
mod shared;

mod tail;
#[cfg(test)]
mod tests;

use config::{Config, Plan};
use lanner_engine::prelude::*;

/// The component type.
pub struct FileLog;

impl Component for FileLog {
    const TYPE: &'static str = "file_log";
    const ALIASES: &'static [&'static str] = &["filelog"];
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}
