//! `lanner validate`: everything that is wrong with a configuration, without starting anything.

use super::{Format, Outcome, print, report};
use crate::check::ConfigArgs;
use lanner_engine::{
    component::Registry,
    config::{has_errors, render},
};
use std::process::ExitCode;

/// Checks a configuration offline: exit code 0 when nothing is wrong with it, 1 when something is. What it names, such as files
/// of rules and addresses, is tried by `run` only; `rules check` checks rules
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let checked = self.config.check(registry);
        match self.format {
            Format::Human => report(&checked.findings, &checked.sources),
            Format::Json => print(&render::json(&checked.findings, &checked.sources))?,
        }
        let refused = has_errors(&checked.findings) || (self.strict && !checked.findings.is_empty());
        Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
