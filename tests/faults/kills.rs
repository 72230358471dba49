//! The process is killed, at any moment and at any call (D1, D2, D15).

use crate::{
    long,
    rig::Rig,
    support::{
        load::{Door, Load, Sender},
        oracle::{Books, Oracle},
        oracle_sink::{Mood, OracleSink},
        strace, wait,
    },
};
use std::time::{Duration, Instant};

/// The bound of D1 for a start.
const READY: Duration = Duration::from_secs(2);
/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);
/// Events a second.
const RATE: u32 = 2000;
/// Each has one event in flight.
const SENDERS: u32 = 16;

/// Waits until all that was acknowledged is at the sink.
fn arrived(oracle: &Oracle, books: &Books) {
    wait::until("what was acknowledged is at the sink", ARRIVAL, || {
        oracle.judge(books).missing.is_empty().then_some(())
    });
}

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
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let started = Instant::now();
        let lanner = rig.start();
        slowest = slowest.max(started.elapsed());
        // From a kill in the middle of the first acknowledgements to one in the midst of steady work.
        let moment = Duration::from_millis(50 + round * 379 % 700);
        std::thread::park_timeout(moment);
        lanner.kill();
    }
    let lanner = rig.start();
    load.stop();
    let probe = Sender::new(rig.door, rig.port, &oracle).send_until_taken(ARRIVAL);
    for books in &books {
        arrived(&oracle, books);
        assert!(books.has(probe));
    }
    let ledger = lanner.stop();
    for (index, books) in books.iter().enumerate() {
        let row = ledger.row(&format!("logs -> otlp_grpc/{index}"));
        assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
        let verdict = oracle.judge(books);
        println!("{rounds} kills, slowest start {slowest:.0?}: {verdict}");
        verdict.assert_clean();
        assert!(verdict.acknowledged > 20 * rounds, "there was load");
        assert!(verdict.duplicates > 0, "something was sent again, so a kill fell between sink and acknowledgement");
        assert!(books.ids_agree(), "what comes again has its id");
    }
    assert!(slowest < READY, "{slowest:?}");
}
