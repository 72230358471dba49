//! Senders that wait for room: for a while, for as long as it takes, and not at all any more.

use super::*;

/// Scenario: the queue is full; room is made while the request is held, or is not.
/// Guarantee: held requests are taken as soon as there is room; otherwise refused when the hold is over.
#[tokio::test(start_paused = true)]
async fn holds_until_there_is_room() {
    let sink = Scripted::shut();
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    for _ in 0..4 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    let started = tokio::time::Instant::now();
    let refused = bench.consumer.consume_within(batch(1), Duration::from_millis(1500)).await.unwrap_err();
    assert!(matches!(refused, Refused::Busy { .. }));
    assert_eq!(started.elapsed(), Duration::from_millis(1500));
    let consumer = bench.consumer.clone();
    let held = tokio::spawn(async move { consumer.consume_within(batch(1), Duration::from_secs(60)).await });
    sink.attempts_reach(1).await;
    sink.let_through(1000);
    held.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "taken at once, not at the end of the hold");
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (5, 5));
}

/// Scenario: a receiver that retries itself meets a full queue for an hour, then room; later a drain while it waits.
/// Guarantee: it waits as long as it takes and nothing counts as refused; the drain ends the wait and counts once.
#[tokio::test(start_paused = true)]
async fn patience_is_not_refusal() {
    let sink = Scripted::shut();
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    for _ in 0..4 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    let drain = Drain::new();
    let patient = |drain: &Drain| {
        let (consumer, drain) = (bench.consumer.clone(), drain.clone());
        tokio::spawn(async move { consumer.consume_patiently(batch(1), &drain).await })
    };
    let waiting = patient(&drain);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!waiting.is_finished());
    assert_eq!(bench.metric("otelcol_receiver_refused_log_records"), 0);
    sink.let_through(1);
    waiting.await.unwrap().unwrap();
    let mut accepted = 5;
    while bench.consumer.consume(batch(1)).await.is_ok() {
        accepted += 1;
    }
    let waiting = patient(&drain);
    tokio::time::sleep(Duration::from_secs(60)).await;
    drain.request();
    assert_eq!(waiting.await.unwrap(), Err(Refused::Draining));
    assert_eq!(bench.metric("otelcol_receiver_refused_log_records"), 2, "the impatient one and this one");
    sink.let_through(1000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.consumer.consume_patiently(batch(1), &drain).await.unwrap();
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (accepted + 1, accepted + 1));
}

/// Scenario: an exporter without a queue fails for longer than anybody would hold a request.
/// Guarantee: a patient sender waits until it works; nothing is refused.
#[tokio::test(start_paused = true)]
async fn patience_without_a_queue() {
    let sink = Scripted::new(vec![again(); 20]);
    let mut build = Build::default();
    build.delivery.sending_queue.enabled = Some(false);
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume_patiently(batch(2), &Drain::new()).await.unwrap();
    assert_eq!(bench.metric("otelcol_receiver_refused_log_records"), 0);
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (2, 2));
}

/// Scenario: the sender of a held request goes away.
/// Guarantee: the request is nowhere, and its room is free.
#[tokio::test(start_paused = true)]
async fn a_cancelled_request_is_nowhere() {
    let sink = Scripted::shut();
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    for _ in 0..4 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    let held = bench.consumer.consume_within(batch(1), Duration::from_secs(60));
    assert!(tokio::time::timeout(Duration::from_secs(1), held).await.is_err());
    sink.let_through(1000);
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (4, 4));
}
