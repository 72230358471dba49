//! The binary as a process.

use super::{curl, wait};
use std::{
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

/// A running `lanner run`. Killed when dropped.
pub struct Lanner {
    child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Removed with everything in it when dropped.
    pub dir: TempDir,
}

/// A folder of a test.
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new, empty folder.
    pub fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lanner-e2e-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The binary under test: `LANNER_BINARY` (the test script sets it to the release build, which is what users run and
/// what can take the load of these tests), else the one that was built with the tests.
pub fn binary() -> PathBuf {
    std::env::var_os("LANNER_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_lanner").into(), PathBuf::from)
}

/// Runs the binary to its end.
pub fn command(args: &[&str]) -> std::process::Output {
    Command::new(binary()).args(args).env("NO_COLOR", "1").output().unwrap()
}

/// The same with something on standard input.
pub fn command_with(args: &[&str], stdin: &[u8]) -> std::process::Output {
    let mut child = Command::new(binary())
        .args(args)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program that has seen enough may end before it has read everything.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

impl Lanner {
    /// Starts with this configuration and waits until it is ready.
    pub fn start(config: &str) -> Self {
        let dir = TempDir::new();
        let path = dir.path().join("config.yaml");
        std::fs::write(&path, config).unwrap();
        Self::start_with(dir, &["run", "--config", path.to_str().unwrap()])
    }

    /// Starts with these arguments and waits until it is ready.
    pub fn start_with(dir: TempDir, args: &[&str]) -> Self {
        let mut lanner = Self::spawn(dir, args);
        if let Err(status) = lanner.ready(Duration::from_secs(30)) {
            panic!("ended with {status}:\n{}", lanner.stderr());
        }
        lanner
    }

    /// Starts with these arguments and waits for nothing.
    pub fn spawn(dir: TempDir, args: &[&str]) -> Self {
        Self::run(dir, Command::new(binary()).args(args).stdin(Stdio::null()))
    }

    /// The same with a pipe as its standard input.
    pub fn spawn_with_stdin(dir: TempDir, args: &[&str]) -> (Self, ChildStdin) {
        let mut lanner = Self::run(dir, Command::new(binary()).args(args).stdin(Stdio::piped()));
        let pipe = lanner.child.stdin.take().unwrap();
        (lanner, pipe)
    }

    /// Starts with this configuration as `command` says, which lacks the arguments; does not wait.
    pub fn spawn_with(config: &str, mut command: Command) -> Self {
        let dir = TempDir::new();
        let path = dir.path().join("config.yaml");
        std::fs::write(&path, config).unwrap();
        Self::run(dir, command.args(["run", "--config"]).arg(path))
    }

    fn run(dir: TempDir, command: &mut Command) -> Self {
        command.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (pipe, into) = (child.stderr.take().unwrap(), Arc::clone(&stderr));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = into.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { child, stderr, reader: Some(reader), dir }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// It ended before.
    pub fn ready(&mut self, limit: Duration) -> Result<(), ExitStatus> {
        wait::until("Lanner is ready", limit, || {
            if self.stderr().contains("Everything is ready") {
                return Some(Ok(()));
            }
            self.ended().map(Err)
        })
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait(Duration::from_secs(10));
    }

    /// What was written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most resident memory that there ever was, in KiB.
    pub fn peak_rss_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Sends a signal, for example `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// The folder of a process that has ended, for the next one.
    pub fn into_dir(mut self) -> TempDir {
        assert!(!self.is_running());
        std::mem::replace(&mut self.dir, TempDir::new())
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self, limit: Duration) -> (ExitStatus, String) {
        let status = wait::until("Lanner ends", limit, || self.child.try_wait().unwrap());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status, self.stderr())
    }

    /// SIGTERM, then the exit status and the ledger's lines.
    pub fn stop(self) -> Ledger {
        self.stop_by("TERM")
    }

    /// The same by another signal.
    pub fn stop_by(mut self, signal: &str) -> Ledger {
        self.signal(signal);
        let (status, stderr) = self.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}:\n{stderr}");
        Ledger::parse(&stderr)
    }

    /// The sum of a metric at a metrics page, over all series that contain `labels`.
    pub fn metric(url: &str, name: &str, labels: &str) -> f64 {
        let (status, text) = curl::get(url, &[]);
        assert_eq!(status, 200, "{url}");
        sum(&text, name, labels)
    }
}

/// Adds up the series of a metric in Prometheus text.
pub fn sum(text: &str, name: &str, labels: &str) -> f64 {
    text.lines()
        .filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
        })
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

impl Drop for Lanner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ledger as it is printed at exit.
#[derive(Debug)]
pub struct Ledger(Vec<Row>);

/// A line of the ledger.
#[derive(Debug)]
pub struct Row {
    pub route: String,
    pub accepted: u64,
    /// Accepted by an earlier run, and found in a queue on disk.
    pub recovered: u64,
    pub delivered: u64,
    pub queued: u64,
    pub discarded: u64,
    pub rejected: u64,
    pub text: String,
}

impl Ledger {
    fn parse(stderr: &str) -> Self {
        let number = |line: &str, word: &str| -> u64 {
            let after = &line[line.find(word).unwrap() + word.len()..];
            after.trim_start().split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
        };
        let rows = stderr.lines().filter(|line| line.contains(": accepted ") && line.contains(" = delivered "));
        Self(
            rows.map(|line| Row {
                route: line.split(':').next().unwrap().to_owned(),
                accepted: number(line, ": accepted"),
                recovered: if line.contains("+ recovered ") { number(line, "+ recovered") } else { 0 },
                delivered: number(line, "= delivered"),
                queued: number(line, "+ queued"),
                discarded: number(line, "+ discarded"),
                rejected: number(line, "+ rejected"),
                text: line.to_owned(),
            })
            .collect(),
        )
    }

    /// The row of `pipeline -> destination`; the books must close.
    pub fn row(&self, route: &str) -> &Row {
        let row = self.0.iter().find(|row| row.route == route).unwrap_or_else(|| panic!("no {route} in {self:#?}"));
        let sum = row.delivered + row.queued + row.discarded + row.rejected;
        assert_eq!(row.accepted + row.recovered, sum, "{}", row.text);
        assert!(!row.text.contains("DOES NOT ADD UP"), "{}", row.text);
        row
    }
}
