//! The whole receiver on a stream that a test feeds; the process's own standard input is in the end-to-end tests.

use super::{
    config::Config,
    input::{Claim, Input},
    lines::Lines,
    *,
};
use crate::{container::Wrapping, formats::Format, size::Size, testing::data};
use lanner_engine::{
    component::Factory,
    config::plan_body,
    semantics::is_alert,
    telemetry::Telemetry,
    testing::{Capture, Mood, planning},
};
use std::{
    io::{self, Read},
    sync::mpsc,
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

const LATE: Duration = Duration::from_secs(120);

/// A stream whose pieces a test sends; it ends when the sender is dropped.
struct Pipe(mpsc::Receiver<io::Result<Vec<u8>>>, Vec<u8>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.1.is_empty() {
            match self.0.recv() {
                Ok(piece) => self.1 = piece?,
                Err(_) => return Ok(0),
            }
        }
        let read = self.1.len().min(buffer.len());
        buffer[..read].copy_from_slice(&self.1[..read]);
        self.1.drain(..read);
        Ok(read)
    }
}

struct Rig {
    capture: Capture,
    telemetry: Telemetry,
    drain: Drain,
    pipe: Option<mpsc::Sender<io::Result<Vec<u8>>>>,
    running: JoinHandle<Result<(), BoxError>>,
}

impl Rig {
    fn start(config: Config) -> Self {
        let (capture, telemetry, drain) = (Capture::new(), Telemetry::default(), Drain::new());
        let cx = BuildCx::new(Kind::Receiver, "stdin".parse().unwrap(), telemetry.clone(), Default::default());
        let (pipe, pieces) = mpsc::channel();
        let plan = planning(|cx| config.check(cx)).0.unwrap();
        let reader = plan.open(Input { reader: Box::new(Pipe(pieces, Vec::new())), claim: None }, &cx);
        let running = tokio::spawn(Box::new(reader).run(capture.consumer(), drain.clone()));
        Self { capture, telemetry, drain, pipe: Some(pipe), running }
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        self.pipe.as_ref().unwrap().send(Ok(text.as_ref().to_vec())).unwrap();
    }

    async fn items(&self, count: usize) {
        timeout(LATE, self.capture.items(count)).await.expect("records in time");
    }

    /// Waits for the receiver to end.
    async fn ends(self) -> (Capture, Telemetry, Result<(), BoxError>) {
        let result = timeout(LATE, self.running).await.expect("an end in time").unwrap();
        (self.capture, self.telemetry, result)
    }

    fn texts(capture: &Capture) -> Vec<String> {
        capture.records().iter().map(|record| record.body.as_str().unwrap_or("(no text)").to_owned()).collect()
    }
}

/// Scenario: lines in odd pieces, the last one without a line end; then the input ends.
/// Guarantee: every line once and in order, before the receiver ends without an error.
#[tokio::test]
async fn the_end_of_the_input_is_the_end() {
    let mut rig = Rig::start(Config::default());
    for piece in ["one\nt", "", "wo\r\n", "\n", "thr", "ee\nfour"] {
        rig.write(piece);
    }
    rig.items(3).await;
    rig.pipe = None;
    let (capture, telemetry, result) = rig.ends().await;
    result.unwrap();
    assert_eq!(Rig::texts(&capture), ["one", "two", "three", "four"]);
    assert!(telemetry.snapshot().iter().all(|metric| metric.name != "lanner_receiver_degraded"));
}

/// Scenario: `stop_at_eof: false`.
/// Guarantee: the receiver stays until it is told to stop.
#[tokio::test]
async fn without_stop_at_eof_it_stays() {
    let mut rig = Rig::start(Config { stop_at_eof: false, ..Config::default() });
    rig.write("one\n");
    rig.pipe = None;
    rig.items(1).await;
    // Only now: the thread that reads does not know about paused clocks.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!rig.running.is_finished());
    rig.drain.request();
    rig.ends().await.2.unwrap();
}

/// Scenario: the process is told to stop while the writer keeps the pipe open, once with a free pipeline and once with a
/// busy one.
/// Guarantee: the receiver ends at once; what it had read is delivered where there is room.
#[tokio::test]
async fn a_stop_does_not_wait_for_the_writer() {
    for (mood, delivered) in [(Mood::Taking, 1), (Mood::Busy, 0)] {
        let rig = Rig::start(Config::default());
        rig.capture.set(mood);
        rig.write("one\n");
        match mood {
            Mood::Taking => rig.items(1).await,
            _ => timeout(LATE, rig.capture.waiting(1)).await.unwrap(),
        }
        rig.drain.request();
        let pipe = rig.pipe.clone();
        let (capture, _, result) = rig.ends().await;
        result.unwrap();
        assert_eq!(capture.records().len(), delivered);
        drop(pipe);
    }
}

/// Scenario: a writer that is faster than the pipeline.
/// Guarantee: it is held up after a bounded amount, and every line comes once when the pipeline is back.
#[tokio::test]
async fn a_busy_pipeline_holds_the_writer_up() {
    let mut rig = Rig::start(Config::default());
    rig.capture.set(Mood::Busy);
    let lines: Vec<String> = (0..200_000).map(|line| format!("{line} {}", "x".repeat(20))).collect();
    rig.write(lines.join("\n"));
    timeout(LATE, rig.capture.waiting(1)).await.unwrap();
    rig.capture.set(Mood::Taking);
    rig.pipe = None;
    let (capture, _, result) = rig.ends().await;
    result.unwrap();
    assert!(Rig::texts(&capture) == lines);
    let largest = capture.batches().iter().map(Batch::len).max().unwrap();
    assert!(largest < 20_000, "{largest}");
}

/// Scenario: reading fails in the middle.
/// Guarantee: what was read is delivered, and the receiver ends with the error, which stops the process.
#[tokio::test]
async fn a_broken_input_is_an_error() {
    let rig = Rig::start(Config::default());
    rig.write("one\ntwo");
    rig.pipe.as_ref().unwrap().send(Err(io::Error::other("torn"))).unwrap();
    let (capture, _, result) = rig.ends().await;
    assert_eq!(result.unwrap_err().to_string(), "standard input cannot be read: torn");
    assert_eq!(Rig::texts(&capture), ["one", "two"]);
}

/// Scenario: the team's alerts as Falco pipes them into a program, twice; then a container's split line.
/// Guarantee: each is an alert, with the same ids both times; the split line is one.
#[tokio::test]
async fn alerts_are_alerts() {
    let key = Key::intern("log.record.uid");
    let mut ids: Vec<Vec<Option<String>>> = Vec::new();
    let Some(alerts) = data::lines("dev/falco_alerts.jsonl") else { return };
    for _ in 0..2 {
        let mut rig = Rig::start(Config { format: Format::Falco, ..Config::default() });
        alerts.iter().for_each(|alert| rig.write(format!("{alert}\n")));
        rig.write("Events detected: 7\n");
        rig.pipe = None;
        let (capture, ..) = rig.ends().await;
        assert_eq!(capture.records().len(), alerts.len());
        assert!(capture.records().iter().any(is_alert));
        assert_eq!(capture.failed().get("not_an_alert"), Some(&1));
        ids.push(capture.records().iter().map(|record| record.attrs.get_str(&key).map(str::to_owned)).collect());
    }
    assert_eq!(ids[0], ids[1]);
    let mut rig = Rig::start(Config { container: Wrapping::Cri, ..Config::default() });
    rig.write("2026-01-01T00:00:00Z stdout P hal\n2026-01-01T00:00:01Z stdout F ves\n");
    rig.pipe = None;
    assert_eq!(Rig::texts(&rig.ends().await.0), ["halves"]);
}

/// Scenario: lines around the bound, cut into pieces at every place.
/// Guarantee: the same lines whatever the cut, each with the place where it begins; what is too long is marked.
#[test]
fn the_cut_of_the_stream_does_not_matter() {
    let text = format!("{}\n{}\n{}\r\nshort\nend", "a".repeat(64), "b".repeat(65), "c".repeat(300));
    let whole = |pieces: &[&[u8]]| {
        let (mut lines, mut found) = (Lines::new(64), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, |line| found.push(line)));
        lines.finish(|line| found.push(line));
        found
    };
    let expected = whole(&[text.as_bytes()]);
    let shape: Vec<_> = expected.iter().map(|line| (line.text.len(), line.at, line.cut)).collect();
    assert_eq!(shape, [(64, 0, false), (64, 65, true), (64, 131, true), (5, 433, false), (3, 439, false)]);
    for cut in 0..=text.len() {
        let (left, right) = text.as_bytes().split_at(cut);
        assert_eq!(whole(&[left, right]), expected, "cut at {cut}");
    }
    assert_eq!(whole(&text.as_bytes().chunks(1).collect::<Vec<_>>()), expected);
}

/// Scenario: two receivers in one configuration; then the first is gone.
/// Guarantee: the second cannot be built and is told why; afterwards it can.
#[test]
fn there_is_one_standard_input() {
    let first = Claim::take().unwrap();
    assert!(Claim::take().err().unwrap().to_string().contains("keep one of them"));
    drop(first);
    drop(Claim::take().unwrap());
}

/// Scenario: mistakes in the configuration.
/// Guarantee: each is reported with its remedy.
#[test]
fn mistakes_are_found_before_the_start() {
    let findings = |yaml: &str| plan_body(&Factory::receiver::<Stdin>(), yaml).rendered();
    assert!(findings("max_log_size: 3").contains("choose 64 to"));
    assert!(findings("format: xml").contains("k8s_audit"), "{}", findings("format: xml"));
    assert!(findings("storage: x").contains("storage"));
    assert_eq!(Config::default().max_log_size, Size(1 << 20));
}
