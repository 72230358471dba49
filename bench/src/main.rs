//! `lanner-bench`: what an event costs Lanner, beside what the same request costs a bare HTTP server, in one run.
//!
//! Scenario `falco_post`: one Falco alert per POST over 32 keep-alive connections, closed loop, as fast as the peer
//! answers; Lanner turns each into an OTLP record and sends them to a counting OTLP/gRPC sink, uncompressed. The floor
//! is hyper's HTTP/1 builder that reads the body and answers 200.
//! Method: floor and Lanner take turns for three rounds, each a fresh process on one half of the CPUs; load and sink
//! run on the other half. Counted after a warm-up, until the last event is at the sink: CPU time of the peer's process
//! from `/proc/PID/stat` (ticks of 10 ms). The figure to look at is the ratio: it means the same on a busy machine.
//! Fails when an event that was accepted did not arrive.
//!
//! 4-vCPU Xeon, otherwise idle, 2026-11-23, medians of 3 rounds of 3 s: floor 14.1, Lanner 41.4 CPU s per million alerts,
//! ratio 2.9; the goal of 1.6 is not reached.
//! Command: `LANNER_BENCH_SECONDS=3 scripts/bench.sh` (the length of a measurement; 5 by default).
//!
//! Scenario `durable_queue`, `lanner-bench queues`: the same with the queue on disk, beside the queue in memory; see `queues.rs`.
//! Scenario `audit_rules`, `lanner-bench rules`: what judging an audit event by Falco's rules costs; see `rules.rs`.
//! Scenario `sqlite`, `lanner-bench sqlite`: how many alerts a second go into a database; see `sqlite.rs`.

mod alerts;
mod floor;
mod load;
mod measure;
mod pinning;
mod process;
mod queues;
mod report;
mod rules;
mod sink;
mod sqlite;

use clap::{Parser, Subcommand};
use measure::{CONNECTIONS, Setup};
use std::{path::PathBuf, process::ExitCode, time::Duration};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Measures CPU per event of Lanner and of a bare HTTP server.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    /// The release build of lanner.
    #[arg(long, default_value = "target/release/lanner")]
    lanner: PathBuf,
    /// Length of one measurement in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often floor and Lanner take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
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
    Queues(queues::Args),
    Rules(rules::Args),
    Sqlite(sqlite::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.role {
        Some(Role::Floor) => floor::run(),
        Some(Role::Sink) => sink::run(),
        Some(Role::Queues(queues)) => queues::run(queues, &args.lanner, Duration::from_secs(args.seconds), args.rounds),
        Some(Role::Rules(rules)) => rules::run(rules, Duration::from_secs(args.seconds), args.rounds),
        Some(Role::Sqlite(sqlite)) => sqlite::run(sqlite, &args.lanner, Duration::from_secs(args.seconds), args.rounds),
        None => compare(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanner-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<(), Error> {
    let pinning = pinning::halves();
    let length = Duration::from_secs(args.seconds);
    println!("falco_post: one alert per POST, {} per measurement, {pinning}", report::seconds(length));
    println!("{}", report::HEAD);
    let setup = Setup { program: &args.lanner, connections: CONNECTIONS, storage: None, exporter: None, length };
    let mut floors = Vec::new();
    let mut lanners = Vec::new();
    for round in 1..=args.rounds {
        let floor = measure::floor(&pinning, length)?;
        println!("{}", report::line(round, "floor", &floor));
        let lanner = measure::lanner(&pinning, &setup)?;
        println!("{}", report::line(round, "lanner", &lanner));
        floors.push(floor);
        lanners.push(lanner);
    }
    println!("{}", report::summary(&floors, &lanners));
    report::verdict(&floors, &lanners)
}
