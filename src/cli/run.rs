//! `lanner run`: the pipelines, until a signal or a failure.

use super::{Outcome, report};
use crate::{check::ConfigArgs, service};
use lanner_engine::{component::Registry, config::Duration};
use std::process::ExitCode;

/// Runs the pipelines; Ctrl-C or SIGTERM drains, a second one exits at once
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How long a drain may take; keep it below the grace period of whatever starts this program
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    shutdown_timeout: Duration,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let checked = self.config.check(registry);
        report(&checked.findings, &checked.sources);
        let Some(plan) = checked.plan else { return Ok(ExitCode::FAILURE) };
        if self.config.is_quickstart() {
            eprintln!("lanner: no --config given, running the built-in quickstart");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(match runtime.block_on(service::run(plan, self.shutdown_timeout.0)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("lanner: {error}");
                ExitCode::FAILURE
            }
        })
    }
}
