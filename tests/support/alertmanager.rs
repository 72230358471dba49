//! A real Alertmanager for tests: the server of Debian's package `prometheus-alertmanager`.
//!
//! It listens on a free port of the loopback interface, belongs to no cluster, keeps its data in a folder of its own and is
//! killed, by its id, when dropped.

use super::port;
use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

/// A running server.
pub struct AlertmanagerServer {
    pub address: SocketAddr,
    folder: PathBuf,
    process: Child,
}

/// The names the program has: Debian's and upstream's.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// The program. Without it a test prints that it was skipped; where `CI` is set it must be there.
fn program() -> Option<&'static str> {
    let runs = |program: &&&str| std::process::Command::new(program).arg("--version").output().is_ok();
    let found = PROGRAMS.iter().find(runs).copied();
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "Alertmanager is missing; install the Debian package prometheus-alertmanager"
    );
    if found.is_none() {
        eprintln!("SKIPPED: Alertmanager is not installed");
    }
    found
}

impl AlertmanagerServer {
    /// Starts a server; returns once it is ready. `None` where there is no such program.
    pub async fn start() -> Option<Self> {
        program()?;
        let port = port::free();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let folder = std::env::temp_dir().join(format!("lanner-alertmanager-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let text = "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n";
        std::fs::write(folder.join("alertmanager.yml"), text).expect("the configuration is written");
        let process = spawn(address, &folder)?;
        let server = Self { address, folder, process };
        server.until_ready().await;
        Some(server)
    }

    /// Kills it and starts it again on the same port and data.
    pub async fn restart(&mut self) {
        self.process.kill().await.expect("it is killed");
        self.process = spawn(self.address, &self.folder).expect("it starts again");
        self.until_ready().await;
    }

    /// Kills it and waits until it is gone.
    pub async fn stop(&mut self) {
        self.process.kill().await.expect("it is killed");
    }

    /// The active alerts, asked for until `enough` says so, for at most 30 seconds.
    pub async fn alerts(&self, what: &str, enough: impl Fn(&[serde_json::Value]) -> bool) -> Vec<serde_json::Value> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let alerts = match get(self.address, "/api/v2/alerts?active=true").await {
                Some((200, body)) => serde_json::from_str::<Vec<serde_json::Value>>(&body).unwrap_or_default(),
                _ => Vec::new(),
            };
            if enough(&alerts) {
                return alerts;
            }
            assert!(Instant::now() < end, "Alertmanager does not show in time: {what}; it shows {alerts:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while get(self.address, "/-/ready").await.is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < end, "Alertmanager does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for AlertmanagerServer {
    fn drop(&mut self) {
        // Best effort: what is left lies in the temporary folder; the process is killed by its handle.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(address: SocketAddr, folder: &std::path::Path) -> Option<Child> {
    let child = Command::new(program()?)
        .arg(format!("--config.file={}", folder.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .arg("--log.level=error")
        .kill_on_drop(true)
        .spawn();
    Some(child.expect("Alertmanager starts"))
}

/// Status and body of a GET; `None` when there is no answer. HTTP/1.0, so that the body ends with the connection.
async fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
