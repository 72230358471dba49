//! `docker_logs` against a real Docker engine. Skipped where there is none (see `tests/support/dockerd.rs`).

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

#[path = "../../tests/support/data.rs"]
mod data;
#[path = "../../tests/support/dockerd.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod dockerd;

use dockerd::Dockerd;
use lanner_engine::{
    component::ReceiverPlan,
    prelude::*,
    semantics::keys,
    telemetry::Telemetry,
    testing::{Capture, Mood},
};
use lanner_receivers::docker_logs::{Config, Filter, NonJson, StartAt};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// Longer than anything here takes: starting a container took 13 s on a machine with six times too much to do.
const LONG: Duration = Duration::from_secs(180);

/// A running receiver that reads containers whose name starts with `prefix`.
struct Running {
    capture: Capture,
    telemetry: Telemetry,
    drain: Drain,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Running {
    async fn start(daemon: &Dockerd, prefix: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            endpoint: Some(daemon.host()),
            include: Filter { names: vec![format!("{prefix}*")], ..Filter::default() },
            ..Config::default()
        };
        change(&mut config);
        let plan = config.check(|path, problem| panic!("{path}: {problem}")).unwrap();
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Receiver, "docker_logs".parse().unwrap(), telemetry.clone(), Default::default());
        let receiver = Box::new(plan).build(&cx).await.unwrap();
        let (capture, drain) = (Capture::new(), Drain::new());
        let task = tokio::spawn(receiver.run(capture.consumer(), drain.clone()));
        Self { capture, telemetry, drain, task }
    }

    async fn items(&self, count: usize) {
        let waited = timeout(LONG, self.capture.items(count)).await;
        let came = bodies(&self.capture);
        assert!(waited.is_ok(), "{} of {count} records came: {:?}", came.len(), sketch(&came));
    }

    fn metric(&self, name: &str) -> i64 {
        let all = self.telemetry.snapshot();
        all.iter().filter(|metric| metric.name == name).flat_map(|metric| &metric.series).map(|(_, value)| value).sum()
    }

    /// Waits until a log stream is open.
    async fn streaming(&self) {
        poll(|| self.metric("lanner.docker_logs.streams") > 0).await;
    }

    async fn stop(self) -> Capture {
        self.drain.request();
        timeout(LONG, self.task).await.expect("the receiver drains").unwrap().unwrap();
        self.capture
    }
}

/// Bounded polling for what gives no signal.
async fn poll(mut done: impl FnMut() -> bool) {
    let polled = timeout(LONG, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(polled.await.is_ok(), "it never came to that");
}

/// Starting an engine takes seconds, so it is done beside the runtime.
async fn engine() -> Option<Arc<Dockerd>> {
    spawn_blocking(Dockerd::shared).await.unwrap()
}

fn bodies(capture: &Capture) -> Vec<String> {
    let mut bodies: Vec<String> =
        capture.records().iter().map(|record| record.body.as_str().unwrap_or_default().to_owned()).collect();
    bodies.sort();
    bodies
}

/// Tells long texts apart without printing them.
fn sketch(texts: &[String]) -> Vec<(Option<char>, usize)> {
    texts.iter().map(|text| (text.chars().next(), text.len())).collect()
}

/// Compares long texts without printing them.
fn assert_same(found: Vec<String>, expected: Vec<String>) {
    assert!(found == expected, "{:?} instead of {:?}", sketch(&found), sketch(&expected));
}

fn keep(config: &mut Config) {
    config.non_json = NonJson::Keep;
}

/// Scenario: a container prints the 67 alerts of the development data, and Falco's statistics behind them.
/// Guarantee: 67 alerts arrive, each once, and nothing else. (Without the data the test passes and says so.)
#[tokio::test(flavor = "multi_thread")]
async fn falco_alerts_arrive_once() {
    let Some(alerts) = data::lines("dev/falco_alerts.jsonl").map(|lines| lines.join("\n") + "\n") else { return };
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "falco", |_| ()).await;
    let file = daemon.dir().join("alerts.jsonl");
    std::fs::write(&file, &alerts).unwrap();
    let mount = format!("{}:/alerts.jsonl:ro", file.display());
    daemon.run("falco", &["--volume", &mount], "cat /alerts.jsonl; echo 'Events detected: 67'; echo started >&2");
    running.items(67).await;
    poll(|| running.metric("lanner.docker_logs.skipped_lines") == 1).await;
    daemon.docker(&["restart", "falco"]);
    running.items(134).await;
    let capture = running.stop().await;
    let records = capture.records();
    assert!(records.iter().all(|record| matches!(record.event_name.as_str(), "falco.alert" | "falco.internal")));
    assert_eq!((records.len(), alerts.lines().count()), (134, 67));
    let mut printed = std::collections::BTreeMap::new();
    for record in &records {
        *printed.entry(record.attrs.get_str(&keys::UID).unwrap()).or_insert(0) += 1;
    }
    assert!(printed.values().all(|times| times % 2 == 0), "both runs of the container gave the same ids: {printed:?}");
}

/// Scenario: a container that starts while Lanner runs writes a line of 40 KiB, one of exactly 16 KiB, one with characters
/// on every cut, and a last one without an end, then exits. The driver is `local`, because the daemon itself
/// damages characters on a cut when it writes them as JSON (`json-file`).
/// Guarantee: each line arrives whole, once, and the last one marked as incomplete.
#[tokio::test(flavor = "multi_thread")]
async fn long_lines_arrive_whole() {
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "long", keep).await;
    let lines = [
        format!("a{}", "b".repeat(40_000)),
        "c".repeat(16_384),
        "d".repeat(16_383),
        format!("e{}", "\u{fc}".repeat(20_000)),
    ];
    let file = daemon.dir().join("long.txt");
    std::fs::write(&file, format!("{}\nno end", lines.join("\n"))).unwrap();
    let mount = format!("{}:/long.txt:ro", file.display());
    daemon.run("long", &["--log-driver", "local", "--volume", &mount], "cat /long.txt");
    running.items(5).await;
    assert_eq!(running.metric("lanner.docker_logs.joined_lines"), 3);
    assert_eq!(running.metric("lanner.docker_logs.incomplete_lines"), 1);
    let mut expected = lines.to_vec();
    expected.push("no end".to_owned());
    assert_same(bodies(&running.stop().await), expected);
}

/// Scenario: the same through a terminal, whose log has neither frames nor streams and ends lines with CR LF.
/// Guarantee: the same lines, without the CR.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_read_as_well() {
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "tty", keep).await;
    let lines = [format!("a{}", "b".repeat(40_000)), "c".repeat(16_384), "d".repeat(16_383), "e".to_owned()];
    let file = daemon.dir().join("tty.txt");
    std::fs::write(&file, format!("{}\n", lines.join("\n"))).unwrap();
    let mount = format!("{}:/tty.txt:ro", file.display());
    daemon.run("tty", &["--tty", "--volume", &mount], "cat /tty.txt");
    running.items(4).await;
    assert_same(bodies(&running.stop().await), lines.to_vec());
}

/// Scenario: C1: a container runs, is restarted, and is removed and created again under its name.
/// Guarantee: every line of all three lives arrives once.
#[tokio::test(flavor = "multi_thread")]
async fn c1_restart_and_recreation_go_on() {
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "again", keep).await;
    let command = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; sleep 600";
    daemon.run("again", &[], command);
    running.items(100).await;
    daemon.docker(&["restart", "--time", "0", "again"]);
    running.items(200).await;
    daemon.docker(&["rm", "--force", "again"]);
    daemon.run("again", &[], command);
    running.items(300).await;
    daemon.docker(&["rm", "--force", "again"]);
    let mut expected: Vec<String> = (0..300).map(|index| format!("line {}", index % 100)).collect();
    expected.sort();
    assert_eq!(bodies(&running.stop().await), expected);
}

/// Scenario: a container has ended before Lanner starts, another one runs and has written already.
/// Guarantee: with `start_at: beginning` both are read from their first line, with `end` neither is, but what the
/// second writes later is.
#[tokio::test(flavor = "multi_thread")]
async fn start_at_decides_about_the_past() {
    let Some(daemon) = engine().await else { return };
    daemon.run("past-ended", &[], "echo ended");
    daemon.docker(&["wait", "past-ended"]);
    let go = daemon.dir().join("past");
    std::fs::create_dir_all(&go).unwrap();
    let mount = format!("{}:/past", go.display());
    let command = "echo before; while ! cat /past/go 2>/dev/null; do sleep 0.1; done; sleep 600";
    daemon.run("past-running", &["--volume", &mount], command);
    poll(|| daemon.docker(&["logs", "past-running"]) == "before").await;

    let all = Running::start(&daemon, "past-", |config| {
        keep(config);
        config.start_at = StartAt::Beginning;
    })
    .await;
    let new = Running::start(&daemon, "past-", keep).await;
    all.items(2).await;
    new.streaming().await;
    // At once: a file that is there and still empty would be printed as nothing.
    std::fs::write(go.join("fresh"), "after\n").unwrap();
    std::fs::rename(go.join("fresh"), go.join("go")).unwrap();
    all.items(3).await;
    new.items(1).await;
    daemon.docker(&["rm", "--force", "past-running", "past-ended"]);
    assert_eq!(bodies(&all.stop().await), ["after", "before", "ended"]);
    assert_eq!(bodies(&new.stop().await), ["after"]);
}

/// Scenario: C1: containers live for a moment each, some are removed as soon as they end, and the pipeline is busy
/// meanwhile.
/// Guarantee: every line that the daemon keeps arrives once, as soon as there is room.
#[tokio::test(flavor = "multi_thread")]
async fn c1_short_lives_and_a_busy_pipeline() {
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "short", keep).await;
    running.capture.set(Mood::Busy);
    for index in 0..5 {
        daemon.run(&format!("short-{index}"), &[], &format!("echo line {index}"));
    }
    timeout(LONG, running.capture.waiting(5)).await.expect("five deliveries wait");
    running.capture.set(Mood::Taking);
    running.items(5).await;
    let expected: Vec<String> = (0..5).map(|index| format!("line {index}")).collect();
    assert_eq!(bodies(&running.stop().await), expected);
}

/// Scenario: C6: a container's logging driver keeps nothing.
/// Guarantee: it is reported as unreadable, once, and the daemon is not asked again and again.
#[tokio::test(flavor = "multi_thread")]
async fn c6_an_unreadable_container_is_reported() {
    let Some(daemon) = engine().await else { return };
    let running = Running::start(&daemon, "mute", keep).await;
    daemon.run("mute", &["--log-driver", "none"], "echo hidden; sleep 600");
    poll(|| running.metric("lanner.docker_logs.unreadable_containers") == 1).await;
    assert_eq!(running.metric("lanner.docker_logs.reconnects"), 0);
    daemon.docker(&["rm", "--force", "mute"]);
    assert!(running.stop().await.records().is_empty());
}

/// Scenario: C1: the daemon itself is restarted; it starts the container again, which writes the same lines once more.
/// Guarantee: the streams resume, and every line of both lives arrives once.
#[tokio::test(flavor = "multi_thread")]
async fn c1_a_daemon_restart_is_survived() {
    let Some(mut daemon) = spawn_blocking(Dockerd::start).await.unwrap() else { return };
    let running = Running::start(&daemon, "lasting", keep).await;
    let command = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; sleep 600";
    daemon.run("lasting", &["--restart", "always"], command);
    running.items(100).await;
    running.streaming().await;
    let daemon = spawn_blocking(move || {
        daemon.restart();
        daemon
    });
    let daemon = daemon.await.unwrap();
    running.items(200).await;
    running.streaming().await;
    assert_eq!(running.metric("lanner.docker_logs.possible_rotation_loss"), 0);
    let mut expected: Vec<String> = (0..200).map(|index| format!("line {}", index % 100)).collect();
    expected.sort();
    assert_eq!(bodies(&running.stop().await), expected);
    daemon.docker(&["rm", "--force", "lasting"]);
}
