//! The configuration of `debug`.

use lanner_engine::prelude::*;

/// Prints what arrives.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub verbosity: Verbosity,
    /// How many requests are printed in every second before sampling starts.
    pub sampling_initial: u64,
    /// Of the requests after that, print every n-th; 1 prints all, 0 none.
    pub sampling_thereafter: u64,
    pub output: Output,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verbosity {
    /// A line per request.
    #[default]
    Basic,
    /// A line per alert, log record, data point or span.
    Normal,
    /// Everything there is.
    Detailed,
}

/// Where it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    #[default]
    Stderr,
    Stdout,
}

impl Default for Config {
    fn default() -> Self {
        Self { verbosity: Verbosity::default(), sampling_initial: 2, sampling_thereafter: 1, output: Output::default() }
    }
}
