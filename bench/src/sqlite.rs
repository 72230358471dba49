//! Scenario `sqlite`: how many alerts a second one writer puts into a database, and what an alert costs.
//!
//! One alert per POST over 64 connections, with the exporter `sqlite` in place of `otlp_grpc`: with each request of the queue a
//! transaction that waits for the disk (`full`), with what waits gathered into larger transactions (`batch`), and with commits
//! that do not wait (`normal`). A second counts from the first request until the last row is there. The queue in front of the
//! database is in memory and fills up, so senders wait; those that wait for too long are told to come back and count as refused.
//! Fails when an event that was accepted is no row.
//!
//! 4-vCPU Xeon, otherwise idle, 2026-11-23, medians of 3 rounds of 3 s: full 3574 alerts a CPU second and 3359 a second, batch
//! 5340 and 2511, normal 3541 and 3150.
//! Command: `LANNER_BENCH_SECONDS=3 scripts/bench.sh sqlite`.

use crate::{
    Bench, Error,
    catalogue::{FALCO, http},
    disk::Folder,
    measure::{Measured, measure},
    median,
    payload::alerts,
    pinning::Pinning,
    scenario::{Destination, Scenario},
};
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, sync::Arc, time::Duration};

/// What is compared: a name, and the keys besides the path.
const WAYS: [(&str, &str); 3] =
    [("full", ""), ("batch", ", sending_queue: {batch: {flush_timeout: 200ms}}"), ("normal", ", synchronous: normal")];

/// Measures how fast a database is filled.
#[derive(clap::Args)]
pub struct Args {
    /// Connections, each with one alert on its way.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
}

/// How many rows there are.
fn rows(path: &Path) -> Result<u64, Error> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(Duration::from_secs(5))?;
    // Nothing is deleted within a measurement, so the newest number is the count; a real one reads every row.
    let newest: Option<i64> = database.query_row("SELECT max(id) FROM events", [], |row| row.get(0))?;
    Ok(newest.unwrap_or(0).try_into()?)
}

/// Measures for as long as `bench` says in each round.
pub fn run(bench: &Bench, args: &Args) -> Result<(), Error> {
    let pinning = Pinning::halves(&bench.cpus);
    // An event that comes again is stored once.
    let load = http(alerts::unique(alerts::single()), args.connections.into());
    println!("sqlite: {} connections, {} s per measurement, {pinning}", load.connections, bench.length.as_secs_f64());
    println!("round  way       alerts/s  CPU s/million  events/CPU s  refused  lost  RSS peak MiB");
    let mut all: [Vec<Measured>; WAYS.len()] = Default::default();
    for round in 1..=bench.rounds {
        for ((name, keys), measured) in WAYS.into_iter().zip(&mut all) {
            let folder = Folder::new(&bench.directory)?;
            let path = folder.0.join("events.db");
            let exporter = format!("sqlite: {{path: '{}'{keys}}}", path.display());
            let count = Destination::Own(Arc::new(move || rows(&path)));
            let scenario = Scenario::logs(name, load.clone(), [FALCO, "", &exporter], count);
            measured.push(measure(bench, &pinning, &scenario)?);
            println!("{}", measured.last().map(|measured| line(round, name, measured)).unwrap_or_default());
        }
    }
    for ((name, _), measured) in WAYS.iter().zip(&all) {
        let median = |of: fn(&Measured) -> f64| median(measured.iter().map(of).collect());
        let (rate, cost) = (median(written), median(Measured::cpu_per_million));
        println!("{name}: medians {rate:.0} alerts a second, {:.0} a CPU second", 1e6 / cost.max(f64::MIN_POSITIVE));
    }
    let lost: u64 = all.iter().flatten().map(Measured::lost).sum();
    match all.iter().flatten().all(|measured| measured.delivered > 0) {
        _ if lost > 0 => Err(format!("{lost} accepted events are no rows").into()),
        true => Ok(()),
        false => Err("no event is a row".into()),
    }
}

/// Rows of a second.
fn written(measured: &Measured) -> f64 {
    measured.delivered as f64 / measured.took.as_secs_f64()
}

fn line(round: u32, way: &str, measured: &Measured) -> String {
    format!(
        "{round:>5}  {way:<6}  {:>10.0}  {:>13.2}  {:>12.0}  {:>6}  {:>4}  {:>12.1}",
        written(measured),
        measured.cpu_per_million(),
        1e6 / measured.cpu_per_million().max(f64::MIN_POSITIVE),
        measured.sent.refused + measured.sent.failed,
        measured.lost(),
        measured.peak_memory as f64 / 1024.0,
    )
}
