//! The circuit breaker: what a sink that fails is asked, and how soon it gets everything once it works.

use super::{
    judge::{Judge, named, numbered, quiet},
    *,
};
use crate::delivery::circuit::{Circuit, FAILURES};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::time::Instant;

const STATE: &str = "lanner_exporter_circuit_state";

/// Ten requests at once, without jitter.
fn wide() -> Build {
    let mut build = Build::default();
    build.delivery.sending_queue.num_consumers = 10;
    build.delivery.sending_queue.queue_size = 100_000;
    build.delivery.sending_queue.batch =
        Some(BatchConfig { min_size: 1, max_size: 1, flush_timeout: Span::from_secs(0), ..BatchConfig::default() });
    build.delivery.retry_on_failure.randomization_factor = 0.0;
    build
}

/// A sink that works while `up`; an answer takes 10 ms.
fn switched(up: &Arc<AtomicBool>, after: Option<Duration>) -> Arc<Judge> {
    let up = Arc::clone(up);
    let verdict = move |_: &Request, _: &[String]| {
        if up.load(SeqCst) { Outcome::Delivered } else { Outcome::Retry { after, reason: "down".into() } }
    };
    Arc::new(Judge::slow(Duration::from_millis(10), verdict))
}

/// Scenario: a sink is down for ten minutes, with ten requests that want to be sent at once.
/// Guarantee: after the first failures one attempt at a time, at the pace of one request; the state is shown as metric and
/// in the health; once the sink works everything goes, ten at a time.
#[tokio::test(start_paused = true)]
async fn a_dead_sink_is_probed() {
    let up = Arc::new(AtomicBool::new(false));
    let sink = switched(&up, None);
    let bench = wide().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(200))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(bench.metric(STATE) > 0);
    let told = bench.health.components().first().and_then(|(_, status, _)| status.error().map(str::to_owned));
    assert_eq!(told.as_deref(), Some("down (one attempt at a time until it works)"));
    sink.most.store(0, SeqCst);
    let before = sink.requests();
    tokio::time::sleep(Duration::from_secs(540)).await;
    assert_eq!(sink.most.load(SeqCst), 1);
    let probes = sink.requests() - before;
    assert!((17..=19).contains(&probes), "one each 30 s, as `max_interval` says: {probes}");
    up.store(true, SeqCst);
    sink.most.store(0, SeqCst);
    let started = Instant::now();
    quiet(&bench).await;
    assert!(started.elapsed() < Duration::from_secs(32), "{:?}", started.elapsed());
    assert_eq!((sink.most.load(SeqCst), bench.metric(STATE)), (10, 0));
    assert_eq!(sink.sorted(), numbered(200).collect::<Vec<_>>());
    bench.close().await;
}

/// Scenario: a sink asks for two minutes, again and again.
/// Guarantee: nothing is sent before, and one request then.
#[tokio::test(start_paused = true)]
async fn probes_honour_what_the_sink_asks_for() {
    let up = Arc::new(AtomicBool::new(false));
    let sink = switched(&up, Some(Duration::from_secs(120)));
    let bench = wide().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(50))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let attempts = sink.attempts.lock().clone();
    let first = attempts[0].0;
    let probes: Vec<Instant> =
        attempts.iter().map(|(at, _)| *at).filter(|at| *at > first + Duration::from_secs(1)).collect();
    assert!((7..=8).contains(&probes.len()), "{}", probes.len());
    let mut last = first;
    for probe in probes {
        assert!(probe - last >= Duration::from_secs(120), "{:?}", probe - last);
        last = probe;
    }
    up.store(true, SeqCst);
    quiet(&bench).await;
    bench.close().await;
}

/// Scenario: requests that the sink fails over, for ever, among others that it would take.
/// Guarantee: nobody starves: all others are delivered.
#[tokio::test(start_paused = true)]
async fn the_others_have_their_turn() {
    let sink = Arc::new(Judge::new(|_, names| if names[0].as_str() < "008" { again() } else { Outcome::Delivered }));
    let bench = wide().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(40))).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(3600), async {
        while sink.got.lock().len() < 32 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waiting.await.is_ok(), "{} of 32", sink.got.lock().len());
    assert_eq!(bench.ledger.rows()[0].queued, 8);
    bench.deadline.request();
    bench.close().await;
}

/// Scenario: an attempt that began before the circuit opened succeeds while a probe waits for its time.
/// Guarantee: the probe and all behind it leave at once.
#[tokio::test(start_paused = true)]
async fn a_late_success_closes_the_circuit() {
    let (drain, telemetry) = (Drain::new(), Telemetry::default());
    let circuit = Arc::new(Circuit::new(&RetryConfig::default(), "sink", Signal::Logs, &telemetry));
    for _ in 0..FAILURES {
        let turn = circuit.turn(&drain).await;
        circuit.failed(turn, Some(Duration::from_secs(300)), false);
    }
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let (circuit, drain) = (Arc::clone(&circuit), drain.clone());
            tokio::spawn(async move { drop(circuit.turn(&drain).await) })
        })
        .collect();
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(waiting.iter().all(|probe| !probe.is_finished()));
    circuit.answered();
    for probe in waiting {
        probe.await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// Scenario: a sink is up for one second and down for four, for two minutes; it has what it took 2 ms before its answer,
/// which is lost when it goes down in between (D9).
/// Guarantee: nothing is missing, less than 1 % is there twice, and the state was shown.
#[tokio::test(start_paused = true)]
async fn d9_a_sink_that_flaps() {
    let began = Instant::now();
    let is_up = move |at: Instant| (at - began).as_millis() % 5000 < 1000;
    let sink = Arc::new(Flapping { is_up: Box::new(is_up), got: Mutex::default() });
    let mut build = wide();
    build.delivery.sending_queue.batch = None;
    build.delivery.retry_on_failure.max_interval = Span::from_secs(3);
    build.delivery.retry_on_failure.initial_interval = Span::from_millis(700);
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    let mut states = [false; 3];
    for second in 0..120 {
        for tenth in 0..10 {
            let names = (0..20).map(|number| format!("{second:03}.{tenth}.{number:02}"));
            bench.consumer.consume(named(names)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            states[bench.metric(STATE) as usize] = true;
        }
    }
    quiet(&bench).await;
    let sum = 120 * 10 * 20;
    let mut got = sink.got.lock().clone();
    let taken = got.len();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), sum);
    assert!((taken - sum) * 100 < sum, "{} twice", taken - sum);
    assert!(states[0] && states[1], "{states:?}");
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (sum as u64, sum as u64));
}

/// Takes 8 ms to have a request, and 2 more to say so.
struct Flapping {
    is_up: Box<dyn Fn(Instant) -> bool + Send + Sync>,
    got: Mutex<Vec<String>>,
}

#[async_trait]
impl Exporter for Flapping {
    async fn export(&self, request: &Request) -> Outcome {
        for (millis, commits) in [(8, true), (2, false)] {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            if !(self.is_up)(Instant::now()) {
                return again();
            }
            if commits {
                self.got.lock().extend(judge::names(request));
            }
        }
        Outcome::Delivered
    }
}
