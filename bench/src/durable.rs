//! Scenario `durable`: what it costs that an alert is on disk before it is acknowledged.
//!
//! Method: as `falco_post`, with the sending queue in memory and on disk in turns. Figures: alerts a second over the same 32
//! connections, each with one alert in flight, and how long an acknowledgement takes. With the queue on disk every
//! acknowledgement waits for an `fdatasync`, which all that wait share; so the folder's disk decides, and the figures mean
//! something only beside the time of a sync, which is measured first.

use crate::{
    Error,
    measure::{self, Measured},
    pinning, report,
};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Syncs that are measured alone.
const SYNCS: usize = 200;

#[derive(clap::Args)]
pub struct Args {
    /// Folder for the queue; its disk is what is measured.
    #[arg(long, default_value = "target/durable-bench")]
    state: PathBuf,
}

pub fn run(args: &Args, lanner: &Path, length: Duration, rounds: u32) -> Result<(), Error> {
    fs::create_dir_all(&args.state)?;
    let state = args.state.canonicalize()?;
    let pinning = pinning::halves();
    println!("durable: one alert per POST, {} per measurement, {pinning}", report::seconds(length));
    let syncs = syncs(&state)?;
    println!("4 KiB written and synced alone: p50 {:.2?}, p99 {:.2?}", quantile(&syncs, 50), quantile(&syncs, 99));
    println!("round  queue    alerts/s  ack p50  ack p99  CPU s/million  failed  lost");
    let mut all = Vec::new();
    for round in 1..=rounds {
        for (name, state) in [("memory", None), ("disk", Some(state.join(format!("round{round}"))))] {
            let measured = measure::lanner(lanner, &pinning, length, state.as_deref())?;
            println!("{}", line(round, name, &measured, length));
            if let Some(state) = state {
                fs::remove_dir_all(state)?;
            }
            all.push(measured);
        }
    }
    report::verdict(&all, &[])
}

fn line(round: u32, name: &str, measured: &Measured, length: Duration) -> String {
    let mut times = measured.sent.times.clone();
    times.sort_unstable();
    format!(
        "{round:>5}  {name:<7}  {:>8.0}  {:>7.2?}  {:>7.2?}  {:>13.2}  {:>6}  {:>4}",
        measured.sent.accepted as f64 / length.as_secs_f64(),
        quantile(&times, 50),
        quantile(&times, 99),
        measured.cpu_per_million(),
        measured.sent.failed,
        measured.lost(),
    )
}

/// Times of a write of 4 KiB with its sync, sorted.
fn syncs(folder: &Path) -> Result<Vec<Duration>, Error> {
    let path = folder.join("sync");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times)
}

/// Of sorted times; zero when there are none.
fn quantile(times: &[Duration], percent: usize) -> Duration {
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}
