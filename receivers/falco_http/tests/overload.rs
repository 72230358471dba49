//! A full pipeline, and stopping.

use super::{
    door::{SOON, eventually},
    *,
};
use crate::falco_http::config::Overload;
use lanner_engine::{config, testing::Mood};
use tokio::time::timeout;

fn holding(millis: u64) -> Config {
    Config { hold: config::Duration::from_millis(millis), ..Config::default() }
}

/// Scenario: F2: the pipeline is full for longer than `hold`; then full again and free before `hold` is over.
/// Guarantee: the first alert is answered 503 in time and counted as lost; the second is held, taken, answered 200.
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

    let door = Door::open(holding(15_000)).await;
    door.capture.set(Mood::Busy);
    let mut wire = door.connect().await;
    wire.send(&post(ALERT)).await;
    timeout(SOON, door.capture.waiting(1)).await.unwrap();
    door.capture.set(Mood::Taking);
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(door.capture.records().len(), 1);
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

/// Scenario: the memory budget is used up, and free again while the request is held.
/// Guarantee: the alert is taken.
#[tokio::test]
async fn waits_for_room_before_reading() {
    let door = Door::open(holding(15_000)).await;
    door.capture.set(Mood::NoRoom);
    let mut wire = door.connect().await;
    wire.send(&post(ALERT)).await;
    timeout(SOON, door.capture.turned_away(2)).await.expect("asks again");
    assert_eq!(door.capture.records().len(), 0);
    door.capture.set(Mood::Taking);
    assert_eq!(wire.answer().await.status, 200);
}

/// Scenario: drain while an alert waits for the pipeline.
/// Guarantee: it is finished with 200, then the receiver returns; new connections are refused.
#[tokio::test]
async fn drain_finishes_what_is_in_flight() {
    let door = Door::open(holding(15_000)).await;
    door.capture.set(Mood::Stuck);
    let mut wire = door.connect().await;
    wire.send(&post(ALERT)).await;
    timeout(SOON, door.capture.waiting(1)).await.unwrap();
    door.drain.request();
    let mut closed = false;
    for _ in 0..1000 {
        closed = tokio::net::TcpStream::connect(door.address).await.is_err();
        if closed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(closed, "the port must refuse while draining");
    door.capture.set(Mood::Taking);
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(door.capture.records().len(), 1);
    door.close().await;
}

/// Scenario: the engine is stopping when the alert arrives.
/// Guarantee: 503, counted as lost.
#[tokio::test]
async fn a_stopping_engine_is_a_counted_loss() {
    let door = Door::open(holding(15_000)).await;
    door.capture.set(Mood::Draining);
    let mut wire = door.connect().await;
    wire.send(&post(ALERT)).await;
    assert_eq!(wire.answer().await.status, 503);
    assert_eq!(door.counted("lanner_receiver_lost_requests", "draining"), 1);
}

/// Scenario: the sender hangs up after its body while the pipeline is stuck, then the pipeline goes on.
/// Guarantee: the alert is kept: it had arrived whole.
#[tokio::test]
async fn a_sender_that_hangs_up_loses_nothing() {
    let door = Door::open(holding(15_000)).await;
    door.capture.set(Mood::Stuck);
    let mut wire = door.connect().await;
    wire.send(&post(ALERT)).await;
    timeout(SOON, door.capture.waiting(1)).await.unwrap();
    drop(wire);
    door.capture.set(Mood::Taking);
    timeout(SOON, door.capture.items(1)).await.expect("kept");
}

/// Scenario: the sender breaks off inside its body.
/// Guarantee: counted; nothing is kept and no room stays taken.
#[tokio::test]
async fn a_broken_body_is_counted() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{\"rule\":").await;
    eventually(|| door.capture.admitted() > 0).await;
    drop(wire);
    eventually(|| door.capture.failed().values().sum::<u64>() == 1).await;
    eventually(|| door.capture.admitted() == 0).await;
    assert!(door.capture.batches().is_empty());
}
