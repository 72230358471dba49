//! A real NATS server for tests: Debian's `nats-server` with JetStream.
//!
//! It listens on a port of the loopback interface, keeps its data in a folder of its own, and is killed, by its id, when dropped.
//! What a stream holds is read with the plain client, so that the code under test does not judge itself.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by tests; what fails there ends the test"
)]

use super::port;
use serde_json::{Value as Json, json};
use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Longer than anything takes that is not broken.
const SOON: Duration = Duration::from_secs(60);
/// Where Debian puts it.
const PROGRAMS: [&str; 2] = ["nats-server", "/usr/sbin/nats-server"];

/// A server.
pub struct NatsServer {
    pub port: u16,
    folder: PathBuf,
    process: Child,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub subject: String,
    pub sequence: u64,
    pub data: Vec<u8>,
    /// As it went over the wire.
    pub headers: String,
}

impl Stored {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.data).unwrap()
    }
}

/// The program. Without it a test prints that it was skipped; where `CI` is set it must be there.
fn program() -> Option<&'static str> {
    let runs =
        |program: &&&str| std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    let found = PROGRAMS.iter().find(runs).copied();
    let needed = std::env::var_os("CI").is_some();
    assert!(found.is_some() || !needed, "nats-server is missing; install the Debian package nats-server");
    if found.is_none() {
        eprintln!("SKIPPED: nats-server is not installed");
    }
    found
}

impl NatsServer {
    /// Starts a server and does not wait for it; for where nothing can be waited for.
    ///
    /// # Panics
    /// There is no such program.
    pub fn start_unawaited() -> Self {
        let (port, folder) = place();
        assert!(program().is_some(), "nats-server is missing; install the Debian package nats-server");
        Self { port, process: spawn(port, &folder, ""), folder }
    }

    /// Starts a server; returns once it answers. `None` where there is no such program.
    pub async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// The same with further lines of configuration; `{folder}` is its folder.
    pub async fn start_with(more: &str) -> Option<Self> {
        program()?;
        loop {
            let (port, folder) = place();
            let mut server = Self { port, process: spawn(port, &folder, more), folder };
            if server.until_up().await {
                return Some(server);
            }
            // Another program took the port in the meantime.
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(&mut self) {
        let id = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        timeout(SOON, self.process.wait()).await.expect("it must stop").unwrap();
    }

    /// Starts it again on the same port and data, with the configuration it had.
    pub async fn restart(&mut self) {
        let end = Instant::now() + SOON;
        loop {
            self.process = spawn_configured(&self.folder);
            if self.until_up().await {
                return;
            }
            assert!(Instant::now() < end, "nats-server does not start again");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The same with other lines of configuration.
    pub async fn restart_with(&mut self, more: &str) {
        configure(self.port, &self.folder, more);
        self.restart().await;
    }

    /// A plain client.
    pub async fn client(&self) -> async_nats::Client {
        self.client_with(async_nats::ConnectOptions::new()).await
    }

    /// A plain client with these options.
    pub async fn client_with(&self, options: async_nats::ConnectOptions) -> async_nats::Client {
        let options = options.retry_on_initial_connect();
        timeout(SOON, options.connect(self.url())).await.expect("it must answer").expect("it must accept the client")
    }

    /// Makes a stream of these subjects; `more` is merged into its configuration.
    pub async fn make_stream(&self, name: &str, subjects: &[&str], more: Json) {
        let mut config = json!({"name": name, "subjects": subjects, "storage": "file", "num_replicas": 1});
        config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = ask(&self.client().await, &format!("STREAM.CREATE.{name}"), &config).await;
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// What JetStream knows of a consumer.
    pub async fn consumer(&self, stream: &str, name: &str) -> Json {
        ask(&self.client().await, &format!("CONSUMER.INFO.{stream}.{name}"), &json!({})).await
    }

    /// Everything a stream holds, in order.
    pub async fn stored(&self, stream: &str) -> Vec<Stored> {
        stored(&self.client().await, stream).await
    }

    /// Waits until the server answers; whether it does, or has ended instead.
    async fn until_up(&mut self) -> bool {
        let end = Instant::now() + SOON;
        loop {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            let mut greeting = [0; 4];
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await
                && stream.read_exact(&mut greeting).await.is_ok()
                && greeting == *b"INFO"
            {
                return true;
            }
            assert!(Instant::now() < end, "nats-server does not answer");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // The process is killed by its handle; what it still writes lies in the temporary folder.
        let _ = self.process.start_kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A free port and a folder.
fn place() -> (u16, PathBuf) {
    let port = port::free();
    let folder = std::env::temp_dir().join(format!("lanner-nats-{}-{port}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    (port, folder)
}

fn configure(port: u16, folder: &std::path::Path, more: &str) {
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{0}/data\", max_memory_store: 64MB, max_file_store: 1GB }}\n{more}\n",
        folder.display()
    );
    std::fs::write(folder.join("server.conf"), text).unwrap();
}

fn spawn(port: u16, folder: &std::path::Path, more: &str) -> Child {
    configure(port, folder, more);
    spawn_configured(folder)
}

fn spawn_configured(folder: &std::path::Path) -> Child {
    Command::new(program().expect("it was there before"))
        .arg("--config")
        .arg(folder.join("server.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("nats-server starts")
}

/// Publishes a message and waits until a stream has it.
pub async fn publish(client: &async_nats::Client, subject: &str, payload: impl Into<Vec<u8>>) {
    let answer = client.request(subject.to_owned(), payload.into().into()).await.unwrap();
    let answer: Json = serde_json::from_slice(&answer.payload).unwrap();
    assert!(answer["seq"].is_u64(), "{answer}");
}

/// Asks JetStream's API. It may not be up yet after a start, so nobody answering is asked again.
pub async fn ask(client: &async_nats::Client, what: &str, body: &Json) -> Json {
    let (end, subject) = (Instant::now() + SOON, format!("$JS.API.{what}"));
    loop {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client.request(subject.clone(), body.into()).await;
        match answer {
            Ok(answer) => return serde_json::from_slice(&answer.payload).unwrap(),
            Err(error) => assert!(Instant::now() < end, "{what}: {error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Everything a stream holds, in order.
pub async fn stored(client: &async_nats::Client, stream: &str) -> Vec<Stored> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let info = ask(client, &format!("STREAM.INFO.{stream}"), &json!({})).await;
    let number = |key: &str| info["state"][key].as_u64().unwrap_or_else(|| panic!("{stream}: {info}"));
    let mut all = Vec::new();
    for sequence in number("first_seq").max(1)..=number("last_seq") {
        let answer = ask(client, &format!("STREAM.MSG.GET.{stream}"), &json!({"seq": sequence})).await;
        let message = &answer["message"];
        // What was deleted, in a stream of work, leaves a gap.
        let Some(subject) = message["subject"].as_str() else { continue };
        let decoded = |key: &str| STANDARD.decode(message[key].as_str().unwrap_or_default()).unwrap();
        let headers = String::from_utf8(decoded("hdrs")).unwrap();
        all.push(Stored { subject: subject.to_owned(), sequence, data: decoded("data"), headers });
    }
    all
}
