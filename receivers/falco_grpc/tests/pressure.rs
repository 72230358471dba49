//! Pipelines that are slow, stuck, or stopping.

use super::{
    SOON,
    fake_falco::{FakeFalco, alert},
    running::Running,
};
use crate::falco_grpc::{client::WINDOW, session::BATCH};
use lanner_engine::testing::Mood;
use prost::Message;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// More than this many small alerts can not be on their way: a batch, the window, and what the server's side of the
/// connection holds (hyper's send buffer of up to 400 KiB and tonic's of 32 KiB).
pub const ON_THE_WAY: usize = BATCH + ((WINDOW as usize + (400 << 10) + (32 << 10)) / 160);

/// Waits until the server cannot write any more. A server that can writes at once, so that a third of a second without a
/// change means rest.
pub async fn at_rest(falco: &FakeFalco) {
    let (mut written, mut since) = (falco.written(), Instant::now());
    let start = Instant::now();
    while since.elapsed() < Duration::from_millis(300) {
        assert!(start.elapsed() < SOON, "the server goes on writing");
        tokio::time::sleep(Duration::from_millis(10)).await;
        if falco.written() != written {
            (written, since) = (falco.written(), Instant::now());
        }
    }
}

/// Scenario: a pipeline that takes nothing while Falco has a backlog; later it takes all.
/// Guarantee: the backlog stays with Falco but for a bounded number, and it is not asked for more; then everything
/// arrives, once and in order.
#[tokio::test]
async fn the_backlog_stays_with_falco() {
    const ALL: usize = 30_000;
    assert!(alert(ALL).encoded_len() > 160, "the bound above counts on it");
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    lanner.capture.set(Mood::Busy);
    (0..ALL).for_each(|number| falco.push(alert(number)));
    timeout(SOON, lanner.capture.waiting(1)).await.unwrap();
    at_rest(&falco).await;
    let (written, asked) = (falco.written(), falco.requests());
    assert!(written < ON_THE_WAY, "{written} were taken from Falco");
    assert_eq!(written + falco.queued(), ALL);
    at_rest(&falco).await;
    assert_eq!(falco.requests(), asked, "many intervals later");
    lanner.capture.set(Mood::Taking);
    lanner.items(ALL).await;
    assert_eq!(lanner.numbers().len(), ALL);
    let records = lanner.stop().await.records();
    assert!(records.windows(2).all(|pair| pair[0].time_unix_nano < pair[1].time_unix_nano), "in order");
}

/// Scenario: stop while nothing goes on.
/// Guarantee: Lanner tells Falco that it will ask no more and ends at once, without a gap.
#[tokio::test]
async fn a_quiet_stop_is_quick() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    falco.push(alert(0));
    lanner.items(1).await;
    let (start, telemetry) = (Instant::now(), lanner.telemetry.clone());
    lanner.stop().await;
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    let gaps = telemetry.metric("lanner.falco_grpc.gaps").unwrap();
    assert!(gaps.series.len() == 2 && gaps.series.iter().all(|(_, count)| *count == 0));
}

/// Scenario: stop while a batch waits for a busy pipeline, which soon has room again.
/// Guarantee: everything that Falco had written is delivered; no gap.
#[tokio::test]
async fn what_is_on_its_way_is_delivered_on_stop() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    lanner.capture.set(Mood::Busy);
    (0..1000).for_each(|number| falco.push(alert(number)));
    timeout(SOON, lanner.capture.waiting(1)).await.unwrap();
    lanner.drain.request();
    lanner.capture.set(Mood::Taking);
    lanner.items(falco.written()).await;
    let telemetry = lanner.telemetry.clone();
    let capture = lanner.stop().await;
    assert_eq!(capture.records().len(), falco.written(), "written is delivered");
    assert_eq!(capture.records().len() + falco.queued(), 1000);
    assert!(telemetry.metric("lanner.falco_grpc.gaps").unwrap().series.iter().all(|(_, count)| *count == 0));
}

/// Scenario: stop while the pipeline never takes the batch.
/// Guarantee: Lanner ends within its time; the gap is counted.
#[tokio::test]
async fn a_stuck_pipeline_does_not_hold_the_stop() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    lanner.capture.set(Mood::Stuck);
    falco.push(alert(0));
    timeout(SOON, lanner.capture.waiting(1)).await.unwrap();
    let (start, telemetry) = (Instant::now(), lanner.telemetry.clone());
    lanner.stop().await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    let gaps = telemetry.metric("lanner.falco_grpc.gaps").unwrap();
    let stopped = gaps.series.iter().find(|(labels, _)| labels.iter().any(|(_, value)| value == "stopped"));
    assert_eq!(stopped.map(|(_, count)| *count), Some(1));
}

/// Scenario: the receiver is dropped while a batch waits, as when the time for stopping is over for the process.
/// Guarantee: the alerts of the batch are counted.
#[tokio::test]
async fn a_dropped_batch_is_counted() {
    let falco = FakeFalco::listening();
    let lanner = Running::of(&falco).await;
    lanner.capture.set(Mood::Stuck);
    falco.push(alert(0));
    timeout(SOON, lanner.capture.waiting(1)).await.unwrap();
    let capture = lanner.abort().await;
    assert_eq!(capture.failed(), [("stopped", 1)].into());
    assert!(capture.records().is_empty());
}
