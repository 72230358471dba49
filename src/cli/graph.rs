//! `lanner graph`: the pipelines as a picture.

use super::{Outcome, print, report};
use crate::check::ConfigArgs;
use lanner_engine::{
    component::Registry,
    config::has_errors,
    graph::{self, Format},
};
use std::process::ExitCode;

/// Draws the pipelines of a configuration
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// mermaid, dot or ascii
    #[arg(long, default_value = Format::Ascii.as_str())]
    format: Format,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let checked = self.config.check(registry);
        report(&checked.findings, &checked.sources);
        if let Some(document) = &checked.document {
            print(&graph::draw(document, self.format))?;
        }
        Ok(if has_errors(&checked.findings) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
