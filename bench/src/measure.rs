//! One measurement: start the peer, warm it up, send, wait for the last event, read the CPU time.

use crate::{
    Error,
    load::{self, Alerts, Sent},
    pinning::Pinning,
    process::{Counting, Process},
};
use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a peer may take to listen.
const STARTUP: Duration = Duration::from_secs(10);
/// Accepted events that have not arrived when nothing arrived for so long are lost.
const SILENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);
/// Connections of a scenario that does not say.
pub const CONNECTIONS: usize = 32;

/// What load is put on which Lanner.
pub struct Setup<'a> {
    pub program: &'a Path,
    pub connections: usize,
    /// Where the sending queue keeps what waits; in memory without.
    pub storage: Option<&'a Path>,
    /// An exporter of one's own instead of `otlp_grpc` to the counting sink.
    pub exporter: Option<&'a dyn Exporter>,
    pub length: Duration,
}

/// Where events go, and how many have come.
pub trait Exporter {
    /// Its type and its keys, in YAML's flow form.
    fn config(&self) -> (&'static str, String);

    /// How many events are there.
    fn count(&self) -> Result<u64, Error>;
}

/// What was measured.
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
    /// Accepted, but not delivered.
    pub fn lost(&self) -> u64 {
        self.sent.accepted.saturating_sub(self.delivered)
    }

    pub fn cpu_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.delivered.max(1) as f64
    }

    /// Accepted events of a second.
    pub fn throughput(&self) -> f64 {
        self.sent.accepted as f64 / self.length.as_secs_f64()
    }
}

/// Measures the bare server.
pub fn floor(pinning: &Pinning, length: Duration) -> Result<Measured, Error> {
    let mut command = pinning.peer(&env::current_exe()?);
    command.arg("floor");
    let mut floor = Counting::start(command)?;
    let address = local(floor.port);
    send(address, CONNECTIONS, Alerts::Repeated, warm_up(length))?;
    let before = (floor.count()?, floor.process.cpu()?);
    let start = Instant::now();
    let sent = send(address, CONNECTIONS, Alerts::Repeated, length)?;
    Ok(Measured {
        sent,
        delivered: floor.count()? - before.0,
        cpu: floor.process.cpu()? - before.1,
        peak_memory: floor.process.peak_memory()?,
        length,
        took: start.elapsed(),
    })
}

/// Measures Lanner, `falco_http` to `otlp_grpc` or to what the setup says.
pub fn lanner(pinning: &Pinning, setup: &Setup<'_>) -> Result<Measured, Error> {
    let Setup { program, connections, storage, exporter, length } = *setup;
    let mut command = Command::new(env::current_exe()?);
    command.arg("sink");
    let mut sink = Counting::start(command)?;
    let address = local(free_port()?);
    let otlp = || {
        ("otlp_grpc", format!("endpoint: 'http://{}', compression: none, tls: {{insecure: true}}", local(sink.port)))
    };
    let config = Config::write(address, exporter.map_or_else(otlp, Exporter::config), storage)?;
    // A database has an event that comes again once.
    let alerts = if exporter.is_some() { Alerts::Unique } else { Alerts::Repeated };
    let mut count = || match exporter {
        Some(exporter) => exporter.count(),
        None => sink.count(),
    };
    let mut command = pinning.peer(program);
    command.args(["run", "--config"]).arg(&config.0).stdout(Stdio::null()).stderr(Stdio::null());
    let mut lanner = Process::start(command)?;
    wait_for(&mut lanner, address)?;
    let warm = send(address, connections, alerts, warm_up(length))?;
    let arrived = arrived(&mut count, warm.accepted)?;
    let (before, start) = (lanner.cpu()?, Instant::now());
    let sent = send(address, connections, alerts, length)?;
    let delivered = self::arrived(&mut count, arrived + sent.accepted)? - arrived;
    let took = start.elapsed();
    Ok(Measured { sent, delivered, cpu: lanner.cpu()? - before, peak_memory: lanner.peak_memory()?, length, took })
}

fn warm_up(length: Duration) -> Duration {
    (length / 4).min(Duration::from_secs(1))
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port that was free a moment ago: the configuration needs one before Lanner listens.
fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind(local(0))?.local_addr()?.port())
}

fn send(address: SocketAddr, connections: usize, alerts: Alerts, length: Duration) -> Result<Sent, Error> {
    tokio::runtime::Runtime::new()?.block_on(load::send(address, connections, alerts, length))
}

fn wait_for(peer: &mut Process, address: SocketAddr) -> Result<(), Error> {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if peer.has_ended() || start.elapsed() > STARTUP {
            return Err(format!("lanner does not listen on {address}; start it by hand with such a config").into());
        }
        pause();
    }
    Ok(())
}

/// Waits until the sink has `expected` records, or nothing new comes. How many it has.
fn arrived(sink: &mut impl FnMut() -> Result<u64, Error>, expected: u64) -> Result<u64, Error> {
    let mut count = sink()?;
    let mut last = Instant::now();
    while count < expected && last.elapsed() < SILENCE {
        pause();
        let now = sink()?;
        if now != count {
            (count, last) = (now, Instant::now());
        }
    }
    Ok(count)
}

#[allow(clippy::disallowed_methods, reason = "no runtime here whose worker could be blocked")]
fn pause() {
    thread::sleep(POLL);
}

/// The configuration file, removed when dropped.
struct Config(PathBuf);

impl Config {
    fn write(receiver: SocketAddr, (exporter, keys): (&str, String), storage: Option<&Path>) -> Result<Self, Error> {
        let path = env::temp_dir().join(format!("lanner-bench-{}.yaml", std::process::id()));
        let (queue, extensions, listed) = match storage {
            Some(directory) => (
                ", sending_queue: {storage: file_storage}",
                format!("extensions:\n  file_storage:\n    directory: {}\n", directory.display()),
                "  extensions: [file_storage]\n",
            ),
            None => ("", String::new(), ""),
        };
        let text = format!(
            "receivers:\n  falco_http:\n    endpoint: {receiver}\n\
             exporters:\n  {exporter}: {{{keys}{queue}}}\n{extensions}\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n{listed}  pipelines:\n    logs: {{receivers: [falco_http], exporters: [{exporter}]}}\n"
        );
        fs::write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // A file left behind in the temporary folder does no harm.
        let _ = fs::remove_file(&self.0);
    }
}
