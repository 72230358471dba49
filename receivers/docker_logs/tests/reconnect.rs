//! The whole receiver against an engine that misbehaves.

use super::fake_engine::{FakeContainer, FakeEngine, Reply};
use crate::docker_logs::{Config, Filter, NonJson, StartAt, StreamName};
use lanner_engine::{
    component::ReceiverPlan,
    prelude::*,
    telemetry::Telemetry,
    testing::{Capture, Mood},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{task::JoinHandle, time::timeout};

const LONG: Duration = Duration::from_secs(30);
pub const NOW: u64 = 1_795_352_284_000_000_000;

pub struct Running {
    pub capture: Capture,
    telemetry: Telemetry,
    drain: Drain,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Running {
    async fn start(engine: &FakeEngine) -> Self {
        Self::start_with(engine, |_| ()).await
    }

    pub async fn start_with(engine: &FakeEngine, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(engine, change, |cx| cx).await
    }

    /// In these surroundings.
    pub async fn start_in(
        engine: &FakeEngine,
        change: impl FnOnce(&mut Config),
        surroundings: impl FnOnce(BuildCx) -> BuildCx,
    ) -> Self {
        let mut config = Config {
            endpoint: Some(engine.endpoint()),
            include: Filter { names: vec!["falco*".into()], ..Filter::default() },
            streams: vec![StreamName::Stdout, StreamName::Stderr],
            start_at: StartAt::Beginning,
            non_json: NonJson::Keep,
            ..Config::default()
        };
        change(&mut config);
        let plan = config.check(|path, problem| panic!("{path}: {problem}")).unwrap();
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Receiver, "docker_logs".parse().unwrap(), telemetry.clone(), Default::default());
        let receiver = Box::new(plan).build(&surroundings(cx)).await.unwrap();
        let (capture, drain) = (Capture::new(), Drain::new());
        let task = tokio::spawn(receiver.run(capture.consumer(), drain.clone()));
        Self { capture, telemetry, drain, task }
    }

    pub async fn items(&self, count: usize) {
        let waited = timeout(LONG, self.capture.items(count)).await;
        assert!(waited.is_ok(), "{} of {count} records came", self.capture.records().len());
    }

    pub fn metric(&self, name: &str) -> i64 {
        let all = self.telemetry.snapshot();
        all.iter().filter(|metric| metric.name == name).flat_map(|metric| &metric.series).map(|(_, value)| value).sum()
    }

    pub async fn stop(self) -> Capture {
        self.drain.request();
        timeout(LONG, self.task).await.expect("the receiver drains").unwrap().unwrap();
        self.capture
    }
}

pub async fn poll(done: impl FnMut() -> bool) {
    poll_for(LONG, done).await;
}

pub async fn poll_for(limit: Duration, mut done: impl FnMut() -> bool) {
    let polled = timeout(limit, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(polled.await.is_ok(), "it never came to that");
}

/// A container with these lines on stdout, a millisecond apart.
pub fn with_lines(name: &str, lines: impl IntoIterator<Item = String>) -> FakeContainer {
    let mut container = FakeContainer::running(name);
    for (index, line) in lines.into_iter().enumerate() {
        container.write(1, NOW + index as u64 * 1_000_000, &format!("{line}\n"));
    }
    container
}

pub fn bodies(capture: &Capture) -> Vec<String> {
    capture.records().iter().map(|record| record.body.as_str().unwrap_or_default().to_owned()).collect()
}

pub fn uids(capture: &Capture) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in capture.records() {
        let uid = record.attrs.get_str(&Key::intern("log.record.uid")).unwrap().to_owned();
        *counts.entry(uid).or_default() += 1;
    }
    counts
}

/// Scenario: C3: 50 equal lines with one time; the connection breaks after a third, inside a frame, and after two
/// thirds.
/// Guarantee: exactly 50 records, each with an id of its own.
#[tokio::test]
async fn equal_lines_survive_broken_connections() {
    let engine = FakeEngine::start();
    let mut container = FakeContainer::running("falco");
    for _ in 0..50 {
        container.write(1, NOW, "same\n");
    }
    let frame = 8 + 31 + 5;
    container.replies = [Reply::Cut(17 * frame), Reply::Cut(20 * frame + 13), Reply::Cut(33 * frame)].into();
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(50).await;
    engine.write("c1", 1, NOW + 1, "last\n");
    running.items(51).await;
    assert_eq!(running.metric("lanner.docker_logs.reconnects"), 3);
    assert_eq!(running.metric("lanner.docker_logs.duplicates_removed"), 17 + 20 + 33);
    assert_eq!(running.metric("lanner.docker_logs.possible_rotation_loss"), 0);
    let capture = running.stop().await;
    assert_eq!(capture.records().len(), 51);
    assert!(uids(&capture).len() == 51);
}

/// Scenario: the connection breaks inside a long line of stdout while lines of stderr go on for longer than the overlap.
/// Guarantee: the long line arrives whole and once, and so does every other.
#[tokio::test]
async fn a_half_read_line_comes_again_whole() {
    let engine = FakeEngine::start();
    let mut container = FakeContainer::running("falco");
    let full = "x".repeat(16_384);
    container.write(1, NOW, &full);
    for second in 0..5 {
        container.write(2, NOW + second * 1_000_000_000, &format!("err {second}\n"));
    }
    container.write(1, NOW, "end\n");
    let bytes = 8 + 31 + 16_384 + 5 * (8 + 31 + 6);
    container.replies = [Reply::Cut(bytes)].into();
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(6).await;
    let mut found = bodies(&running.stop().await);
    found.sort();
    let mut expected: Vec<String> = (0..5).map(|second| format!("err {second}")).collect();
    expected.push(format!("{full}end"));
    assert!(found == expected);
}

/// Scenario: C5: the daemon puts an error text and then a damaged frame into a log (type 3, unknown type).
/// Guarantee: neither becomes a record, both are counted, and after a reconnect the log goes on.
#[tokio::test]
async fn daemon_errors_and_damage_are_no_output() {
    let engine = FakeEngine::start();
    let mut container = with_lines("falco", ["one".into(), "two".into()]);
    let error = super::framing::frame(3, b"Error grabbing logs: EOF");
    let damage = super::framing::frame(7, b"?");
    container.replies = [Reply::Before([error, damage].concat())].into();
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(2).await;
    assert_eq!(running.metric("lanner.docker_logs.daemon_errors"), 1);
    assert_eq!(running.metric("lanner.docker_logs.reconnects"), 1);
    assert_eq!(bodies(&running.stop().await), ["one", "two"]);
}

/// Scenario: the daemon ends a log cleanly although the container runs, and answers 500 once.
/// Guarantee: the log goes on from where it was.
#[tokio::test]
async fn an_early_end_and_a_refusal_are_survived() {
    let engine = FakeEngine::start();
    let mut container = with_lines("falco", ["one".into(), "two".into()]);
    container.replies = [Reply::End, Reply::Status(500)].into();
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(2).await;
    poll(|| engine.requests("/logs").len() == 3).await;
    engine.write("c1", 1, NOW + 2_000_000, "three\n");
    running.items(3).await;
    assert_eq!(bodies(&running.stop().await), ["one", "two", "three"]);
}

/// Scenario: C4: while nobody was connected the log was rotated, so that the lines known before are gone.
/// Guarantee: the new lines arrive, and the possible loss is counted, once.
#[tokio::test]
async fn c4_lines_rotated_away_are_suspected() {
    let engine = FakeEngine::start();
    let mut container = with_lines("falco", ["one".into(), "two".into()]);
    container.replies = [Reply::End].into();
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(2).await;
    engine.change("c1", |container| {
        let fresh = with_lines("falco", ["x".into(), "x".into(), "x".into(), "three".into(), "four".into()]);
        *container = fresh;
        container.rotate(3);
    });
    running.items(4).await;
    assert_eq!(running.metric("lanner.docker_logs.possible_rotation_loss"), 1);
    assert_eq!(bodies(&running.stop().await), ["one", "two", "three", "four"]);
}

/// Scenario: C6: a container's logging driver keeps nothing (501); another one is removed between the list and its log
/// (404).
/// Guarantee: the first is reported once and not asked again, not even after a start event; the second is no error.
#[tokio::test]
async fn c6_what_cannot_be_read_is_left_alone() {
    let engine = FakeEngine::start();
    let mut mute = FakeContainer::running("falco-mute");
    mute.replies = [Reply::Status(501)].into();
    engine.add("mute", mute);
    let mut gone = FakeContainer::running("falco-gone");
    gone.replies = [Reply::Status(404)].into();
    engine.add("gone", gone);
    let running = Running::start(&engine).await;
    poll(|| running.metric("lanner.docker_logs.unreadable_containers") == 1 && engine.listeners() == 1).await;
    engine.event("start", "mute", "falco-mute");
    engine.add("c1", with_lines("falco", ["one".into()]));
    engine.event("start", "c1", "falco");
    running.items(1).await;
    assert_eq!(engine.requests("/mute/logs").len(), 1);
    assert_eq!(running.metric("lanner.docker_logs.reconnects"), 0);
    running.stop().await;
}

/// Scenario: a container ends without a last line end, is started again without an event, and is removed and created
/// again with another id; events come late, twice, or only as a new name.
/// Guarantee: each line of every life arrives once, in order.
#[tokio::test]
async fn lives_of_a_container_go_on() {
    let engine = FakeEngine::start();
    let mut container = with_lines("falco", ["one".into()]);
    container.write(1, NOW + 1_000_000, "open");
    engine.add("c1", container);
    let running = Running::start(&engine).await;
    running.items(1).await;
    engine.change("c1", FakeContainer::exit);
    running.items(2).await;
    poll(|| running.metric("lanner.docker_logs.streams") == 0).await;

    engine.change("c1", |container| {
        container.running = true;
        container.starts = 1;
        container.write(1, NOW + 5_000_000_000, "three\n");
    });
    engine.hang_up_events();
    running.items(3).await;

    engine.change("c1", FakeContainer::exit);
    engine.remove("c1");
    engine.add("c2", with_lines("falco", ["four".into()]));
    poll(|| engine.listeners() == 1).await;
    engine.event("start", "c2", "falco");
    engine.event("start", "c2", "falco");
    running.items(4).await;
    engine.add("c3", with_lines("falco-renamed", ["five".into()]));
    engine.event("rename", "c3", "falco-renamed");
    running.items(5).await;
    assert_eq!(running.metric("lanner.docker_logs.incomplete_lines"), 1);
    assert_eq!(bodies(&running.stop().await), ["one", "open", "three", "four", "five"]);
}

/// Scenario: a container lived and ended before its start event is looked at.
/// Guarantee: its log is read to the end.
#[tokio::test]
async fn a_short_life_is_read() {
    let engine = FakeEngine::start();
    let running = Running::start_with(&engine, |config| config.start_at = StartAt::End).await;
    // The lines here are older than this test: only a container that was not there at first is read from its beginning.
    poll(|| engine.listeners() == 1 && !engine.requests("/containers/json").is_empty()).await;
    let mut container = with_lines("falco-short", ["one".into(), "two".into()]);
    container.exit();
    engine.add("c1", container);
    engine.event("start", "c1", "falco-short");
    running.items(2).await;
    assert_eq!(bodies(&running.stop().await), ["one", "two"]);
}

/// Scenario: the pipeline is busy, then the receiver is asked to stop with a half line read.
/// Guarantee: reading stops behind a bounded buffer, and what was read is delivered before the receiver ends.
#[tokio::test]
async fn a_busy_pipeline_loses_nothing() {
    let engine = FakeEngine::start();
    let mut container = with_lines("falco", (0..5000).map(|index| format!("line {index}")));
    container.write(1, NOW + 5_000_000_000, "open");
    engine.add("c1", container);
    let running = Running::start_with(&engine, |_| ()).await;
    running.items(1).await;
    running.capture.set(Mood::Busy);
    engine.write("c1", 2, NOW + 6_000_000_000, "while busy\n");
    timeout(LONG, running.capture.waiting(1)).await.expect("a delivery waits");
    running.drain.request();
    running.capture.set(Mood::Taking);
    let capture = running.stop().await;
    let found = bodies(&capture);
    let lines = found.iter().filter(|body| body.starts_with("line ")).count();
    let distinct = uids(&capture).len();
    assert_eq!(distinct, found.len());
    assert!(lines >= 1 && found[..lines].iter().enumerate().all(|(index, body)| *body == format!("line {index}")));
    assert!(capture.failed().is_empty());
}

/// Scenario: the pipeline is stopping already while lines are read, and refuses everything.
/// Guarantee: the receiver ends, and the lines read behind the refused batch are counted.
#[tokio::test]
async fn a_stopping_pipeline_ends_the_receiver() {
    let engine = FakeEngine::start();
    engine.add("c1", with_lines("falco", (0..3).map(|index| format!("line {index}"))));
    let running = Running::start_with(&engine, |_| ()).await;
    running.items(3).await;
    running.capture.set(Mood::Stuck);
    engine.write("c1", 1, NOW + 10_000_000, "refused\n");
    timeout(LONG, running.capture.waiting(1)).await.expect("a delivery waits");
    engine.write("c1", 1, NOW + 11_000_000, "behind\n");
    poll(|| running.metric("lanner.docker_logs.lines") == 5).await;
    running.drain.request();
    running.capture.set(Mood::Draining);
    let capture = running.stop().await;
    assert_eq!(capture.records().len(), 3);
    assert_eq!(capture.failed(), BTreeMap::from([("stopped", 1)]));
}

/// Scenario: lines that are no alert, with the default `skip`.
/// Guarantee: none passes, each is counted, for the pipeline's ledger as well.
#[tokio::test]
async fn other_lines_are_left_out_and_counted() {
    let engine = FakeEngine::start();
    engine.add("c1", with_lines("falco", (0..10).map(|index| format!("line {index}"))));
    let running = Running::start_with(&engine, |config| config.non_json = NonJson::Skip).await;
    poll(|| running.metric("lanner.docker_logs.skipped_lines") == 10).await;
    let capture = running.stop().await;
    assert!(capture.records().is_empty());
    assert_eq!(capture.failed(), BTreeMap::from([("not_an_alert", 10)]));
}

/// Scenario: more containers than may be read at a time.
/// Guarantee: the others wait, are counted, and are read as soon as one ends.
#[tokio::test]
async fn the_number_of_containers_is_bounded() {
    let engine = FakeEngine::start();
    engine.add("c1", with_lines("falco-1", ["one".into()]));
    engine.add("c2", with_lines("falco-2", ["two".into()]));
    let running = Running::start_with(&engine, |config| config.max_containers = 1).await;
    running.items(1).await;
    poll(|| running.metric("lanner.docker_logs.over_limit") >= 1).await;
    assert_eq!(running.metric("lanner.docker_logs.streams"), 1);
    engine.change("c1", FakeContainer::exit);
    running.items(2).await;
    assert_eq!(bodies(&running.stop().await), ["one", "two"]);
}

/// Scenario: the daemon is not there when Lanner starts.
/// Guarantee: Lanner waits for it, and drains at once meanwhile.
#[tokio::test]
async fn an_absent_daemon_is_waited_for() {
    let engine = FakeEngine::start();
    let endpoint = engine.endpoint();
    drop(engine);
    let config = Config { endpoint: Some(endpoint), ..Config::default() };
    let cx = BuildCx::new(Kind::Receiver, "docker_logs".parse().unwrap(), Telemetry::default(), Default::default());
    let receiver = Box::new(config.check(|_, _| ()).unwrap()).build(&cx).await.unwrap();
    let (capture, drain) = (Capture::new(), Drain::new());
    let task = tokio::spawn(receiver.run(capture.consumer(), drain.clone()));
    tokio::task::yield_now().await;
    drain.request();
    timeout(LONG, task).await.expect("it drains").unwrap().unwrap();
}
