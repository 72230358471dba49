//! `lanner run`: the pipelines, until a signal or a failure.

use super::Outcome;
use crate::{
    check::ConfigArgs,
    service::{self, Ended, Settings},
};
use lanner_engine::{component::Registry, config::Duration};
use std::process::ExitCode;

/// Runs the pipelines; Ctrl-C or SIGTERM drains, a second one exits at once; SIGHUP loads the configuration again
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How long a drain may take; keep it below the grace period of whatever starts this program
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    shutdown_timeout: Duration,
    /// Load the configuration again when its files change, as SIGHUP does; they are looked at twice a second
    #[arg(long)]
    watch: bool,
    /// Wait for a configuration that works instead of ending, when the first one does not
    #[arg(long)]
    wait_for_valid: bool,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        if self.config.is_quickstart() {
            eprintln!("lanner: no --config given, running the built-in quickstart");
        }
        let settings = Settings {
            config: self.config.clone(),
            registry: registry.clone(),
            deadline: self.shutdown_timeout.0,
            watch: self.watch,
            wait_for_valid: self.wait_for_valid,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(match runtime.block_on(service::run(settings)) {
            Ok(()) => ExitCode::SUCCESS,
            // The findings say it.
            Err(Ended::Invalid) => ExitCode::FAILURE,
            Err(Ended::Failed(error)) => {
                eprintln!("lanner: {error}");
                ExitCode::FAILURE
            }
        })
    }
}
