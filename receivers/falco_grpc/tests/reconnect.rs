//! F3: streams that end, streams that break, a Falco that restarts.

use super::{
    fake_falco::{FakeFalco, alert},
    running::{Running, config},
};
use crate::falco_grpc::{Config, Method};
use lanner_engine::{telemetry::Status, testing::Mood};
use std::time::Duration;
use tokio::time::Instant;

/// The bound of F3.
const BACK: Duration = Duration::from_secs(5);

const GAPS: &str = "lanner.falco_grpc.gaps";
const RECONNECTS: &str = "lanner.falco_grpc.reconnects";

/// Scenario: Falco ends every stream with OK, as it does when it stops; alerts come later.
/// Guarantee: Lanner is back within 5 s and the alerts arrive; an end that was announced is no gap.
#[tokio::test]
async fn an_ok_is_no_reason_to_stay_away() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    falco.push(alert(0));
    lanner.items(1).await;
    falco.end_streams();
    let start = Instant::now();
    falco.push(alert(1));
    lanner.items(2).await;
    assert!(start.elapsed() < BACK);
    assert_eq!((lanner.metric(GAPS, ""), lanner.metric(RECONNECTS, "ended")), (0, 1));
    lanner.stop().await;
}

/// Scenario: the connection breaks while nothing is written, and again while a burst is, for both methods.
/// Guarantee: Lanner is back within 5 s; every alert that it had read is delivered, once; each break counts as a gap, and
/// what is missing is what was on the way: at most a window and what the server had taken out of its queue.
#[tokio::test]
async fn f3_a_cut_is_a_gap() {
    for method in [Method::Sub, Method::Get] {
        let falco = FakeFalco::listening();
        let lanner = Running::start(Config { method, ..config(falco.endpoint()) }).await;
        falco.push(alert(0));
        lanner.items(1).await;
        if method == Method::Sub {
            falco.cut();
            let start = Instant::now();
            falco.push(alert(1));
            lanner.items(2).await;
            assert!(start.elapsed() < BACK);
            assert_eq!((lanner.metric(GAPS, "broken"), lanner.metric(RECONNECTS, "broken")), (1, 1));
        } else {
            falco.push(alert(1));
            lanner.items(2).await;
        }
        // A burst that is stopped half way by a busy pipeline, and then by a broken connection.
        let gaps = lanner.metric(GAPS, "broken");
        lanner.capture.set(Mood::Busy);
        (2..20_000).for_each(|number| falco.push(alert(number)));
        tokio::time::timeout(super::SOON, lanner.capture.waiting(1)).await.unwrap();
        super::pressure::at_rest(&falco).await;
        falco.cut();
        let start = Instant::now();
        lanner.capture.set(Mood::Taking);
        falco.push(alert(20_000));
        while !lanner.numbers().contains(&20_000) {
            assert!(start.elapsed() < super::SOON);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(lanner.metric(GAPS, "broken"), gaps + 1);
        let (came, written) = (lanner.numbers(), falco.written());
        assert_eq!(written, 20_001);
        // The gap is one run of numbers: what came before and after is whole.
        let missing: Vec<i64> = (0..=20_000).filter(|number| !came.contains(number)).collect();
        assert!(missing.len() < super::pressure::ON_THE_WAY, "{} are missing", missing.len());
        assert!(missing.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{missing:?}");
        assert!(lanner.capture.failed().is_empty());
        lanner.stop().await;
    }
}

/// Scenario: Falco is killed, is away for a while, and starts again.
/// Guarantee: Lanner says what is missing, is back within 5 s of the start, and is well again.
#[tokio::test]
async fn f3_a_restart_is_survived() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    falco.push(alert(0));
    lanner.items(1).await;
    lanner.status(|status| *status == Status::Ok).await;
    falco.kill();
    let status = lanner.status(|status| status.error().is_some_and(|error| error.contains("no socket"))).await;
    assert!(matches!(status, Status::Recoverable(_)));
    falco.push(alert(1));
    falco.listen();
    let start = Instant::now();
    lanner.items(2).await;
    assert!(start.elapsed() < BACK, "{:?}", start.elapsed());
    lanner.status(|status| *status == Status::Ok).await;
    assert_eq!(lanner.metric("lanner.falco_grpc.connected", ""), 1);
    assert_eq!(lanner.numbers().len(), 2);
    lanner.stop().await;
}
