//! One measurement: start the peer, warm it up, send, wait for the last event, read the CPU time.
//!
//! Promises: peer and destination are fresh processes; the clock runs over the same connections as the warm-up; CPU time counts
//! until the last event is at its destination; nothing is waited for without an end.

use crate::{
    Bench, Error,
    arrivals::Arrivals,
    disk::Folder,
    load::{Senders, Sent},
    pause::pause,
    pinning::Pinning,
    ports::{free_port, local},
    process::{Counter, Process},
    scenario::{Peer, Scenario},
};
use std::{
    env, fs,
    fs::File,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// How long a peer may take to listen.
const STARTUP: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(10);

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    pub sent: Sent,
    pub delivered: u64,
    pub cpu: Duration,
    /// KiB.
    pub peak_memory: u64,
    /// How long was sent.
    pub length: Duration,
    /// From the first request to the last event at its destination.
    pub took: Duration,
}

impl Measured {
    /// Was to arrive, but did not.
    pub fn lost(&self) -> u64 {
        self.sent.arrivals.saturating_sub(self.delivered)
    }

    pub fn cpu_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.sent.accepted.max(1) as f64
    }

    /// Accepted events of a second.
    pub fn throughput(&self) -> f64 {
        self.sent.accepted as f64 / self.length.as_secs_f64()
    }

    /// Why the figures mean nothing: something was lost, had no answer, or nothing was taken at all.
    pub fn problem(&self, name: &str) -> Option<String> {
        let Sent { accepted, failed, .. } = self.sent;
        match (self.lost(), failed, accepted) {
            (0, 0, 1..) => None,
            (0, 0, 0) => Some(format!("{name}: the peer took no event")),
            (lost, failed, _) => {
                Some(format!("{name}: {lost} accepted events did not arrive, {failed} requests had no answer"))
            }
        }
    }
}

/// Measures for as long as `bench` says.
pub fn measure(bench: &Bench, pinning: &Pinning, scenario: &Scenario) -> Result<Measured, Error> {
    pinning.apply();
    let length = bench.length;
    let folder = Folder::new(&bench.directory)?;
    let (peer, address, mut arrivals) = start(bench, pinning, scenario, &folder)?;
    let runtime = Runtime::new()?;
    let mut senders = runtime.block_on(Senders::connect(&scenario.load, address))?;
    let warm = runtime.block_on(senders.send((length / 4).min(Duration::from_secs(1))))?;
    let arrived = arrivals.wait_for(warm.arrivals)?;
    let (before, start) = (peer.cpu()?, Instant::now());
    let sent = runtime.block_on(senders.send(length))?;
    let delivered = arrivals.wait_for(arrived + sent.arrivals)? - arrived;
    let took = start.elapsed();
    Ok(Measured { sent, delivered, cpu: peer.cpu()? - before, peak_memory: peer.peak_memory()?, length, took })
}

/// Starts the peer and what its events go to.
fn start(
    bench: &Bench,
    pinning: &Pinning,
    scenario: &Scenario,
    folder: &Folder,
) -> Result<(Process, SocketAddr, Arrivals), Error> {
    match &scenario.peer {
        Peer::Floor => {
            let mut command = pinning.peer(&env::current_exe()?);
            command.arg("floor");
            let (process, counter) = Counter::start(command)?;
            let address = local(counter.port);
            Ok((process, address, Arrivals::Child { counter, _process: None }))
        }
        Peer::Lanner(config) => {
            let (arrivals, out) = Arrivals::at(&scenario.destination)?;
            let address = local(free_port()?);
            let config = config
                .replace("$IN", &address.to_string())
                .replace("$OUT", &out.to_string())
                .replace("$DISK", &folder.0.join("state").display().to_string());
            let path = folder.0.join("lanner.yaml");
            fs::write(&path, config)?;
            let mut lanner = lanner(bench, pinning, &path, &[], folder)?;
            wait_for(&mut lanner, address, folder)?;
            Ok((lanner, address, arrivals))
        }
    }
}

/// Starts Lanner with a configuration and what is set over it; what it says goes to a file.
pub fn lanner(
    bench: &Bench,
    pinning: &Pinning,
    config: &Path,
    set: &[String],
    folder: &Folder,
) -> Result<Process, Error> {
    let mut command = pinning.peer(&bench.lanner);
    command.args(["run", "--config"]).arg(config);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.log())?);
    Process::start(command)
}

fn wait_for(peer: &mut Process, address: SocketAddr, folder: &Folder) -> Result<(), Error> {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if peer.has_ended() || start.elapsed() > STARTUP {
            let said = fs::read_to_string(folder.log()).unwrap_or_default();
            return Err(format!("lanner does not listen on {address}:\n{said}").into());
        }
        pause(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: everything arrived; some arrived twice; one is missing; a request had no answer; nothing was accepted.
    /// Guarantee: only the first two are figures that mean something.
    #[test]
    fn a_lost_event_is_a_problem() {
        let problem = |[accepted, arrivals, delivered, failed]: [u64; 4]| {
            let sent = Sent { accepted, arrivals, failed, ..Sent::default() };
            let (length, took) = (Duration::from_secs(1), Duration::from_secs(1));
            Measured { sent, delivered, cpu: Duration::ZERO, peak_memory: 0, length, took }.problem("S1").is_some()
        };
        let cases = [[10, 10, 10, 0], [10, 10, 11, 0], [400, 25, 25, 0], [10, 10, 9, 0], [10, 10, 10, 1], [0, 0, 0, 0]];
        assert_eq!(cases.map(problem), [false, false, false, true, true, true]);
    }
}
