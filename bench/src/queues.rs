//! Scenario `durable_queue`: what it costs to have each alert on disk before it is acknowledged.
//!
//! `falco_post` over more connections, with the sending queue in memory and on disk in turns: CPU per event, alerts per
//! second, and how long an answer takes. The durable answer waits for `fdatasync`, which all who wait share, so the
//! throughput grows with the connections and the latency is the disk's. Beside it stands what one `fdatasync` of a
//! small write takes on the same disk. Fails when an event that was accepted did not arrive.
//!
//! 4-vCPU Xeon, otherwise idle, 2026-11-23, medians of 3 rounds of 3 s, 256 connections: on disk an alert costs 1.35 times
//! the CPU (56.7 beside 43.8 us) at 0.65 times the alerts per second (28,900 beside 45,700); answers take 8.0 ms (p50) and
//! 23.8 ms (p99) beside 5.2 and 18.3 ms; a bare `fdatasync` 0.11 ms.
//! Command: `scripts/bench.sh queues`.

use crate::{
    Error,
    measure::{self, Measured, Setup},
    pinning, report,
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How often a bare `fdatasync` is measured.
const SYNCS: usize = 200;

/// Measures the queue on disk beside the queue in memory.
#[derive(clap::Args)]
pub struct Args {
    /// Connections, each with one alert on its way.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Where the queue is kept, on a disk that is not memory; a new folder in it is made and removed.
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

/// A new folder, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A folder of this round, below `parent`.
    pub fn new(parent: &Path, round: u32) -> Result<Self, Error> {
        let path = fs::canonicalize(parent)?.join(format!("lanner-bench-{}-{round}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Measures for as long as `length` in each round.
pub fn run(args: &Args, program: &Path, length: Duration, rounds: u32) -> Result<(), Error> {
    let pinning = pinning::halves();
    let connections = usize::from(args.connections);
    println!("durable_queue: {connections} connections, {} per measurement, {pinning}", report::seconds(length));
    println!("round  queue      alerts/s  CPU s/million  answer p50 ms  p99 ms  lost  RSS peak MiB");
    let (mut memory, mut disk, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let measured =
            measure::lanner(&pinning, &Setup { program, connections, storage: None, exporter: None, length })?;
        println!("{}", line(round, "memory", &measured));
        memory.push(measured);
        let folder = Folder::new(&args.directory, round)?;
        syncs.push(bare_sync(&folder.0)?);
        // The folder of the state must be its own, so that only this user can read it.
        let state = folder.0.join("state");
        let measured =
            measure::lanner(&pinning, &Setup { program, connections, storage: Some(&state), exporter: None, length })?;
        println!("{}", line(round, "disk", &measured));
        disk.push(measured);
    }
    let ratios = |of: fn(&Measured) -> f64| {
        report::median(memory.iter().zip(&disk).map(|(memory, disk)| of(disk) / of(memory)).collect())
    };
    println!(
        "disk beside memory, medians: CPU per event {:.2}, alerts per second {:.2}; one fdatasync alone {:.2} ms",
        ratios(Measured::cpu_per_million),
        ratios(Measured::throughput),
        report::median(syncs)
    );
    report::verdict(&memory, &disk)
}

fn line(round: u32, queue: &str, measured: &Measured) -> String {
    format!(
        "{round:>5}  {queue:<6}  {:>11.0}  {:>13.2}  {:>13.2}  {:>6.2}  {:>4}  {:>12.1}",
        measured.throughput(),
        measured.cpu_per_million(),
        milliseconds(measured.sent.latency(0.5)),
        milliseconds(measured.sent.latency(0.99)),
        measured.lost(),
        measured.peak_memory as f64 / 1024.0,
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What one `fdatasync` of an appended alert takes: the median, in milliseconds.
fn bare_sync(folder: &Path) -> Result<f64, Error> {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[b'x'; 1024])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(milliseconds(start.elapsed()));
    }
    Ok(report::median(times))
}
