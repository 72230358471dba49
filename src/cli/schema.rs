//! `lanner schema`: one JSON Schema for the whole file.

use super::{Outcome, print};
use lanner_engine::{component::Registry, config};
use std::process::ExitCode;

/// Prints the JSON Schema of the configuration file, from which editors complete and check
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        print(&format!("{:#}", config::schema(registry)))?;
        Ok(ExitCode::SUCCESS)
    }
}
