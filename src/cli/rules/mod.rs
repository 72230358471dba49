//! `lanner rules`: Falco rules outside of a pipeline.

mod check;
mod eval;
mod files;
mod input;
mod judge;
mod parse;
mod summary;

use super::Outcome;

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
