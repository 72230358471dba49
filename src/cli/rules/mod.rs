//! `lanner rules`: Falco rules outside of a pipeline.

mod check;
mod eval;
mod files;
mod input;
mod judge;
mod parse;
mod summary;

use super::Outcome;
use std::process::ExitCode;

/// Checks Falco rule files, reads single conditions, and runs rules over files of events
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Check(check::Args),
    Parse(parse::Args),
    Eval(eval::Args),
}

impl Args {
    pub fn run(&self) -> Outcome {
        match &self.command {
            Command::Check(args) => args.run(),
            Command::Parse(args) => args.run(),
            Command::Eval(args) => args.run(),
        }
    }
}

/// Says what does not fit together on the command line.
fn wrong_usage(what: &str) -> Outcome {
    eprintln!("lanner: {what}");
    Ok(ExitCode::from(2))
}
