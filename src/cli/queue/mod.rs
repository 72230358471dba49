//! `lanner queue`: the queues on disk of a Lanner that is not running.

mod drop;
mod list;
mod peek;
mod place;
mod redrive;

use super::Outcome;
use lanner_engine::component::Registry;
use std::process::ExitCode;

/// Looks at the queues on disk of a stopped Lanner, drops them, and sends dead letters again
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(list::Args),
    Peek(peek::Args),
    Drop(drop::Args),
    Redrive(redrive::Args),
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        match &self.command {
            Command::List(args) => args.run(registry),
            Command::Peek(args) => args.run(registry),
            Command::Drop(args) => args.run(registry),
            Command::Redrive(args) => args.run(registry),
        }
    }
}

/// Says why something cannot be done.
fn failed(error: impl std::fmt::Display) -> Outcome {
    eprintln!("lanner: {error}");
    Ok(ExitCode::FAILURE)
}
