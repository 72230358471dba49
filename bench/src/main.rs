//! `lanner-bench`: what an event costs Lanner, beside what the same request costs a bare HTTP server, in one run.
//!
//! Without a subcommand: every target of `docs/performance.md` beside its reference (`targets.rs`). `scaling`: how cost grows
//! (`scaling.rs`). Both measure in the same way (`measure.rs`): fresh processes, Lanner on one half of the CPUs, load and sink on
//! the other, a closed loop as fast as the peer answers, over plain sockets and no compression; counted after a warm-up until the
//! last event is at the sink: CPU time of the peer's process from `/proc/PID/stat` (ticks of 10 ms). The figures to look at are
//! ratios within a round: they mean the same on a busy machine. Fails when an event that was accepted did not arrive.
//! `--write docs` keeps what was measured, and writes the page and its picture anew.
//! The floor is a bare server of hyper that reads each body, counts its events and answers 200 (`floor.rs`).
//!
//! Other scenarios: `rules`, what judging an audit event by Falco's rules costs (`rules.rs`); `sqlite`, how many alerts a second go
//! into a database (`sqlite.rs`).
//!
//! Results stand in `docs/performance.md`. Commands: `scripts/bench.sh --write docs`, `scripts/bench.sh scaling --write docs`;
//! `LANNER_BENCH_SECONDS=1 scripts/bench.sh` for a look.

mod arrivals;
mod at_rest;
mod catalogue;
mod disk;
mod floor;
mod limits;
mod load;
mod measure;
mod pause;
mod pinning;
mod ports;
mod process;
mod report;
mod results;
mod rules;
mod scaling;
mod scenario;
mod sink;
mod sqlite;
mod targets;

use clap::{Parser, Subcommand};
use lanner_bench::{Error, payload, protobuf};
use results::Results;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Measures CPU per event of Lanner beside a bare HTTP server.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    targets: targets::Args,
    /// The release build of lanner.
    #[arg(long, global = true, default_value = "target/release/lanner")]
    lanner: PathBuf,
    /// Length of one measurement in seconds.
    #[arg(long, global = true, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// How often the scenarios take turns.
    #[arg(long, global = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Where queues and databases are kept, on a disk that is not memory; new folders in it are made and removed.
    #[arg(long, global = true, default_value = "target")]
    directory: PathBuf,
    /// Keep what was measured in this folder of documentation.
    #[arg(long, global = true, value_name = "DOCS")]
    write: Option<PathBuf>,
}

/// Other scenarios, and what the program is when it starts itself.
#[derive(Subcommand)]
enum Role {
    /// A bare HTTP server.
    #[command(hide = true)]
    Floor,
    /// A counting OTLP/gRPC sink.
    #[command(hide = true)]
    Sink,
    /// Measures how cost grows.
    Scaling,
    /// Writes the page and its picture anew from the results that are kept.
    Render {
        /// The folder of the documentation.
        docs: PathBuf,
    },
    Rules(rules::Args),
    Sqlite(sqlite::Args),
}

/// How all scenarios are measured.
struct Bench {
    lanner: PathBuf,
    length: Duration,
    rounds: u32,
    directory: PathBuf,
    /// The CPUs there are.
    cpus: Vec<usize>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanner-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Error> {
    let Args { role, targets, lanner, seconds, rounds, directory, write } = args;
    let length = Duration::from_secs_f64(seconds);
    let bench = Bench { lanner, length, rounds, directory, cpus: pinning::allowed() };
    match role {
        Some(Role::Floor) => floor::run(),
        Some(Role::Sink) => sink::run(),
        Some(Role::Rules(args)) => rules::run(&bench, &args),
        Some(Role::Sqlite(args)) => sqlite::run(&bench, &args),
        Some(Role::Render { docs }) => report::write(&Results::read(&docs)?, &docs),
        Some(Role::Scaling) => {
            let scaling = scaling::run(&bench)?;
            none(&scaling.problems)?;
            keep(write.as_deref(), |results| results.scaling = Some(scaling))
        }
        None => {
            let measured = targets::run(&bench, &targets)?;
            println!("\n{}\n{}", report::figures(&measured.figures), report::targets(&measured.rows));
            none(&measured.problems)?;
            keep(write.as_deref(), |results| results.targets = Some(measured))
        }
    }
}

/// # Errors
/// There are problems.
fn none(problems: &[String]) -> Result<(), Error> {
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// Puts what was measured into the documentation, if there is one to write.
fn keep(docs: Option<&Path>, put: impl FnOnce(&mut Results)) -> Result<(), Error> {
    let Some(docs) = docs else { return Ok(()) };
    let mut results = Results::read(docs)?;
    put(&mut results);
    results.write(docs)?;
    report::write(&results, docs)
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number")?;
    if (0.1..=600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.1 to 600".to_owned()) }
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    /// Scenario: none, an odd and an even number of values, in no order.
    /// Guarantee: the median is the one in the middle, or between the two in the middle.
    #[test]
    fn the_median_is_in_the_middle() {
        assert!(super::median(Vec::new()).is_nan());
        assert_eq!(super::median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(super::median(vec![9.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
