//! What Lanner needs when nothing happens: memory and wake-ups of a quickstart without events, the time from its start to the first
//! answer, the size of the program.

use crate::{
    Bench, Error,
    arrivals::get,
    disk::Folder,
    measure::lanner,
    median,
    pause::pause,
    pinning::Pinning,
    ports::{free_port, local},
    process::Process,
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// The configuration that `make run` starts.
const QUICKSTART: &str = "pipelines/quickstart.yaml";
/// How long Lanner may take to answer at all.
const STARTUP: Duration = Duration::from_secs(10);
/// How long it is left alone before it counts as idle, and how long that is watched.
const SETTLING: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(10);
const STARTS: usize = 10;

/// Memory in MiB and wake-ups a second of the quickstart without its demonstration.
pub fn idle(bench: &Bench, pinning: &Pinning) -> Result<(f64, f64), Error> {
    let folder = Folder::new(&bench.directory)?;
    let none = ["service.pipelines.logs.receivers=[falco_http]".to_owned()];
    let (lanner, _) = quickstart(bench, pinning, &none, &folder)?;
    pause(SETTLING);
    let (start, before) = (Instant::now(), lanner.wake_ups()?);
    pause(WATCHED);
    let wake_ups = lanner.wake_ups()?.saturating_sub(before) as f64 / start.elapsed().as_secs_f64();
    Ok((lanner.memory()? as f64 / 1024.0, wake_ups))
}

/// Milliseconds from starting the program to the first answer of its health check: the median.
pub fn start_to_ready(bench: &Bench, pinning: &Pinning) -> Result<f64, Error> {
    let folder = Folder::new(&bench.directory)?;
    let times = (0..STARTS).map(|_| Ok(quickstart(bench, pinning, &[], &folder)?.1.as_secs_f64() * 1e3));
    Ok(median(times.collect::<Result<_, Error>>()?))
}

/// The size in MiB of the program without symbols.
pub fn size(program: &Path, directory: &Path) -> Result<f64, Error> {
    let folder = Folder::new(directory)?;
    let stripped = folder.0.join("stripped");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).status();
    // A release build has no symbols; who keeps them needs `strip` here.
    let file = if status.is_ok_and(|status| status.success()) { &stripped } else { program };
    Ok(fs::metadata(file)?.len() as f64 / f64::from(1 << 20))
}

/// Starts the quickstart on ports of its own. How long it took until it said that it is well.
fn quickstart(bench: &Bench, pinning: &Pinning, set: &[String], folder: &Folder) -> Result<(Process, Duration), Error> {
    let health = local(free_port()?);
    let mut all = vec![
        format!("extensions.health_check.endpoint={health}"),
        format!("receivers.falco_http.endpoint={}", local(free_port()?)),
        format!("exporters.prometheus.endpoint={}", local(free_port()?)),
        format!("service.telemetry.metrics.address={}", local(free_port()?)),
    ];
    all.extend_from_slice(set);
    let start = Instant::now();
    let mut process = lanner(bench, pinning, Path::new(QUICKSTART), &all, folder)?;
    while !well(health) {
        if process.has_ended() || start.elapsed() > STARTUP {
            let said = fs::read_to_string(folder.log()).unwrap_or_default();
            return Err(format!("the quickstart does not become ready:\n{said}").into());
        }
        std::thread::yield_now();
    }
    Ok((process, start.elapsed()))
}

fn well(health: SocketAddr) -> bool {
    get(health, "/").is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}
