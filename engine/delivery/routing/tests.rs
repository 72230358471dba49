//! Routing from `consume` to scripted sinks behind three pipelines. A record says in its body where it goes: bit 0 is
//! the first pipeline and so on; the ledger closes in the end.

use super::{Fork, split};
use crate::{
    component::{ComponentId, Consumer, Drain, Exporter, Kind, Outcome, Refused, Route, Router, Routes},
    config::{DeliveryConfig, QueueConfig},
    delivery::{
        attempts::Destination,
        budget::Budget,
        complaints::SinkHealth,
        intake::PipelineIntake,
        ledger::{Ledger, Row},
        pipeline::{Output, Pipeline},
        queue::SendingQueue,
        sender::Sender,
        tests::Scripted,
    },
    event::{
        Batch, LogGroup, LogRecord, Logs, OtlpRequest, Resource, Signal, Value, otlp, otlp::tests::frames::request,
    },
    telemetry::{Health, Telemetry},
};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

/// Sends a record to the pipelines whose bits its body has, and what is unread to all.
struct ByBits {
    reads_records: bool,
}

impl Router for ByBits {
    fn route(&self, _: &Resource, record: &LogRecord, routes: &mut Routes) {
        let Value::Int(bits) = record.body else { return };
        // One number more than there are pipelines: the engine must not trust it.
        (0..4).filter(|bit| bits & (1 << bit) != 0).for_each(|bit| routes.add(Route(bit)));
    }

    fn route_unread(&self, routes: &mut Routes) {
        routes.extend(&[Route(0), Route(1), Route(2)]);
    }

    fn reads_records(&self) -> bool {
        self.reads_records
    }
}

const READING: ByBits = ByBits { reads_records: true };

/// A record for each number, in groups of at most `group` records; the time tells them apart.
fn batch(bits: &[i64], group: usize) -> Batch {
    let records: Vec<LogRecord> = (1..)
        .zip(bits)
        .map(|(number, bits)| LogRecord { time_unix_nano: number, body: Value::Int(*bits), ..LogRecord::default() })
        .collect();
    let groups = records.chunks(group).map(|part| LogGroup { records: part.to_vec(), ..LogGroup::default() });
    Batch::logs(Logs { groups: groups.collect() })
}

proptest! {
    /// Scenario: batches of any grouping with any choice for each record, some of them for a pipeline that is not there.
    /// Guarantee: each pipeline gets exactly its records, in order; what goes nowhere is counted; no group is empty.
    #[test]
    fn splits_as_chosen(bits in proptest::collection::vec(0_i64..16, 1..30), group in 1_usize..10, shared: bool) {
        let whole = batch(&bits, group);
        let kept = shared.then(|| whole.clone());
        let parted = split(&READING, whole, &[Signal::Logs; 3]);
        prop_assert_eq!(parted.unrouted, bits.iter().filter(|bits| **bits & 7 == 0).count());
        for (pipeline, part) in parted.parts.iter().enumerate() {
            let numbered = (1_u64..).zip(&bits);
            let wanted: Vec<u64> =
                numbered.filter(|(_, bits)| **bits & (1 << pipeline) != 0).map(|(number, _)| number).collect();
            let got: Vec<u64> =
                part.iter().flat_map(Batch::records).map(|record| record.time_unix_nano).collect();
            prop_assert_eq!(got, wanted);
            prop_assert_eq!(part.is_none(), bits.iter().all(|bits| *bits & (1 << pipeline) == 0));
            let groups = part.iter().filter_map(Batch::as_logs).flat_map(|logs| &logs.groups);
            prop_assert!(groups.into_iter().all(|group| !group.records.is_empty()));
        }
        if let Some(kept) = kept {
            let same = kept.as_logs() == batch(&bits, group).as_logs();
            prop_assert!(same, "the other branch sees a change");
        }
    }

    /// Scenario: requests of any signal meet a router that does not look at records, with pipelines of every signal.
    /// Guarantee: the bytes are handed on as they came, to the pipelines of their signal only.
    #[test]
    fn what_is_unread_stays_as_it_came((signal, bytes, items) in request()) {
        prop_assume!(items > 0);
        let request = OtlpRequest::parse(signal, bytes.clone()).unwrap();
        let parted = split(&ByBits { reads_records: false }, Batch::otlp(request), &Signal::ALL);
        prop_assert_eq!(parted.unrouted, 0);
        for (of, part) in Signal::ALL.into_iter().zip(parted.parts) {
            let got = part.as_ref().and_then(Batch::as_otlp).map(|request| &request.bytes);
            prop_assert_eq!(got, (of == signal).then_some(&bytes));
        }
    }
}

/// Scenario: all records of a batch go to two pipelines; then one of them goes to the second only.
/// Guarantee: what goes whole is not copied: it is the same memory.
#[test]
fn a_whole_batch_is_not_copied() {
    let address = |batch: &Batch| batch.as_logs().map(|logs| logs.groups.as_ptr());
    let whole = batch(&[3, 3], 8);
    let before = address(&whole);
    let parted = split(&READING, whole, &[Signal::Logs; 2]);
    assert!(parted.parts.iter().all(|part| part.as_ref().and_then(address) == before));
    let whole = batch(&[3, 2], 8);
    let before = address(&whole);
    let parted = split(&READING, whole, &[Signal::Logs; 2]);
    let lengths: Vec<_> = parted.parts.iter().flatten().map(Batch::len).collect();
    assert_eq!(lengths, [1, 2]);
    assert_eq!(parted.parts[1].as_ref().and_then(address), before);
}

/// A pipeline `logs/in` in front of a router with three pipelines, each with a queue and a sink of its own, and a sink
/// beside the router.
struct Bench {
    ledger: Ledger,
    budget: Budget,
    consumer: Consumer,
    drain: Drain,
    senders: Vec<tokio::task::JoinHandle<()>>,
}

impl Bench {
    fn new(sinks: &[Arc<Scripted>; 4], queue_sizes: [usize; 4]) -> Self {
        let (telemetry, ledger, budget) = (Telemetry::default(), Ledger::default(), Budget::new(1 << 20));
        let (drain, mut senders) = (Drain::new(), Vec::new());
        let mut queue = |name: &str, number: usize| {
            let id: ComponentId = name.parse().unwrap();
            let sending_queue =
                QueueConfig { num_consumers: 1, queue_size: queue_sizes[number], ..QueueConfig::default() };
            let queue = SendingQueue::new(name, Signal::Logs, &sending_queue, budget.clone(), &telemetry);
            let (exporter, health) = (Arc::clone(&sinks[number]) as Arc<dyn Exporter>, Health::default());
            let delivery = DeliveryConfig { sending_queue, ..DeliveryConfig::default() };
            let health = SinkHealth::new(health, &id);
            let destination = Arc::new(Destination { id, exporter, delivery, health });
            let sender = Sender::new(Arc::clone(&queue), destination, &telemetry);
            let drain = drain.clone();
            senders.push(tokio::spawn(async move { sender.run(drain, Drain::new()).await.unwrap() }));
            queue
        };
        let behind = |(number, name): (usize, &str)| {
            let account = ledger.pipeline(&telemetry, &format!("logs/{name}"));
            let outputs = vec![Output::Queue { queue: queue(name, number), account: account.destination(name) }];
            (Signal::Logs, Arc::new(Pipeline { account, steps: Vec::new(), outputs }))
        };
        let pipelines: Vec<_> = ["a", "b", "c"].into_iter().enumerate().map(behind).collect();
        let account = ledger.pipeline(&telemetry, "logs/in");
        let router =
            Output::Router(Fork { router: Arc::new(READING), pipelines, account: account.destination("routing") });
        let beside = Output::Queue { queue: queue("beside", 3), account: account.destination("beside") };
        let head = Arc::new(Pipeline { account, steps: Vec::new(), outputs: vec![beside, router] });
        let intake = PipelineIntake::new(
            Kind::Receiver,
            "test".parse().unwrap(),
            vec![(Signal::Logs, head)],
            budget.clone(),
            Drain::new(),
            &telemetry,
        );
        Self { consumer: Consumer::new(intake), ledger, budget, drain, senders }
    }

    fn row(&self, destination: &str) -> Row {
        self.ledger.rows().into_iter().find(|row| row.destination == destination).unwrap()
    }

    /// Drains, and checks that the books close and no memory is held.
    async fn close(&mut self) {
        self.drain.request();
        for sender in self.senders.drain(..) {
            sender.await.unwrap();
        }
        assert!(self.ledger.adds_up(), "{}", self.ledger);
        assert_eq!(self.budget.used(), 0, "memory is held for nothing");
    }
}

/// The numbers that a sink got, in order.
fn bits_at(sink: &Scripted) -> Vec<i64> {
    let logs = otlp::decode_logs(&sink.bytes.lock().clone().into()).unwrap();
    let bits = |record: &LogRecord| match record.body {
        Value::Int(bits) => bits,
        _ => panic!("{record:?}"),
    };
    logs.records().map(bits).collect()
}

/// Scenario: the queue behind one of three routes is full; requests for that route and others, then for others only.
/// Guarantee: the first are refused and leave nothing anywhere; the others are taken, and the refused one as well once
/// there is room.
#[tokio::test(start_paused = true)]
async fn a_full_queue_behind_one_route_refuses_the_whole() {
    let sinks = [Scripted::new([]), Scripted::shut(), Scripted::new([]), Scripted::new([])];
    let mut bench = Bench::new(&sinks, [9, 1, 9, 9]);
    bench.consumer.consume(batch(&[2], 1)).await.unwrap();
    let mixed = || batch(&[1, 3, 0, 4], 2);
    for _ in 0..3 {
        let refused = bench.consumer.consume(mixed()).await.unwrap_err();
        assert!(matches!(&refused, Refused::Busy { full, .. } if full.contains('b')), "{refused:?}");
    }
    bench.consumer.consume(batch(&[1, 4], 1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let accepted = |bench: &Bench| ["a", "b", "c", "beside"].map(|name| bench.row(name).accepted);
    assert_eq!(accepted(&bench), [1, 1, 1, 3]);
    assert_eq!([0, 2, 3].map(|sink: usize| bits_at(&sinks[sink])), [vec![1], vec![4], vec![2, 1, 4]]);
    assert_eq!(bench.row("routing").rejected, []);
    sinks[1].let_through(100);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.consumer.consume(mixed()).await.unwrap();
    bench.close().await;
    assert_eq!(accepted(&bench), [3, 2, 2, 7]);
    assert_eq!(bits_at(&sinks[0]), [1, 1, 3]);
    assert_eq!(bits_at(&sinks[1]), [2, 3]);
    let row = bench.row("routing");
    assert_eq!((row.delivered, row.rejected), (6, vec![("no_route".to_owned(), 1)]));
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Delivered),
        Just(Outcome::Retry { after: None, reason: "down".to_owned() }),
        Just(Outcome::Reject { reason: "bad".to_owned() }),
        Just(Outcome::Partial { rejected: 1, reason: "one is bad".to_owned() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Scenario: any requests to any routes, with small queues and sinks that deliver, fail and reject as they like.
    /// Guarantee: every book closes; each pipeline accepted exactly what accepted requests had for it, refused ones left
    /// nothing; what had no route is rejected at the router.
    #[test]
    fn the_ledger_closes_over_all_routes(
        requests in proptest::collection::vec(proptest::collection::vec(0_i64..8, 1..6), 1..12),
        scripts in proptest::collection::vec(proptest::collection::vec(outcome(), 0..8), 4),
        queues in proptest::array::uniform4(1_usize..4),
        pause in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut scripts = scripts.into_iter();
            let sinks = [(); 4].map(|()| Scripted::new(scripts.next().unwrap()));
            let mut bench = Bench::new(&sinks, queues);
            let mut taken: Vec<i64> = Vec::new();
            for (bits, pause) in requests.iter().zip(pause) {
                match bench.consumer.consume(batch(bits, 2)).await {
                    Ok(()) => taken.extend(bits),
                    Err(refused) => assert!(matches!(refused, Refused::Busy { .. }), "{refused:?}"),
                }
                if pause {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            bench.close().await;
            let having = |bits: i64| taken.iter().filter(|taken| **taken & bits != 0).count() as u64;
            let accepted = ["a", "b", "c", "beside", "routing"].map(|name| bench.row(name).accepted);
            assert_eq!(accepted, [having(1), having(2), having(4), taken.len() as u64, taken.len() as u64]);
            let row = bench.row("routing");
            assert_eq!(row.delivered, having(7));
            assert_eq!(row.rejected.iter().map(|(_, items)| items).sum::<u64>(), taken.len() as u64 - having(7));
        });
    }
}
