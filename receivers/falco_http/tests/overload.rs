//! A full pipeline, and stopping.

use super::*;
use crate::falco_http::config::Overload;
use lanner_engine::{config, testing::Mood};
use tokio::time::timeout;

fn holding(millis: u64) -> Config {
    Config { hold: config::Duration::from_millis(millis), ..Config::default() }
}

/// Scenario: F2: the pipeline is full for longer than `hold`.
/// Guarantee: the alert is held, answered 503 in time and counted as lost.
#[tokio::test]
async fn an_alert_is_held_then_counted_as_lost() {
    let door = Door::open(holding(300)).await;
    let mut wire = door.connect().await;
    door.capture.set(Mood::Busy);
    let start = Instant::now();
    wire.send(&post(ALERT)).await;
    let answer = wire.answer().await;
    let after = start.elapsed();
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 1\r\n"), "{}", answer.head);
    assert!(after >= Duration::from_millis(200) && after < Duration::from_millis(1500), "{after:?}");
    assert_eq!(door.counted("lanner_receiver_lost_requests", "held_too_long"), 1);
    assert!(door.capture.records().is_empty());
}

/// Scenario: F2: an exporter blocks and does not look at `hold`.
/// Guarantee: the sender is answered in time all the same, and the loss is counted once.
#[tokio::test]
async fn a_blocking_exporter_does_not_hold_longer() {
    let door = Door::open(holding(300)).await;
    door.capture.set(Mood::Stuck);
    let mut wire = door.connect().await;
    let start = Instant::now();
    wire.send(&post(ALERT)).await;
    assert_eq!(wire.answer().await.status, 503);
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    assert_eq!(door.capture.failed()["held_too_long"], 1);
    assert_eq!(door.counted("lanner_receiver_lost_requests", "held_too_long"), 1);
}

/// Scenario: `overload: reject` and a full pipeline; then no room in the memory budget.
/// Guarantee: 503 at once; the second is refused before its body is sent.
#[tokio::test]
async fn rejects_at_once_when_told_to() {
    let door = Door::open(Config { overload: Overload::Reject, ..holding(15_000) }).await;
    let mut wire = door.connect().await;
    door.capture.set(Mood::Busy);
    wire.send(&post(ALERT)).await;
    assert_eq!(timeout(Duration::from_secs(5), wire.answer()).await.expect("at once").status, 503);
    door.capture.set(Mood::NoRoom);
    wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await;
    assert_eq!(timeout(Duration::from_secs(5), wire.answer()).await.expect("without its body").status, 503);
    assert_eq!(door.capture.failed()["held_too_long"], 1);
    assert_eq!(door.counted("lanner_receiver_lost_requests", "held_too_long"), 2);
}
