//! `lanner graph`: the pipelines as a picture.

use super::{Outcome, print, report};
use crate::check::ConfigArgs;
use lanner_engine::{component::Registry, config::has_errors, graph};
use std::process::ExitCode;

/// Draws the pipelines of a configuration
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[arg(long, value_enum, default_value_t = Format::Ascii)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Mermaid,
    Dot,
    Ascii,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let checked = self.config.check(registry);
        report(&checked.findings, &checked.sources);
        if let Some(document) = &checked.document {
            print(&match self.format {
                Format::Mermaid => graph::draw::mermaid(document),
                Format::Dot => graph::draw::dot(document),
                Format::Ascii => graph::draw::ascii(document),
            })?;
        }
        Ok(if has_errors(&checked.findings) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
