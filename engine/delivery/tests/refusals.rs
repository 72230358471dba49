//! Requests that a sink refuses: how the bad records are found, and what that costs.

use super::{
    judge::{Judge, named, numbered, quiet},
    *,
};
use crate::delivery::bisection::{IN_A_ROW, SAMPLES};
use tokio::time::Instant;

/// Scenario: one record of a hundred is refused by the sink (D21).
/// Guarantee: 99 are delivered, once; one is rejected; fewer than 20 requests, and no stall.
#[tokio::test(start_paused = true)]
async fn d21_poison_event() {
    for bad in ["000", "037", "099"] {
        let sink = Judge::refusing(move |name| name == bad);
        let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
        let started = Instant::now();
        bench.consumer.consume(named(numbered(100))).await.unwrap();
        quiet(&bench).await;
        assert!(started.elapsed() <= Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(sink.requests() < 20, "{} requests", sink.requests());
        assert_eq!(sink.sorted(), numbered(100).filter(|name| name != bad).collect::<Vec<_>>());
        assert_eq!(bench.metric("otelcol_exporter_sent_log_records"), 99);
        assert_eq!(bench.metric("otelcol_exporter_send_failed_log_records"), 1);
        let rows = bench.close().await;
        assert_eq!((rows[0].accepted, rows[0].delivered), (100, 99));
        assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 1)]);
    }
}

/// Scenario: several records of a request are bad, beside each other and far apart; a retry comes in between.
/// Guarantee: exactly they are rejected; at most 2 log2(n) requests and a few for each.
#[tokio::test(start_paused = true)]
async fn bad_records_stand_alone() {
    let bad = |name: &str| ["003", "004", "100", "255"].contains(&name);
    let down = Mutex::new(2);
    let sink = Arc::new(Judge::new(move |_, names| {
        if names.len() == 16 && std::mem::take(&mut *down.lock()) > 0 {
            return again();
        }
        if names.iter().any(|name| bad(name)) {
            return Outcome::Reject { reason: "bad".into() };
        }
        Outcome::Delivered
    }));
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(256))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.sorted(), numbered(256).filter(|name| !bad(name)).collect::<Vec<_>>());
    assert!(sink.requests() <= 4 * (2 * 8 + 1), "{} requests", sink.requests());
    let rows = bench.close().await;
    assert_eq!((rows[0].delivered, rows[0].rejected[0].1), (252, 4));
}

/// Scenario: a sink that refuses everything, request after request; then one that works.
/// Guarantee: the first request costs a bounded number of attempts, each later one three; a sink that takes something is
/// trusted again.
#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_everything_is_not_asked_for_each_record() {
    let refuses = Arc::new(Mutex::new(true));
    let answer = Arc::clone(&refuses);
    let sink = Arc::new(Judge::new(move |_, names| {
        let bad = *answer.lock() || names.iter().any(|name| name == "500");
        if bad { Outcome::Reject { reason: "no".into() } } else { Outcome::Delivered }
    }));
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    let mut before = 0;
    for cost in [IN_A_ROW + SAMPLES, 3, 3] {
        bench.consumer.consume(named(numbered(1000))).await.unwrap();
        quiet(&bench).await;
        assert_eq!(sink.requests() - before, cost);
        before = sink.requests();
    }
    *refuses.lock() = false;
    bench.consumer.consume(named(numbered(1000))).await.unwrap();
    quiet(&bench).await;
    let rows = bench.close().await;
    assert_eq!((rows[0].delivered, rows[0].rejected[0].1), (999, 3001));
}

/// Scenario: every seventh record of a thousand is bad, so that every part of more than six is refused; of another request
/// one half is bad.
/// Guarantee: all good records are delivered; the bad half is given up without being asked for each.
#[tokio::test(start_paused = true)]
async fn bad_records_everywhere_take_no_neighbour_along() {
    let bad = |name: &str| name.parse::<usize>().unwrap() % 7 == 3;
    let sink = Judge::refusing(bad);
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(1000))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.sorted(), numbered(1000).filter(|name| !bad(name)).collect::<Vec<_>>());
    assert!(sink.requests() < 1400, "{} requests for 143 bad records", sink.requests());
    bench.close().await;

    let sink = Judge::refusing(|name| name < "500");
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(1000))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.got.lock().len(), 500);
    assert!(sink.requests() < 40, "{} requests", sink.requests());
    let rows = bench.close().await;
    assert_eq!((rows[0].delivered, rows[0].rejected[0].1), (500, 500));
}

/// Scenario: the sink does not know us: 401.
/// Guarantee: one attempt for each request.
#[tokio::test(start_paused = true)]
async fn what_is_no_fault_of_records_is_not_halved() {
    let sink = Arc::new(Judge::new(|_, _| Outcome::Refuse { reason: "HTTP 401".into() }));
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(100))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.requests(), 1);
    let rows = bench.close().await;
    assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 100)]);
}

/// Scenario: an exporter that tells records apart rejects all of a request; another gives up with some delivered.
/// Guarantee: nothing is halved, and what the sink has counts as delivered.
#[tokio::test(start_paused = true)]
async fn exporters_that_tell_records_apart_are_believed() {
    use crate::component::Settled;
    let sink = Arc::new(Judge::new(|request, _| {
        let progress = request.progress();
        progress.settle(0, Settled::Delivered);
        if request.items() == 2 {
            return again();
        }
        (0..request.items()).for_each(|item| progress.settle(item, Settled::Rejected { reason: "no".into() }));
        progress.outcome().unwrap()
    }));
    let mut build = Build::default();
    build.delivery.retry_on_failure.max_elapsed_time = Span::from_secs(20);
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(8))).await.unwrap();
    quiet(&bench).await;
    assert_eq!(sink.requests(), 1);
    bench.consumer.consume(named(numbered(2))).await.unwrap();
    quiet(&bench).await;
    let rows = bench.close().await;
    assert_eq!(rows[0].delivered, 2);
    assert_eq!(rows[0].rejected, [("partial_success".to_owned(), 7), ("retry_time_elapsed".to_owned(), 1)]);
}

proptest! {
    /// Scenario: requests of any signal, refused by chance, whole or in parts.
    /// Guarantee: every item is delivered or rejected, once; never more than `2n` attempts.
    #[test]
    fn any_request_can_be_halved(requests in proptest::collection::vec(request(), 1..6), seed: u64, share in 0u8..10) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        for signal in Signal::ALL {
            let sent: Vec<_> = requests.iter().filter(|(of, _, items)| *of == signal && *items > 0).collect();
            runtime.block_on(async {
                let chance = Mutex::new(fastrand::Rng::with_seed(seed));
                let delivered = Arc::new(Mutex::new(0));
                let sum = Arc::clone(&delivered);
                let sink = Arc::new(Blindfolded(Box::new(move |request| {
                    if chance.lock().u8(0..10) < share {
                        return Outcome::Reject { reason: "no".into() };
                    }
                    *sum.lock() += request.items();
                    Outcome::Delivered
                }), Mutex::default()));
                let bench = Build { signal, ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
                let mut items = 0;
                for (signal, bytes, _) in sent {
                    let request = OtlpRequest::parse(*signal, bytes.clone()).unwrap();
                    items += request.items;
                    bench.consumer.consume(Batch::otlp(request)).await.unwrap();
                    quiet(&bench).await;
                }
                prop_assert!(*sink.1.lock() <= 2 * items, "{} attempts for {items}", sink.1.lock());
                let rows = bench.close().await;
                let rejected: u64 = rows[0].rejected.iter().map(|(_, items)| items).sum();
                prop_assert_eq!(rows[0].delivered, *delivered.lock() as u64);
                prop_assert_eq!(rows[0].delivered + rejected, items as u64);
                Ok(())
            })?;
        }
    }
}

/// Answers without looking into records; counts attempts.
struct Blindfolded(Box<dyn Fn(&Request) -> Outcome + Send + Sync>, Mutex<usize>);

#[async_trait]
impl Exporter for Blindfolded {
    async fn export(&self, request: &Request) -> Outcome {
        *self.1.lock() += 1;
        (self.0)(request)
    }
}
