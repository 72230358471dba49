//! `docker_logs`: an engine that can be taken away, with one container that writes alerts.

use crate::docker_logs::{
    DockerLogs,
    tests::fake_engine::{FakeContainer, FakeEngine},
};
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};

/// Nanoseconds since 1970 of the first line.
const FIRST: u64 = 1_795_352_284_000_000_000;
/// Nanoseconds between two lines.
const STEP: u64 = 1_000_000;
/// The daemon cuts lines into parts of so many bytes.
const PART: usize = 16 << 10;

struct Daemon {
    engine: FakeEngine,
    lines: u64,
}

impl Daemon {
    /// Writes a line as the daemon does, in parts.
    fn line(&mut self, content: &str) {
        let line = format!("{content}\n");
        let parts = line.as_bytes().chunks(PART);
        for part in parts {
            let part = std::str::from_utf8(part).expect("ASCII");
            self.engine.write("c1", 1, FIRST + self.lines * STEP, part);
        }
        self.lines += 1;
    }

    fn alert(&self, output: &str) -> String {
        super::alert(output, usize::try_from(self.lines).unwrap())
    }
}

#[async_trait]
impl Source for Daemon {
    fn config(&self, _: &Place) -> String {
        format!("{{endpoint: '{}', include: {{names: [falco]}}, start_at: beginning}}", self.engine.endpoint())
    }

    async fn add(&mut self, count: usize) {
        for _ in 0..count {
            let alert = self.alert("a shell");
            self.line(&alert);
        }
    }

    async fn add_invalid(&mut self) {
        self.line("Falco initialized with configuration file");
    }

    async fn add_oversized(&mut self) {
        let alert = self.alert(&"x".repeat(8 << 20));
        self.line(&alert);
    }

    async fn leave(&mut self) {
        self.engine.leave();
    }

    async fn come_back(&mut self) {
        self.engine.come_back();
    }
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`docker_logs`",
        factory: Factory::receiver::<DockerLogs>(),
        source: || {
            let engine = FakeEngine::start();
            engine.add("c1", FakeContainer::running("falco"));
            Box::new(Daemon { engine, lines: 0 })
        },
        supply: Supply::Added,
        invalid: Some(Fate::Counted("not_an_alert")),
        oversized: Some(Fate::Counted("not_an_alert")),
        leaves: true,
    }
}
