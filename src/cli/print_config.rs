//! `lanner print-config`: the configuration as it takes effect.

use super::{Outcome, print, report};
use crate::check::ConfigArgs;
use lanner_engine::{component::Registry, config};
use std::process::ExitCode;

/// Prints the effective configuration: layers merged, references filled in, defaults shown, secrets redacted
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let checked = self.config.check(registry);
        report(&checked.findings, &checked.sources);
        if let Some(document) = &checked.document {
            print(&config::print_config(document, registry))?;
        }
        Ok(if config::has_errors(&checked.findings) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
