//! `lanner rules check`: everything that is wrong with rule files.

use super::{
    super::{Format, Outcome, print},
    files::{self, Loaded, count, plural},
};
use lanner_rules::file::{Options, Severity};
use std::{path::PathBuf, process::ExitCode};

/// Loads rule files in order, as Falco does: exit code 0 when all of them can be used, 1 when not
#[derive(clap::Args)]
pub struct Args {
    /// Rule files, or folders of them; `-` is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

impl Args {
    pub fn run(&self) -> Outcome {
        let Loaded { ruleset, findings } = files::load(&self.files, Options::default());
        files::report(&findings, self.format)?;
        let errors = count(&findings, Severity::Error);
        let warnings = plural(count(&findings, Severity::Warning), "warning");
        if self.format == Format::Human {
            match errors {
                0 => print(&format!(
                    "{}, {}, {}, {warnings}",
                    plural(ruleset.rules().len(), "rule"),
                    plural(ruleset.macros().len(), "macro"),
                    plural(ruleset.lists().len(), "list"),
                ))?,
                errors => eprintln!("{}, {warnings}", plural(errors, "error")),
            }
        }
        let refused = errors > 0 || (self.strict && !findings.is_empty());
        Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
