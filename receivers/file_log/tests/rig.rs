//! `Rig`: a folder with files, a running receiver and what it delivers.

use crate::file_log::{config::Config, follow::Follower};
use lanner_engine::{
    prelude::*,
    telemetry::Telemetry,
    testing::{Capture, MemoryStorage, planning},
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// Far more than anything here should take.
pub const LATE: Duration = Duration::from_secs(120);

/// A folder of its own, deleted at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lanner-file-log-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a test needs; receivers come and go, the files and the storage stay.
pub struct Rig {
    pub folder: Scratch,
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub storage: MemoryStorage,
    drain: Drain,
    running: Option<JoinHandle<Result<(), BoxError>>>,
}

impl Rig {
    pub fn new() -> Self {
        Self {
            folder: Scratch::new(),
            capture: Capture::new(),
            telemetry: Telemetry::default(),
            storage: MemoryStorage::default(),
            drain: Drain::new(),
            running: None,
        }
    }

    /// `include` below the folder, and from the beginning.
    pub fn config(&self, include: &str) -> Config {
        Config {
            include: vec![self.pattern(include)],
            start_at: super::super::config::StartAt::Beginning,
            ..Config::default()
        }
    }

    pub fn pattern(&self, pattern: &str) -> String {
        format!("{}/{pattern}", self.folder.path().display())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends to a file, making it and its folder if need be.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_ref()).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// A receiver that is built and does not run.
    pub async fn build(&self, config: Config) -> Follower {
        self.build_opening(config, crate::file_log::blocks::open).await
    }

    /// The same with another way to open files.
    pub async fn build_opening(&self, config: Config, open: fn(&Path) -> std::io::Result<fs::File>) -> Follower {
        let (plan, findings) = planning(|cx| config.clone().check(cx));
        let plan = plan.unwrap_or_else(|| panic!("{findings:?}"));
        let id = "file_log".parse().unwrap();
        let cx = BuildCx::new(Kind::Receiver, id, self.telemetry.clone(), Default::default());
        plan.open_with(&self.storage.offer(&"store".parse().unwrap(), cx), open).await.unwrap()
    }

    /// Runs a receiver until [`Rig::stop`] or [`Rig::kill`].
    pub async fn start(&mut self, config: Config) {
        let follower = self.build(config).await;
        self.run(follower);
    }

    pub fn run(&mut self, follower: Follower) {
        self.drain = Drain::new();
        self.running = Some(tokio::spawn(Box::new(follower).run(self.capture.consumer(), self.drain.clone())));
    }

    /// Drains.
    pub async fn stop(&mut self) {
        self.drain.request();
        timeout(LATE, self.running.take().unwrap()).await.expect("ends on drain").unwrap().unwrap();
    }

    /// Ends the receiver where it stands, as a crash would.
    pub async fn kill(&mut self) {
        let running = self.running.take().unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }

    /// Returns once `count` records were delivered in all.
    pub async fn items(&self, count: usize) {
        if timeout(LATE, self.capture.items(count)).await.is_err() {
            panic!("{} of {count} records, failed {:?}", self.capture.records().len(), self.capture.failed());
        }
    }

    /// Lets the receiver look at the files a few times; for what must not happen. With the clock paused only.
    pub async fn look(&self) {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// The bodies of all records that are text.
    pub fn texts(&self) -> Vec<String> {
        self.capture.records().iter().map(|record| record.body.as_str().unwrap_or("(no text)").to_owned()).collect()
    }

    /// The ids of all records.
    pub fn uids(&self) -> Vec<String> {
        let key = Key::intern("log.record.uid");
        self.capture.records().iter().map(|record| record.attrs.get_str(&key).unwrap().to_owned()).collect()
    }

    /// The sum of a metric, over all series with this label's value; an empty one takes all.
    pub fn metric(&self, metric: &str, label: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        let series = metrics.iter().filter(|found| found.name == metric).flat_map(|found| &found.series);
        let wanted = series.filter(|(labels, _)| label.is_empty() || labels.iter().any(|(_, value)| value == label));
        wanted.map(|(_, value)| value).sum()
    }
}
