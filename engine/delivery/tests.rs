//! Delivery from `consume` to the exporter, with a scripted exporter and a paused clock. Every scenario ends with the
//! ledger: the books must close.

mod circuit;
mod dead_letters;
mod durable;
mod full;
mod judge;
mod one_by_one;
mod random;
mod refusals;
mod stages;
mod told_apart;
mod waiting;

use super::{
    attempts::Destination,
    budget::Budget,
    complaints::SinkHealth,
    direct::DirectSender,
    durable::DurableQueue,
    entry::QueueName,
    intake::PipelineIntake,
    ledger::Ledger,
    pipeline::{Output, Pipeline, Step},
    queue::SendingQueue,
    sender::Sender,
    shedding::Shedding,
};
use crate::{
    component::{ComponentId, Consumer, Drain, Emitter, Exporter, Kind, Outcome, Refused, Request, Stage, Transform},
    config::{BatchConfig, DeliveryConfig, Duration as Span, OnFull, QueueConfig, RetryConfig},
    event::{Batch, LogRecord, Logs, OtlpRequest, Signal, otlp::tests::frames::request},
    telemetry::{Health, Status, Telemetry},
};
use async_trait::async_trait;
use lanner_queue::{Policy, QueueOptions};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{Notify, Semaphore};

/// Answers attempts from a script, then with `Delivered`. Attempts wait while it is shut.
pub(super) struct Scripted {
    script: Mutex<VecDeque<Outcome>>,
    /// Items of each attempt.
    pub attempts: Mutex<Vec<usize>>,
    /// The bytes of all attempts, one after the other.
    pub bytes: Mutex<Vec<u8>>,
    open: Semaphore,
    attempted: Notify,
}

impl Scripted {
    pub fn new(script: impl IntoIterator<Item = Outcome>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            attempts: Mutex::default(),
            bytes: Mutex::default(),
            open: Semaphore::new(Semaphore::MAX_PERMITS),
            attempted: Notify::new(),
        })
    }

    /// One whose attempts wait for `let_through`.
    pub fn shut() -> Arc<Self> {
        let scripted = Self::new([]);
        scripted.open.forget_permits(Semaphore::MAX_PERMITS);
        scripted
    }

    pub fn let_through(&self, attempts: usize) {
        self.open.add_permits(attempts);
    }

    async fn attempts_reach(&self, count: usize) {
        while self.attempts.lock().len() < count {
            self.attempted.notified().await;
        }
    }
}

#[async_trait]
impl Exporter for Scripted {
    async fn export(&self, request: &Request) -> Outcome {
        self.attempts.lock().push(request.items());
        self.bytes.lock().extend_from_slice(request.bytes());
        self.attempted.notify_one();
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
        let next = self.script.lock().pop_front();
        match next {
            Some(Outcome::Reject { reason }) if reason == "panic" => panic!("scripted"),
            Some(outcome) => outcome,
            None => Outcome::Delivered,
        }
    }
}

fn again() -> Outcome {
    Outcome::Retry { after: None, reason: "down".to_owned() }
}

fn batch(records: usize) -> Batch {
    let mut logs = Logs::default();
    for _ in 0..records {
        logs.push(Arc::default(), Arc::default(), LogRecord::default());
    }
    Batch::logs(logs)
}

/// One pipeline in front of scripted exporters.
struct Bench {
    telemetry: Telemetry,
    health: Health,
    ledger: Ledger,
    budget: Budget,
    consumer: Consumer,
    drain: Drain,
    deadline: Drain,
    senders: Vec<tokio::task::JoinHandle<()>>,
    /// The queues, and what makes their senders leave them to another one.
    queues: Vec<(Arc<SendingQueue>, Drain)>,
}

struct Build {
    signal: Signal,
    delivery: DeliveryConfig,
    steps: Vec<Arc<dyn Transform>>,
    budget: usize,
    stage: Option<Arc<dyn Stage>>,
    disk: Option<OnDisk>,
    /// The exporters whose queues give way when the log is full, besides what the configuration says of all.
    gives_way: Vec<&'static str>,
}

impl Default for Build {
    fn default() -> Self {
        let queue = QueueConfig { num_consumers: 2, queue_size: 4, ..QueueConfig::default() };
        Self {
            signal: Signal::Logs,
            delivery: DeliveryConfig { sending_queue: queue, ..DeliveryConfig::default() },
            steps: Vec::new(),
            budget: 1 << 20,
            stage: None,
            disk: None,
            gives_way: Vec::new(),
        }
    }
}

impl Build {
    fn with<E: Exporter>(self, exporters: &[(&str, Arc<E>)]) -> Bench {
        let (telemetry, ledger, budget) = (Telemetry::default(), Ledger::default(), Budget::new(self.budget));
        let (drain, deadline, health) = (Drain::new(), Drain::new(), Health::default());
        let account = ledger.pipeline(&telemetry, "logs");
        let (mut senders, mut queues, shedding) = (Vec::new(), Vec::new(), Shedding::default());
        let stage = self.stage.map(|stage| Output::Stage { stage, account: account.destination("stage") });
        let outputs = exporters
            .iter()
            .map(|(name, exporter)| {
                let id: ComponentId = name.parse().unwrap();
                let exporter: Arc<dyn Exporter> = Arc::clone(exporter) as _;
                let (delivery, sink) = (self.delivery.clone(), SinkHealth::new(health.clone(), &id));
                let destination = Arc::new(Destination { id: id.clone(), exporter, delivery, health: sink });
                let owed = account.destination(name);
                if self.delivery.sending_queue.enabled == Some(false) {
                    let sender = Arc::new(DirectSender::new(destination, self.signal, &telemetry));
                    return Output::Direct { sender, account: owed };
                }
                let mut config = self.delivery.sending_queue.clone();
                if self.gives_way.contains(name) {
                    config.on_full = OnFull::DropOldest;
                }
                let config = &config;
                let queue = match &self.disk {
                    Some(disk) => {
                        let disk = durable(disk, &id, self.signal, config, &shedding);
                        let books = (budget.clone(), &ledger, &telemetry);
                        SendingQueue::on_disk(name, self.signal, config, disk, books)
                    }
                    None => SendingQueue::new(name, self.signal, config, budget.clone(), &telemetry),
                };
                queue.feeds(&owed);
                let sender = Sender::new(Arc::clone(&queue), destination, &telemetry);
                queues.push((Arc::clone(&queue), sender.leave()));
                let (drain, deadline) = (drain.clone(), deadline.clone());
                senders.push(tokio::spawn(async move { sender.run(drain, deadline).await.unwrap() }));
                Output::Queue { queue, account: owed }
            })
            .chain(stage)
            .collect();
        let steps = self
            .steps
            .into_iter()
            .map(|transform| Step::new("step".parse().unwrap(), "logs", "logs", transform, &telemetry))
            .collect();
        let pipeline = Arc::new(Pipeline { account, steps, outputs });
        let intake = PipelineIntake::new(
            Kind::Receiver,
            "test".parse().unwrap(),
            vec![(self.signal, pipeline)],
            budget.clone(),
            Drain::new(),
            &telemetry,
        );
        Bench { consumer: Consumer::new(intake), telemetry, health, ledger, budget, drain, deadline, senders, queues }
    }
}

/// A log for the queues, their options, and which run of the process this is.
type OnDisk = (lanner_queue::Log, QueueOptions, u64);

/// The part of the log that is an exporter's.
fn durable(
    (log, options, run): &OnDisk,
    id: &ComponentId,
    signal: Signal,
    config: &QueueConfig,
    shedding: &Shedding,
) -> DurableQueue {
    let name = QueueName::of(id, signal);
    let queue = |name: QueueName, options| log.queue(&name.to_string(), options).unwrap();
    let living = queue(name.clone(), options.clone());
    let durable = DurableQueue::new(log.clone(), living, *run).with_shedding(shedding.clone());
    match config.dead_letters.max_size_mib << 20 {
        0 => durable,
        max_bytes => {
            let letters = QueueOptions { policy: Policy::DropOldest, max_bytes, ..QueueOptions::default() };
            durable.with_dead_letters(queue(name.dead_letters(), letters))
        }
    }
}

impl Bench {
    /// Drains, and checks that the books close and no memory is held.
    async fn close(self) -> Vec<super::ledger::Row> {
        self.drain.request();
        for sender in self.senders {
            sender.await.unwrap();
        }
        assert!(self.ledger.adds_up(), "{}", self.ledger);
        assert_eq!(self.budget.used(), 0, "memory is held for nothing");
        self.ledger.rows()
    }

    fn metric(&self, name: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        metrics
            .iter()
            .filter(|metric| metric.name == name)
            .flat_map(|metric| &metric.series)
            .map(|(_, value)| value)
            .sum()
    }
}

/// Scenario: a sink that fails twice, then works.
/// Guarantee: the request is tried until it is there; it is delivered once and counted once.
#[tokio::test(start_paused = true)]
async fn retries_until_delivered() {
    let sink = Scripted::new([again(), again()]);
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(batch(3)).await.unwrap();
    sink.attempts_reach(3).await;
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (3, 3));
    assert_eq!(*sink.attempts.lock(), [3, 3, 3]);
}

/// Scenario: one of two sinks is down and its queue fills up.
/// Guarantee: a refused request is in neither queue; what was accepted reaches both once the sink is back.
#[tokio::test(start_paused = true)]
async fn a_refused_request_leaves_no_half() {
    let (good, bad) = (Scripted::new([]), Scripted::shut());
    let bench = Build::default().with(&[("good", Arc::clone(&good)), ("bad", Arc::clone(&bad))]);
    let mut accepted = 0;
    for _ in 0..20 {
        match bench.consumer.consume(batch(1)).await {
            Ok(()) => accepted += 1,
            Err(Refused::Busy { full, .. }) => assert!(full.contains("bad"), "{full}"),
            Err(other) => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(accepted, 4, "as many as the queue of the dead sink holds, in flight included");
    assert_eq!(bench.metric("otelcol_receiver_refused_log_records"), 16);
    bad.let_through(1000);
    let rows = bench.close().await;
    assert_eq!(rows.iter().map(|row| (row.accepted, row.delivered)).collect::<Vec<_>>(), [(4, 4), (4, 4)]);
    assert_eq!(good.attempts.lock().iter().sum::<usize>(), 4);
}

/// Scenario: D25: the sink rejects a request, takes part of another, and the exporter panics over a third.
/// Guarantee: rejected items are counted by reason; the panic costs an attempt, not the items.
#[tokio::test(start_paused = true)]
async fn d25_counts_what_the_sink_will_never_take() {
    let sink = Scripted::new([
        Outcome::Refuse { reason: "bad".into() },
        Outcome::Partial { rejected: 2, reason: "two are bad".into() },
        Outcome::Reject { reason: "panic".into() },
    ]);
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    for attempt in 1..=3 {
        bench.consumer.consume(batch(5)).await.unwrap();
        sink.attempts_reach(attempt).await;
    }
    sink.attempts_reach(4).await;
    assert_eq!(bench.metric("lanner_exporter_panics"), 1);
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (15, 8));
    assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 5), ("partial_success".to_owned(), 2)]);
}

/// Scenario: retries are switched off, or limited in time.
/// Guarantee: what is given up is counted with the reason.
#[tokio::test(start_paused = true)]
async fn gives_up_only_when_told_to() {
    for (retry, reason) in [
        (RetryConfig { enabled: false, ..RetryConfig::default() }, "retry_disabled"),
        (RetryConfig { max_elapsed_time: Span::from_secs(20), ..RetryConfig::default() }, "retry_time_elapsed"),
    ] {
        let sink = Scripted::new(vec![again(); 100]);
        let mut build = Build::default();
        build.delivery.retry_on_failure = retry;
        let bench = build.with(&[("sink", Arc::clone(&sink))]);
        bench.consumer.consume(batch(2)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(120)).await;
        let rows = bench.close().await;
        assert_eq!(rows[0].rejected, [(reason.to_owned(), 2)]);
    }
}

/// Scenario: requests arrive while one is in flight.
/// Guarantee: a lone request leaves at once; the others leave together, joined, in order.
#[tokio::test(start_paused = true)]
async fn gathers_while_a_send_is_in_flight() {
    let sink = Scripted::shut();
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(batch(1)).await.unwrap();
    sink.attempts_reach(1).await;
    for _ in 0..3 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    sink.attempts_reach(2).await;
    assert_eq!(*sink.attempts.lock(), [1, 3]);
    sink.let_through(1000);
    bench.close().await;
}

/// Scenario: a sink fails, works, rejects, and works again.
/// Guarantee: the health shows each state with the reason; the process's phase does not depend on it.
#[tokio::test(start_paused = true)]
async fn the_health_shows_how_the_sink_is() {
    let sink = Scripted::new([again(), Outcome::Delivered, Outcome::Reject { reason: "bad".into() }]);
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    let phase = bench.health.phase();
    let mut seen = Vec::new();
    let status = || bench.health.components().first().map(|(name, status, _)| (name.to_string(), status.clone()));
    bench.consumer.consume(batch(1)).await.unwrap();
    for attempt in 1..=4 {
        sink.attempts_reach(attempt).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        seen.push(status().map(|(name, status)| (name, status.error().map(str::to_owned))));
        if attempt >= 2 {
            bench.consumer.consume(batch(1)).await.unwrap();
        }
    }
    let is = |error: Option<&str>| Some(("exporter:sink".to_owned(), error.map(str::to_owned)));
    assert_eq!(seen, [is(Some("down")), is(None), is(Some("bad")), is(None)]);
    assert!(matches!(status(), Some((_, Status::Ok))) && bench.health.phase() == phase);
    bench.close().await;
}

/// Scenario: a `batch` section with min_size 4 and max_size 5 in items.
/// Guarantee: sends wait for the minimum or the flush timeout, and are never larger than the maximum.
#[tokio::test(start_paused = true)]
async fn batches_as_configured() {
    let sink = Scripted::new([]);
    let mut build = Build::default();
    build.delivery.sending_queue.queue_size = 100;
    build.delivery.sending_queue.batch = Some(BatchConfig { min_size: 4, max_size: 5, ..BatchConfig::default() });
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    let started = tokio::time::Instant::now();
    bench.consumer.consume(batch(3)).await.unwrap();
    sink.attempts_reach(1).await;
    assert_eq!(started.elapsed(), Duration::from_millis(200), "flush_timeout");
    bench.consumer.consume(batch(12)).await.unwrap();
    sink.attempts_reach(4).await;
    assert_eq!(started.elapsed(), Duration::from_millis(200), "the minimum was reached");
    let mut sizes = sink.attempts.lock().clone();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 5, 5]);
    bench.close().await;
}

/// Scenario: SIGTERM with a dead sink (D14).
/// Guarantee: waiting retries are tried again, then everything is counted as lost to the deadline.
#[tokio::test(start_paused = true)]
async fn d14_drain_with_a_dead_sink() {
    let sink = Scripted::new(vec![again(); 1000]);
    let bench = Build::default().with(&[("sink", Arc::clone(&sink))]);
    for _ in 0..4 {
        bench.consumer.consume(batch(1)).await.unwrap();
    }
    sink.attempts_reach(1).await;
    let (deadline, before) = (bench.deadline.clone(), sink.attempts.lock().len());
    bench.drain.request();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        deadline.request();
    });
    let rows = bench.close().await;
    assert!(sink.attempts.lock().len() > before, "the drain tries again without waiting for the backoff");
    assert_eq!(rows[0].rejected, [("shutdown_deadline".to_owned(), 4)]);
}

/// Scenario: an exporter without a queue fails, then works; then only fails.
/// Guarantee: the acknowledgement waits for the export; without success nothing counts as accepted.
#[tokio::test(start_paused = true)]
async fn without_a_queue_the_acknowledgement_is_the_export() {
    let sink = Scripted::new([again(), Outcome::Delivered, again(), again(), again()]);
    let mut build = Build::default();
    build.delivery.sending_queue.enabled = Some(false);
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume_within(batch(2), Duration::from_secs(10)).await.unwrap();
    assert!(matches!(bench.consumer.consume(batch(2)).await, Err(Refused::Busy { .. })));
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (2, 2));
}

/// Scenario: the memory budget is smaller than the queue.
/// Guarantee: bytes bound what waits, whatever the number of requests; admission is refused as well.
#[tokio::test(start_paused = true)]
async fn memory_is_bounded_in_bytes() {
    let sink = Scripted::shut();
    let bench = Build { budget: 1000, ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
    let admitted = bench.consumer.admit(900).unwrap();
    assert!(matches!(bench.consumer.admit(101), Err(Refused::Busy { .. })));
    drop(admitted);
    drop(bench.consumer.admit(1000).unwrap());
    sink.let_through(1000);
    bench.close().await;
}

/// Keeps the first record, forgets the second, discards the rest with a reason.
struct Careless;

impl Transform for Careless {
    fn apply(&self, mut batch: Batch, out: &mut Emitter<'_>) {
        if let Some(logs) = batch.as_logs_mut() {
            for group in &mut logs.groups {
                out.discard(group.records.len().saturating_sub(2), "surplus");
                group.records.truncate(1);
            }
        }
        out.degraded(batch.len(), "odd");
        out.emit(batch);
    }
}

/// Scenario: a transform drops records without saying so.
/// Guarantee: they show up in the ledger as unaccounted, beside those it named.
#[tokio::test(start_paused = true)]
async fn nothing_vanishes_in_a_transform() {
    let sink = Scripted::new([]);
    let bench = Build { steps: vec![Arc::new(Careless)], ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(batch(5)).await.unwrap();
    assert_eq!(bench.metric("lanner_processor_degraded"), 1, "what is passed on although it is odd is counted beside");
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].delivered), (5, 1));
    assert_eq!(rows[0].discarded, [("step surplus".to_owned(), 3), ("step unaccounted".to_owned(), 1)]);
}

/// Passes everything on without looking at records.
struct Blind;

impl Transform for Blind {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit(batch);
    }

    fn reads_records(&self) -> bool {
        false
    }
}

/// Looks at records and passes all on; says so or not.
struct Looks {
    only_selects: bool,
}

impl Transform for Looks {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        assert_eq!(batch.records().count(), batch.len());
        out.emit(batch);
    }

    fn only_selects(&self) -> bool {
        self.only_selects
    }
}

/// Scenario: a request with a field that OTLP does not have passes transforms that look at its records.
/// Guarantee: behind those that only select it is what it was; behind any other nothing is left but what the records hold.
#[tokio::test(start_paused = true)]
async fn only_selecting_keeps_bytes() {
    let known = batch(2).to_otlp();
    let came = OtlpRequest { bytes: [&known.bytes[..], &[0xa2, 0x06, 1, 7]].concat().into(), ..known.clone() };
    for (steps, expected) in [([true, true], &came), ([true, false], &known), ([false, true], &known)] {
        let sink = Scripted::new([]);
        let steps = steps.map(|only_selects| Arc::new(Looks { only_selects }) as Arc<dyn Transform>);
        let bench = Build { steps: steps.into(), ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
        bench.consumer.consume(Batch::otlp(came.clone())).await.unwrap();
        bench.close().await;
        assert_eq!(*sink.bytes.lock(), expected.bytes);
    }
}

proptest! {
    /// Scenario: OTLP requests of any signal pass a transform that does not look at records, a fan-out and two queues,
    /// one at a time or gathered.
    /// Guarantee: both sinks get the bytes that came in, in order, joined at most by concatenation; every item is counted.
    #[test]
    fn untouched_otlp_stays_byte_identical(requests in proptest::collection::vec(request(), 1..8), shut: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        for signal in Signal::ALL {
            let sent: Vec<_> = requests.iter().filter(|(of, _, items)| *of == signal && *items > 0).collect();
            runtime.block_on(async {
                let sinks = [(); 2].map(|()| if shut { Scripted::shut() } else { Scripted::new([]) });
                let queue = QueueConfig { num_consumers: 1, ..QueueConfig::default() };
                let delivery = DeliveryConfig { sending_queue: queue, ..DeliveryConfig::default() };
                let build = Build { signal, delivery, steps: vec![Arc::new(Blind)], ..Build::default() };
                let bench = build.with(&[("one", Arc::clone(&sinks[0])), ("two", Arc::clone(&sinks[1]))]);
                for (signal, bytes, _) in &sent {
                    let request = OtlpRequest::parse(*signal, bytes.clone()).unwrap();
                    bench.consumer.consume(Batch::otlp(request)).await.unwrap();
                }
                if shut {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    sinks.iter().for_each(|sink| sink.let_through(100));
                }
                let rows = bench.close().await;
                let items: usize = sent.iter().map(|(_, _, items)| items).sum();
                let whole: Vec<u8> = sent.iter().flat_map(|(_, bytes, _)| bytes.to_vec()).collect();
                for (sink, row) in sinks.iter().zip(rows) {
                    assert_eq!(*sink.bytes.lock(), whole);
                    assert_eq!((row.accepted, row.delivered), (items as u64, items as u64));
                }
            });
        }
    }
}
