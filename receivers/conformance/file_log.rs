//! `file_log`: a file that grows, is moved away and comes back.

use crate::file_log::FileLog;
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Longest line of the configuration.
const MAX_LINE: usize = 64 << 10;

/// A folder with one file.
struct Folder {
    path: PathBuf,
    lines: usize,
}

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lanner-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self { path, lines: 0 }
    }

    fn alert(&mut self, output: &str) {
        self.lines += 1;
        self.line(&super::alert(output, self.lines));
    }

    fn line(&self, content: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path.join("falco.log")).unwrap();
        file.write_all(format!("{content}\n").as_bytes()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[async_trait]
impl Source for Folder {
    fn config(&self, _: &Place) -> String {
        format!(
            "{{include: ['{}/*.log'], start_at: beginning, format: falco, poll_interval: 20ms, max_log_size: {MAX_LINE}}}",
            self.path.display()
        )
    }

    async fn add(&mut self, count: usize) {
        for _ in 0..count {
            self.alert("a shell");
        }
    }

    async fn add_invalid(&mut self) {
        self.line("Falco initialized with configuration file");
    }

    async fn add_oversized(&mut self) {
        self.alert(&"x".repeat(4 * MAX_LINE));
    }

    async fn leave(&mut self) {
        fs::rename(self.path.join("falco.log"), self.path.join("falco.away")).unwrap();
    }

    async fn come_back(&mut self) {
        fs::rename(self.path.join("falco.away"), self.path.join("falco.log")).unwrap();
    }
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`file_log`",
        factory: Factory::receiver::<FileLog>(),
        source: || Box::new(Folder::new()),
        supply: Supply::Added,
        invalid: Some(Fate::Counted("not_an_alert")),
        oversized: Some(Fate::Counted("not_an_alert")),
        leaves: true,
    }
}
