//! The command line: a file per subcommand.
//!
//! Exit codes are stable: 0 ok, 1 findings or a failed run, 2 wrong usage. Data goes to stdout, notices to stderr.

mod completion;
mod components;
mod explain;
mod graph;
mod health;
mod print_config;
mod queue;
mod rules;
mod run;
mod schema;
mod validate;

use clap::{Parser, Subcommand};
use lanner_engine::{
    component::{Factory, Registry},
    config::{Diagnostic, Sources, render},
};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

/// Pipelines for runtime-security events, in the manner of the OpenTelemetry Collector.
#[derive(Parser)]
#[command(name = "lanner", version, about, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Validate(validate::Args),
    Components(components::Args),
    Graph(graph::Args),
    PrintConfig(print_config::Args),
    Schema(schema::Args),
    Explain(explain::Args),
    Rules(rules::Args),
    Queue(queue::Args),
    Health(health::Args),
    Completion(completion::Args),
}

/// Runs the command line with these components. Of two equal types the later one wins.
pub fn main(components: &[&[Factory]]) -> ExitCode {
    let registry = Registry::new(components.iter().copied());
    let outcome = match Cli::parse().command {
        Command::Run(args) => args.run(&registry),
        Command::Validate(args) => args.run(&registry),
        Command::Components(args) => args.run(&registry),
        Command::Graph(args) => args.run(&registry),
        Command::PrintConfig(args) => args.run(&registry),
        Command::Schema(args) => args.run(&registry),
        Command::Explain(args) => args.run(),
        Command::Rules(args) => args.run(),
        Command::Queue(args) => args.run(&registry),
        Command::Health(args) => args.run(),
        Command::Completion(args) => args.run(),
    };
    outcome.unwrap_or_else(|error| {
        // A closed pipe (`lanner schema | head`) is how the reader says that it has enough.
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return ExitCode::SUCCESS;
        }
        eprintln!("lanner: {error}");
        ExitCode::FAILURE
    })
}

/// How findings are shown.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

/// What a subcommand returns; an error is one of writing the output.
type Outcome = std::io::Result<ExitCode>;

/// Prints data.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints findings for people, on stderr.
pub fn report(findings: &[Diagnostic], sources: &Sources) {
    if !findings.is_empty() {
        let no_color = std::env::var("NO_COLOR").ok();
        let color = render::wants_color(std::io::stderr().is_terminal(), no_color.as_deref());
        eprint!("{}", render::human(findings, sources, color));
    }
}
