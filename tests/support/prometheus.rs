//! A real Prometheus for tests: the server of Debian's package, scraping one port of this machine every second.
//!
//! It listens on a free port of the loopback interface, keeps its data in a folder of its own and is killed, by its
//! id, when dropped.

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
pub struct PrometheusServer {
    address: SocketAddr,
    folder: PathBuf,
    _process: Child,
}

/// Whether `program` can be run. A test that needs it prints that it was skipped; where `CI` is set it must be there.
pub fn available(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "`{program}` is missing; install the Debian package prometheus");
    if !found {
        println!("skipped: `{program}` is not installed");
    }
    found
}

impl PrometheusServer {
    /// Starts a server that scrapes `/metrics` of `target`; returns once it answers.
    pub async fn scraping(target: SocketAddr) -> Self {
        let port = port::free();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let folder = std::env::temp_dir().join(format!("lanner-prometheus-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: lanner\n    \
             static_configs:\n      - targets: ['{target}']\n"
        );
        std::fs::write(&config, text).expect("the configuration is written");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus starts");
        let server = Self { address, folder, _process: process };
        server
            .until("ready", |server| async move { get(server.address, "/-/ready", "").await.filter(|a| a.0 == 200) })
            .await;
        server
    }

    /// The instant vector of a query, as `labels => value`, asked for until it has a sample.
    pub async fn query(&self, query: &str) -> serde_json::Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/api/v1/query?query={encoded}");
        let path = path.as_str();
        self.until(query, |server| async move {
            let (_, body) = get(server.address, path, "").await?;
            let answer: serde_json::Value = serde_json::from_str(&body).ok()?;
            let result = answer["data"]["result"].clone();
            result.as_array().is_some_and(|found| !found.is_empty()).then_some(result)
        })
        .await
    }

    /// Asks again and again, for at most 60 seconds.
    async fn until<'a, T, F: Future<Output = Option<T>>>(&'a self, what: &str, ask: impl Fn(&'a Self) -> F) -> T {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(answer) = ask(self).await {
                return answer;
            }
            assert!(Instant::now() < end, "no answer from Prometheus in time: {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for PrometheusServer {
    fn drop(&mut self) {
        // Best effort: what is left lies in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Status and body of a GET; `None` when there is no answer. HTTP/1.0, so that the body ends with the connection.
pub async fn get(address: SocketAddr, path: &str, accept: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
