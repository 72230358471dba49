//! One measurement: start the peer, warm it up, send, wait for the last event, read the CPU time.

use crate::{
    Error,
    load::{self, Sent},
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

/// What was measured.
pub struct Measured {
    pub sent: Sent,
    pub delivered: u64,
    pub cpu: Duration,
    /// KiB.
    pub peak_memory: u64,
}

impl Measured {
    /// Accepted, but not delivered.
    pub fn lost(&self) -> u64 {
        self.sent.accepted.saturating_sub(self.delivered)
    }

    pub fn cpu_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.delivered.max(1) as f64
    }
}

/// Measures the bare server.
pub fn floor(pinning: &Pinning, length: Duration) -> Result<Measured, Error> {
    let mut command = pinning.peer(&env::current_exe()?);
    command.arg("floor");
    let mut floor = Counting::start(command)?;
    let address = local(floor.port);
    send(address, warm_up(length))?;
    let before = (floor.count()?, floor.process.cpu()?);
    let sent = send(address, length)?;
    Ok(Measured {
        sent,
        delivered: floor.count()? - before.0,
        cpu: floor.process.cpu()? - before.1,
        peak_memory: floor.process.peak_memory()?,
    })
}

/// Measures Lanner, `falco_http` to `otlp_grpc`.
pub fn lanner(program: &Path, pinning: &Pinning, length: Duration) -> Result<Measured, Error> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("sink");
    let mut sink = Counting::start(command)?;
    let address = local(free_port()?);
    let config = Config::write(address, local(sink.port))?;
    let mut command = pinning.peer(program);
    command.args(["run", "--config"]).arg(&config.0).stdout(Stdio::null()).stderr(Stdio::null());
    let mut lanner = Process::start(command)?;
    wait_for(&mut lanner, address)?;
    let warm = send(address, warm_up(length))?;
    let arrived = arrived(&mut sink, warm.accepted)?;
    let before = lanner.cpu()?;
    let sent = send(address, length)?;
    let delivered = self::arrived(&mut sink, arrived + sent.accepted)? - arrived;
    Ok(Measured { sent, delivered, cpu: lanner.cpu()? - before, peak_memory: lanner.peak_memory()? })
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

fn send(address: SocketAddr, length: Duration) -> Result<Sent, Error> {
    tokio::runtime::Runtime::new()?.block_on(load::send(address, length))
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
fn arrived(sink: &mut Counting, expected: u64) -> Result<u64, Error> {
    let mut count = sink.count()?;
    let mut last = Instant::now();
    while count < expected && last.elapsed() < SILENCE {
        pause();
        let now = sink.count()?;
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
    fn write(receiver: SocketAddr, sink: SocketAddr) -> Result<Self, Error> {
        let path = env::temp_dir().join(format!("lanner-bench-{}.yaml", std::process::id()));
        let text = format!(
            "receivers:\n  falco_http:\n    endpoint: {receiver}\n\
             exporters:\n  otlp_grpc:\n    endpoint: http://{sink}\n    compression: none\n    tls: {{insecure: true}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}\n"
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
