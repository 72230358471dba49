//! `stdin`: what somebody writes into a pipe. A test program has only one standard input, so the receiver under test gets a
//! pipe of its own; everything behind the reading end is the receiver that users have.

use crate::stdin::{self, config::Config as StdinConfig, input::Input};
use async_trait::async_trait;
use lanner_engine::{
    prelude::*,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    io::{PipeReader, Write, pipe},
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

/// Longest line of the configuration.
const MAX_LINE: usize = 64 << 10;

/// Reading ends that wait for their receiver.
static PIPES: Mutex<BTreeMap<u32, PipeReader>> = Mutex::new(BTreeMap::new());

/// The receiver with a pipe in the place of standard input.
struct Piped;

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct Config {
    /// Number of the pipe.
    pipe: u32,
    stdin: StdinConfig,
}

struct Plan {
    pipe: u32,
    plan: stdin::config::Plan,
}

impl Component for Piped {
    const TYPE: &'static str = stdin::Stdin::TYPE;
    const STABILITY: Stability = stdin::Stdin::STABILITY;
    const SIGNALS: Signals = stdin::Stdin::SIGNALS;
    const README: &'static str = stdin::Stdin::README;
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        Some(Plan { pipe: config.pipe, plan: config.stdin.check(cx)? })
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        let reader = PIPES.lock().remove(&self.pipe).ok_or("the pipe has a receiver already")?;
        Ok(Box::new(self.plan.open(Input { reader: Box::new(reader), claim: None }, cx)))
    }
}

/// Whoever writes.
struct Writer {
    pipe: u32,
    /// To the thread that writes: a full pipe must not hold up the runtime that is to empty it.
    text: mpsc::Sender<String>,
    lines: usize,
}

impl Writer {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pipe, (reader, mut end)) = (COUNT.fetch_add(1, Relaxed), pipe().unwrap());
        PIPES.lock().insert(pipe, reader);
        let (text, texts) = mpsc::channel::<String>();
        // Ends with the writer, or when nobody reads any more.
        thread::spawn(move || texts.iter().all(|text| end.write_all(text.as_bytes()).is_ok()));
        Self { pipe, text, lines: 0 }
    }

    fn line(&mut self, content: &str) {
        self.text.send(format!("{content}\n")).unwrap();
    }

    fn alert(&mut self, output: &str) {
        self.lines += 1;
        self.line(&super::alert(output, self.lines));
    }
}

#[async_trait]
impl Source for Writer {
    fn config(&self, _: &Place) -> String {
        format!("{{pipe: {}, stdin: {{format: falco, max_log_size: {MAX_LINE}}}}}", self.pipe)
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
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`stdin`",
        factory: Factory::receiver::<Piped>(),
        source: || Box::new(Writer::new()),
        supply: Supply::Added,
        invalid: Some(Fate::Counted("not_an_alert")),
        oversized: Some(Fate::Counted("not_an_alert")),
        leaves: false,
    }
}
