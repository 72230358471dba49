//! Queues on disk, with a real log in a folder of the test, over several runs.

use super::*;
use lanner_queue::{Log, Options};
use std::path::Path;

/// A pipeline whose queues are in the log of a folder. `run` is another one after each restart.
async fn run(folder: &Path, run: u64, policy: Policy, exporters: &[(&str, Arc<Scripted>)]) -> (Bench, Log) {
    let (build, log) = on_disk(folder, run, policy).await;
    (build.with(exporters), log)
}

/// The same, to be changed before it is used.
pub(super) async fn on_disk(folder: &Path, run: u64, policy: Policy) -> (Build, Log) {
    let options = Options { segment_bytes: 64 << 10, max_bytes: 1 << 20, ..Options::default() };
    let (log, _) = Log::open(folder, options).await.unwrap();
    let queue = QueueConfig { num_consumers: 2, queue_size: usize::MAX, ..QueueConfig::default() };
    let delivery = DeliveryConfig { sending_queue: queue, ..DeliveryConfig::default() };
    let disk = Some((log.clone(), QueueOptions { policy, ..QueueOptions::default() }, run));
    (Build { delivery, disk, ..Build::default() }, log)
}

/// Ends without a drain, as a kill does; what was written stays.
pub(super) async fn kill(bench: Bench, log: Log) {
    for sender in bench.senders {
        sender.abort();
        let _ = sender.await;
    }
    log.close().await;
}

/// Scenario: one of two sinks is dead; the process ends twice without a word, the second time after new requests.
/// Guarantee: what was accepted reaches both sinks, in the end, once; each run's books close, with what earlier runs left.
#[tokio::test]
async fn a_queue_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (Scripted::new([]), Scripted::shut());
    let (bench, log) = run(folder.path(), 1, Policy::Hold, &[("good", Arc::clone(&good)), ("bad", bad)]).await;
    for _ in 0..5 {
        bench.consumer.consume(batch(2)).await.unwrap();
    }
    until(|| good.attempts.lock().iter().sum::<usize>() == 10).await;
    assert!(bench.ledger.adds_up(), "{}", bench.ledger);
    kill(bench, log).await;

    let bad = Scripted::shut();
    let (bench, log) = run(folder.path(), 2, Policy::Hold, &[("good", Arc::clone(&good)), ("bad", bad)]).await;
    bench.consumer.consume(batch(3)).await.unwrap();
    until(|| bench.ledger.rows()[1].queued == 13).await;
    assert_eq!(bench.ledger.rows()[1].recovered, 10);
    assert!(bench.ledger.adds_up(), "{}", bench.ledger);
    kill(bench, log).await;

    let bad = Scripted::new([again()]);
    let (bench, log) =
        run(folder.path(), 3, Policy::Hold, &[("good", Arc::clone(&good)), ("bad", Arc::clone(&bad))]).await;
    until(|| bench.ledger.rows()[1].delivered == 13).await;
    let rows = bench.close().await;
    assert_eq!((rows[1].accepted, rows[1].recovered, rows[1].delivered), (0, 13, 13));
    let sent: usize = good.attempts.lock().iter().sum();
    assert!((13..=23).contains(&sent), "the acknowledgement of the last moment may be missing: {sent}");
    assert_eq!(log.stats().queues.iter().map(|queue| queue.entries).sum::<u64>(), 0);
    log.close().await;
}

/// Scenario: a drain with a dead sink, long before the deadline.
/// Guarantee: the sender ends after one more attempt; everything stays in the log and in the books as queued.
#[tokio::test]
async fn a_drain_leaves_the_rest_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let dead = Scripted::new(std::iter::repeat_with(again).take(1000));
    let (bench, log) = run(folder.path(), 1, Policy::Hold, &[("dead", Arc::clone(&dead))]).await;
    for _ in 0..20 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    dead.attempts_reach(1).await;
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].queued, rows[0].delivered), (20, 20, 0));
    assert!(rows[0].rejected.is_empty());
    assert_eq!(log.stats().queues[0].entries, 20);
    log.close().await;
}

/// Scenario: requests until the log is full, with senders that are held and with senders that are refused; then the sink
/// is back.
/// Guarantee: the refusal names the queue; everything that was accepted is delivered, and nothing else.
#[tokio::test]
async fn a_full_log_refuses() {
    for policy in [Policy::Hold, Policy::Reject] {
        let folder = tempfile::tempdir().unwrap();
        let sink = Scripted::shut();
        let (bench, log) = run(folder.path(), 1, policy, &[("sink", Arc::clone(&sink))]).await;
        let mut accepted = 0;
        let refused = loop {
            match bench.consumer.consume_within(large(), Duration::from_millis(50)).await {
                Ok(()) => accepted += 1,
                Err(refused) => break refused,
            }
        };
        assert!(matches!(&refused, Refused::Busy { full, .. } if full.contains("sink:logs")), "{refused}");
        assert!(accepted > 10);
        let consumer = bench.consumer.clone();
        let held = tokio::spawn(async move { consumer.consume_patiently(large(), &Drain::new()).await });
        sink.let_through(100_000);
        held.await.unwrap().unwrap();
        until(|| bench.ledger.rows()[0].delivered == accepted + 1).await;
        bench.close().await;
        log.close().await;
    }
}

/// Scenario: the future of a `consume` is dropped while the disk writes, many times.
/// Guarantee: the books close over what came to be in the log, whether the caller knows or not.
#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_half() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Scripted::new([]);
    let (bench, log) = run(folder.path(), 1, Policy::Hold, &[("sink", Arc::clone(&sink))]).await;
    for _ in 0..50 {
        let mut consume = Box::pin(bench.consumer.consume(batch(1)));
        // Polled once: it has begun.
        let _ = futures_util::poll!(&mut consume);
    }
    until(|| bench.ledger.rows()[0].delivered == 50).await;
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (50, 50));
    assert_eq!(sink.attempts.lock().iter().sum::<usize>(), 50);
    log.close().await;
}

/// A record of 32 KiB.
pub(super) fn large() -> Batch {
    let body = "x".repeat(32 << 10).into();
    Batch::logs(Logs::one(Arc::default(), Arc::default(), LogRecord { body, ..LogRecord::default() }))
}

/// Bounded polling: the log's threads run on the real clock.
pub(super) async fn until(done: impl Fn() -> bool) {
    let polled = tokio::time::timeout(Duration::from_secs(60), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(polled.await.is_ok(), "it never came to that");
}
