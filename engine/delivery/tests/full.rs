//! What happens when the log of the queues is full, by `on_full`. The other two ways: `a_full_log_refuses`.

use super::{
    durable::{kill, on_disk, until},
    judge::{Judge, named, quiet},
    *,
};
use crate::config::OnFull;

/// A record of so many KiB whose name begins with a number.
fn sized(number: usize, kib: usize) -> Batch {
    named([format!("{number:03}{}", "x".repeat(kib << 10))])
}

/// The numbers of what a sink has, in the order in which it came.
fn numbers(sink: &Judge) -> Vec<usize> {
    sink.got.lock().iter().map(|name| name[..3].parse().unwrap()).collect()
}

/// Scenario: a sink that is down, and twice as many requests as the log holds, over a restart; then the sink is back.
/// Guarantee: every request is accepted at once; the oldest go and are counted, in the run that drops them; what is left
/// arrives in order and ends with the newest.
#[tokio::test]
async fn the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let up = Arc::new(Mutex::new(false));
    let answer = Arc::clone(&up);
    let sink = Arc::new(Judge::new(move |_, _| if *answer.lock() { Outcome::Delivered } else { again() }));
    let mut kept = 0;
    for run in 1..=2 {
        let (mut build, log) = on_disk(folder.path(), run, Policy::Hold).await;
        build.delivery.sending_queue.on_full = OnFull::DropOldest;
        build.delivery.sending_queue.num_consumers = 1;
        build.delivery.retry_on_failure.initial_interval = Span::from_millis(20);
        build.delivery.retry_on_failure.max_interval = Span::from_millis(20);
        let bench = build.with(&[("sink", Arc::clone(&sink))]);
        for number in 0..40 {
            let number = number + 40 * (run as usize - 1);
            bench.consumer.consume_within(sized(number, 32), Duration::from_secs(30)).await.unwrap();
        }
        until(|| bench.ledger.rows()[0].recovered == kept).await;
        let row = bench.ledger.rows().remove(0);
        assert!(row.adds_up() && row.accepted == 40, "{row}");
        assert_eq!(row.rejected[0].0, "dropped_oldest");
        assert!(row.rejected[0].1 >= 20, "{row}");
        assert_eq!(bench.metric("otelcol_exporter_queue_size") as u64, row.queued);
        kept = row.queued;
        assert_eq!(log.stats().queues.iter().map(|queue| queue.entries).sum::<u64>(), kept);
        if run == 1 {
            kill(bench, log).await;
            continue;
        }
        *up.lock() = true;
        quiet(&bench).await;
        let got = numbers(&sink);
        assert_eq!(got.len() as u64, kept);
        assert!(got.is_sorted() && got.last() == Some(&79), "{got:?}");
        bench.close().await;
        log.close().await;
    }
}

/// Scenario: two sinks are down, and only one's queue is set to give way; then the other way round.
/// Guarantee: only requests of that queue go; when it has nothing left to give, senders are held as by the other queue.
#[tokio::test]
async fn only_those_that_are_set_to_it_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let down = || Arc::new(Judge::new(|_, _| again()));
    let (mut build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    build.delivery.sending_queue.num_consumers = 1;
    build.gives_way = vec!["yields"];
    let bench = build.with(&[("holds", down()), ("yields", down())]);
    let mut accepted = 0;
    while bench.consumer.consume_within(sized(accepted as usize, 8), Duration::from_millis(50)).await.is_ok() {
        accepted += 1;
    }
    let rows = bench.ledger.rows();
    assert!(accepted > 40, "{accepted}");
    assert!(rows.iter().all(super::super::ledger::Row::adds_up), "{}", bench.ledger);
    assert_eq!((rows[0].queued, rows[0].rejected.len()), (accepted, 0));
    assert!(rows[1].queued <= 2, "all but what is being sent: {}", bench.ledger);
    bench.close().await;
    log.close().await;
}
