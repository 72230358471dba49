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

/// Scenario: hundreds of senders are held, by a full queue or by a memory budget that is used up, in front of a sink that takes
/// one request after the other.
/// Guarantee: all are taken in the end, and for each that is, only a few look for room in vain.
#[tokio::test(start_paused = true)]
async fn the_held_wait_in_line() {
    const SENDERS: usize = 300;
    let request = batch(1).to_otlp();
    let budget = 4 * request.bytes.len();
    let ample = QueueConfig { queue_size: 1000, ..QueueConfig::default() };
    let ample = DeliveryConfig { sending_queue: ample, ..DeliveryConfig::default() };
    for build in [Build::default(), Build { budget, delivery: ample, ..Build::default() }] {
        let sink = Scripted::shut();
        let bench = build.with(&[("sink", Arc::clone(&sink))]);
        let mut held = tokio::task::JoinSet::new();
        for _ in 0..SENDERS {
            let (consumer, batch) = (bench.consumer.clone(), Batch::otlp(request.clone()));
            held.spawn(async move { consumer.consume_within(batch, Duration::from_secs(3600)).await });
        }
        for _ in 0..SENDERS {
            sink.let_through(1);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        while let Some(taken) = held.join_next().await {
            taken.unwrap().unwrap();
        }
        let in_vain = bench.metric("otelcol_exporter_enqueue_failed_log_records");
        assert!((1..=4 * SENDERS as i64).contains(&in_vain), "{in_vain}");
        sink.let_through(1000);
        let rows = bench.close().await;
        assert_eq!((rows[0].accepted, rows[0].delivered), (SENDERS as u64, SENDERS as u64));
    }
}

/// Scenario: a request that is larger than the whole queue, or than the memory budget, from a sender who would wait for ever,
/// while another one waits behind it.
/// Guarantee: it is refused for good, with what to do about it; the other one has its turn.
#[tokio::test(start_paused = true)]
async fn what_never_fits_is_refused_for_good() {
    let few = QueueConfig { queue_size: 4, sizer: crate::config::Sizer::Items, ..QueueConfig::default() };
    let few = DeliveryConfig { sending_queue: few, ..DeliveryConfig::default() };
    let budget = batch(4).to_otlp().bytes.len();
    for (build, key) in [
        (Build { delivery: few, ..Build::default() }, "sending_queue::queue_size"),
        (Build { budget, ..Build::default() }, "service::admission::limit_mib"),
    ] {
        let sink = Scripted::shut();
        let bench = build.with(&[("sink", Arc::clone(&sink))]);
        bench.consumer.consume(batch(3)).await.unwrap();
        let drain = Drain::new();
        let patient = |records| {
            let (consumer, drain) = (bench.consumer.clone(), drain.clone());
            tokio::spawn(async move { consumer.consume_patiently(batch(records), &drain).await })
        };
        let (large, small) = (patient(40), patient(3));
        let refused = large.await.unwrap().unwrap_err();
        assert!(matches!(&refused, Refused::Invalid(why) if why.contains(key)), "{refused}");
        assert!(!small.is_finished());
        sink.let_through(1000);
        small.await.unwrap().unwrap();
        let rows = bench.close().await;
        assert_eq!((rows[0].accepted, rows[0].delivered), (6, 6));
    }
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

/// Scenario: queues hold more than their part of the budget while the sink takes nothing, then it goes on.
/// Guarantee: a paced sender waits for its limit and no longer, goes on at once when there is relief, and is never refused.
#[tokio::test(start_paused = true)]
async fn senders_are_paced_while_sinks_do_not_keep_up() {
    const LIMIT: Duration = Duration::from_millis(200);
    let sink = Scripted::shut();
    let request = batch(1).to_otlp();
    let bench = Build { budget: 128 * request.bytes.len(), ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
    let paced = async || {
        let started = tokio::time::Instant::now();
        bench.consumer.pace(LIMIT).await;
        started.elapsed()
    };
    bench.consumer.consume(Batch::otlp(request.clone())).await.unwrap();
    assert_eq!(paced().await, Duration::ZERO, "as much as it may hold");
    bench.consumer.consume(Batch::otlp(request.clone())).await.unwrap();
    assert_eq!(paced().await, LIMIT);
    bench.consumer.consume(Batch::otlp(request)).await.unwrap();
    let (waited, ()) = tokio::join!(paced(), async {
        tokio::time::sleep(LIMIT / 2).await;
        sink.let_through(1000);
    });
    assert!(waited < LIMIT, "{waited:?}");
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (3, 3));
}

/// Scenario: a large request between small ones, all waiting for the sink.
/// Guarantee: the small ones leave together, the large one by itself and, as its bytes show, in its place.
#[tokio::test(start_paused = true)]
async fn large_requests_leave_by_themselves() {
    let sink = Scripted::shut();
    let queue = QueueConfig { num_consumers: 1, ..QueueConfig::default() };
    let delivery = DeliveryConfig { sending_queue: queue, ..DeliveryConfig::default() };
    let bench = Build { delivery, ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(batch(1)).await.unwrap();
    sink.attempts_reach(1).await;
    let mut sent = Vec::new();
    for (records, padding) in [(2, 0), (3, 0), (4, 300 << 10), (5, 0), (6, 0)] {
        let mut request = batch(records).to_otlp();
        // A field that OTLP does not have.
        let field = [&[0xa2, 0x06, 0x80, 0x80, 0x18][..], &vec![7; 6 << 16]].concat();
        request.bytes = [&request.bytes[..], if padding > 0 { &field } else { &[] }].concat().into();
        sent.extend_from_slice(&request.bytes);
        bench.consumer.consume(Batch::otlp(request)).await.unwrap();
    }
    sink.let_through(1000);
    let (attempts, bytes) = (sink.clone(), sink.clone());
    let rows = bench.close().await;
    assert_eq!(*attempts.attempts.lock(), [1, 5, 4, 11]);
    assert!(bytes.bytes.lock().ends_with(&sent));
    assert_eq!((rows[0].accepted, rows[0].delivered), (21, 21));
}
