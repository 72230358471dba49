//! The process is killed, at any moment and at any call (D1, D2, D15).

use crate::{
    long,
    rig::{Rig, START},
    support::{
        lanner::TempDir,
        load::{Door, Load, Sender},
        oracle::{Books, Oracle},
        oracle_sink::{Mood, OracleSink},
        strace, wait,
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The bound of D1 for a start.
const READY: Duration = Duration::from_secs(2);
/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Events a second.
const RATE: u32 = 2000;
/// Each has one event in flight.
const SENDERS: u32 = 16;

/// Scenario: D1: the process is killed with SIGKILL under load, again and again, and started again on the same folder.
/// Guarantee: what was acknowledged reaches both sinks, whole; nothing else does; a start takes less than 2 s; the books of
/// the last run close; a new event passes.
#[test]
fn d1_kill_under_load() {
    let rounds = if long() { 100 } else { 20 };
    let (oracle, books) = (Oracle::new(300), [Books::default(), Books::default()]);
    let sinks = books.each_ref().map(|books| OracleSink::listen(0, &oracle, books));
    let rig = Rig::new(Door::Falco, &sinks.each_ref().map(|sink| sink.port));
    let load = Load::start(rig.door, rig.port, &oracle, SENDERS, RATE);
    let mut starts = Vec::new();
    for round in 0..rounds {
        let started = Instant::now();
        let lanner = rig.start();
        starts.push(started.elapsed());
        // From a kill in the middle of the first acknowledgements to one in the midst of steady work.
        let enough = oracle.count() + 1 + round * 379 % 1000;
        wait::until("events are acknowledged", ARRIVAL, || (oracle.count() >= enough).then_some(()));
        lanner.kill();
    }
    let lanner = rig.start();
    load.stop();
    let probe = Sender::new(rig.door, rig.port, &oracle).send_until_taken(ARRIVAL);
    for books in &books {
        oracle.wait_for(books, ARRIVAL);
        assert!(books.has(probe));
    }
    starts.sort_unstable();
    let (usual, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    let ledger = lanner.stop();
    for (index, books) in books.iter().enumerate() {
        let row = ledger.row(&format!("logs -> otlp_grpc/{index}"));
        assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
        let verdict = oracle.judge(books);
        println!("{rounds} kills, starts take {usual:.0?}, at most {slowest:.0?}: {verdict}");
        verdict.assert_clean();
        assert!(verdict.acknowledged > 20 * rounds, "there was load");
        assert!(verdict.duplicates > 0, "something was sent again, so a kill fell between sink and acknowledgement");
        assert!(books.ids_agree(), "what comes again has its id");
    }
    // The slowest may have met a busy machine.
    assert!(usual < READY, "{starts:?}");
}

/// Events of D2: as many segments' worth as it takes to rotate twice.
const STEPS: usize = 20;
const STEP_BYTES: usize = 60 << 10;

/// A call, and the how many-th of its kind.
type Point = (String, usize);

/// Starts below strace, sends until the process is gone or everything is acknowledged, and kills what is left. Whether a
/// call killed it, and what strace saw.
fn until_killed(rig: &Rig, oracle: &Arc<Oracle>, events: usize, at: Option<&Point>) -> (bool, String) {
    let (dir, trace) = (TempDir::new(), format!("trace={}", strace::WRITES));
    let log = dir.path().join("calls");
    let inject = at.map(|(call, number)| format!("inject={call}:signal=KILL:when={number}"));
    let mut options = vec!["-e", &trace];
    options.extend(inject.iter().flat_map(|inject| ["-e", inject]));
    let mut lanner = rig.spawn_traced(&log, &options);
    if lanner.ready(START).is_ok() {
        let mut sender = Sender::new(rig.door, rig.port, oracle);
        if (0..events).any(|_| sender.send().is_none()) {
            wait::until("Lanner has ended", ARRIVAL, || lanner.ended());
        }
    }
    let killed = lanner.ended().is_some();
    if !killed {
        lanner.kill();
    }
    (killed, std::fs::read_to_string(log).unwrap())
}

/// Scenario: D2: the process is killed at a system call that changes the disk (in make test, at some of them), while it
/// starts, writes and begins new segments; then again while it starts again; then once more without regard for calls.
/// Guarantee: what was acknowledged arrives, whole, and a new event passes, wherever the kills were.
#[test]
fn d2_kill_at_every_call() {
    if !strace::available() {
        return;
    }
    let run = |at: Option<&Point>| {
        let (oracle, books) = (Oracle::new(STEP_BYTES), Books::default());
        let sink = OracleSink::listen(0, &oracle, &books);
        let rig = Rig { max_size_mib: 8, ..Rig::new(Door::Otlp, &[sink.port]) };
        let (killed, calls) = until_killed(&rig, &oracle, STEPS, at);
        match at {
            Some((call, number)) => drop(until_killed(&rig, &oracle, 2, Some(&(call.clone(), number % 5 + 1)))),
            None => assert!(rig.segment(2).exists(), "the script begins new segments: {calls}"),
        }
        rig.start().kill();
        let lanner = rig.start();
        let probe = Sender::new(rig.door, rig.port, &oracle).send_until_taken(ARRIVAL);
        oracle.wait_for(&books, ARRIVAL);
        assert!(books.has(probe));
        assert_eq!(lanner.stop().row("logs -> otlp_grpc/0").rejected, 0);
        let verdict = oracle.judge(&books);
        println!("killed at {at:?}: {killed}; {verdict}");
        verdict.assert_clean();
        (killed, calls)
    };
    let points = strace::points(&run(None).1);
    let step = if long() { 1 } else { points.len() / 12 };
    let tried: Vec<_> = points.iter().step_by(step).collect();
    let kills = tried.iter().filter(|at| run(Some(at)).0).count();
    println!("{kills} kills, {} of {} calls tried", tried.len(), points.len());
    // Some calls depend on the clock, and do not come in each run.
    assert!(kills * 2 > tried.len(), "{kills} of {tried:?}");
}

/// Scenario: D15: SIGTERM under load while the sink does not answer, then SIGKILL a moment later, in the drain.
/// Guarantee: as D1.
#[test]
fn d15_killed_in_the_drain() {
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let rig = Rig::new(Door::Falco, &[sink.port]);
    let load = Load::start(rig.door, rig.port, &oracle, SENDERS, RATE);
    for round in 0..if long() { 20 } else { 3 } {
        sink.be(if round % 2 == 0 { Mood::Silent } else { Mood::Takes });
        let lanner = rig.start();
        let before = oracle.count();
        wait::until("events are acknowledged", ARRIVAL, || (oracle.count() > before + 100).then_some(()));
        lanner.signal("TERM");
        std::thread::park_timeout(Duration::from_millis(round * 150));
        lanner.kill();
    }
    load.stop();
    sink.be(Mood::Takes);
    let lanner = rig.start();
    Sender::new(rig.door, rig.port, &oracle).send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    lanner.stop().row("logs -> otlp_grpc/0");
    oracle.judge(&books).assert_clean();
}
