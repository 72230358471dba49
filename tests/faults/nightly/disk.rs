//! A disk that is slow (D7).

use crate::{
    disk::start_traced,
    rig::Rig,
    support::{
        lanner::TempDir,
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        strace,
    },
};
use std::time::{Duration, Instant};

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Scenario: D7: every sync takes half a second; then, after a kill, every sync takes four.
/// Guarantee: what is acknowledged has waited for its sync; Falco is answered within its 1.5 s all the same; nothing is lost.
#[test]
fn d7_a_slow_disk() {
    if !strace::available() {
        return;
    }
    let (oracle, books, dir) = (Oracle::new(300), Books::default(), TempDir::new());
    let sink = OracleSink::listen(0, &oracle, &books);
    let rig = Rig::new(Door::Falco, &[sink.port]);
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let calls = dir.path().join("calls");
    let timed = |sender: &mut Sender| {
        let start = Instant::now();
        (sender.send().is_some(), start.elapsed())
    };
    let lanner = start_traced(&rig, &calls, "inject=fdatasync:delay_enter=500000");
    let some = [(); 5].map(|()| timed(&mut sender));
    let waited = some.iter().all(|(taken, took)| !taken || *took >= Duration::from_millis(450));
    assert!(waited && some.iter().any(|(taken, _)| *taken), "{some:?}");
    lanner.kill();
    let lanner = start_traced(&rig, &calls, "inject=fdatasync:delay_enter=4000000");
    // The first finds that the connection is gone.
    sender.send();
    let held = [(); 3].map(|()| timed(&mut sender));
    assert!(held.iter().all(|(taken, took)| !taken && *took < Duration::from_secs(3)), "{held:?}");
    lanner.kill();
    let lanner = rig.start();
    sender.send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    lanner.stop().row("logs -> otlp_grpc/0");
    let verdict = oracle.judge(&books);
    println!("{some:.1?}, {held:.1?}: {verdict}");
    verdict.assert_clean();
}
