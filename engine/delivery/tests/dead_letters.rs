//! Dead letters of queues on disk, with a real log, over restarts.

use super::{
    durable::{kill, large, on_disk, until},
    judge::{Judge, named, names, numbered, quiet},
    *,
};
use crate::{
    config::DeadLettersConfig,
    delivery::entry::{Rejection, Stored},
};
use lanner_queue::{Options, Stopped};
use std::path::Path;

fn options() -> Options {
    Options { segment_bytes: 64 << 10, max_bytes: 1 << 20, ..Options::default() }
}

/// The dead letters of `sink` in a folder that nobody uses, oldest first.
pub(super) fn letters(folder: &Path) -> Vec<Stored> {
    let stopped = Stopped::look(folder, options()).unwrap();
    // A queue that nothing was ever written to is forgotten.
    let peeked = stopped.peek("sink:logs/dead", 100_000).unwrap_or_default();
    peeked.into_iter().map(|entry| Stored::read(entry.payload, Signal::Logs).unwrap()).collect()
}

/// The names of all records in them.
pub(super) fn names_in(letters: &[Stored]) -> Vec<String> {
    let mut all: Vec<_> = letters.iter().flat_map(|letter| names(&Request::new(letter.request.clone()))).collect();
    all.sort();
    all
}

/// Scenario: one record of a hundred is refused; the process is killed and started again; the dead letter is moved back
/// once the sink takes it.
/// Guarantee: the letter holds that record and nothing else, with the pipeline, the reason and what the sink said; it
/// survives, is not sent by itself, and once moved back is delivered. Each run's books close.
#[tokio::test]
async fn d21_a_refused_record_is_kept_and_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Judge::refusing(|name| name == "042");
    let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(named(numbered(100))).await.unwrap();
    quiet(&bench).await;
    assert!(sink.requests() < 20 && bench.ledger.adds_up(), "{}", bench.ledger);
    assert_eq!(bench.ledger.rows()[0].rejected, [("rejected_by_sink".to_owned(), 1)]);
    assert_eq!(bench.metric("lanner_exporter_dead_letters"), 1);
    assert_eq!(bench.metric("lanner_exporter_dead_letters_unkept_items"), 0);
    kill(bench, log).await;

    let kept = letters(folder.path());
    assert_eq!((kept.len(), names_in(&kept), &*kept[0].pipeline), (1, vec!["042".to_owned()], "logs"));
    let said = Rejection { reason: "rejected_by_sink".into(), detail: "HTTP 400: 042 is bad".into() };
    assert_eq!(kept[0].rejection, Some(said));

    let sink = Judge::refusing(|_| false);
    let (build, log) = on_disk(folder.path(), 2, Policy::Hold).await;
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    assert_eq!(bench.metric("lanner_exporter_dead_letters"), 1);
    bench.consumer.consume(named(["new".to_owned()])).await.unwrap();
    quiet(&bench).await;
    assert_eq!(*sink.got.lock(), ["new"]);
    bench.close().await;
    log.close().await;

    let mut stopped = Stopped::open(folder.path(), options()).unwrap();
    assert_eq!(stopped.redrive("sink:logs/dead", "sink:logs").unwrap(), 1);
    drop(stopped);
    let (build, log) = on_disk(folder.path(), 3, Policy::Hold).await;
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    until(|| sink.got.lock().len() == 2).await;
    quiet(&bench).await;
    assert_eq!((sink.sorted(), bench.metric("lanner_exporter_dead_letters")), (vec!["042".into(), "new".into()], 0));
    let rows = bench.close().await;
    assert_eq!((rows[0].recovered, rows[0].delivered), (1, 1));
    log.close().await;
}

/// Scenario: two pipelines' worth of endings: retries switched off, retries for a limited time, a part that an exporter
/// names, a part that a sink only counts, everything refused.
/// Guarantee: what is known is kept, with its own reason; what is not known is counted as not kept.
#[tokio::test]
async fn every_ending_is_kept() {
    use crate::component::Settled;
    let slow = RetryConfig { initial_interval: Span::from_millis(1), ..RetryConfig::default() };
    let cases: [(&str, RetryConfig, Judge, &[&str]); 5] = [
        (
            "retry_disabled",
            RetryConfig { enabled: false, ..slow.clone() },
            Judge::new(|_, _| again()),
            &["000", "001", "002"],
        ),
        (
            "retry_time_elapsed",
            RetryConfig {
                max_elapsed_time: Span::from_millis(30),
                max_interval: Span::from_millis(10),
                ..slow.clone()
            },
            Judge::new(|_, _| again()),
            &["000", "001", "002"],
        ),
        (
            "partial_success",
            slow.clone(),
            Judge::new(|request, _| {
                let no = || Settled::Rejected { reason: "no".into() };
                [Settled::Delivered, no(), no()]
                    .into_iter()
                    .enumerate()
                    .for_each(|(item, settled)| request.progress().settle(item, settled));
                request.progress().outcome().unwrap()
            }),
            &["001", "002"],
        ),
        (
            "partial_success",
            slow.clone(),
            Judge::new(|_, _| Outcome::Partial { rejected: 2, reason: "two".into() }),
            &[],
        ),
        ("rejected_by_sink", slow, Judge::new(|_, _| Outcome::Refuse { reason: "401".into() }), &["000", "001", "002"]),
    ];
    for (reason, retry, sink, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (mut build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
        build.delivery.retry_on_failure = retry;
        let bench = build.with(&[("sink", Arc::new(sink))]);
        bench.consumer.consume(named(numbered(3))).await.unwrap();
        quiet(&bench).await;
        let unkept = bench.metric("lanner_exporter_dead_letters_unkept_items");
        let rows = bench.close().await;
        log.close().await;
        let kept = letters(folder.path());
        assert_eq!(names_in(&kept), expected, "{reason}");
        assert!(
            kept.iter().all(|letter| letter.rejection.as_ref().is_some_and(|why| why.reason == reason)),
            "{kept:?}"
        );
        assert_eq!(rows[0].rejected.iter().map(|(reason, _)| reason.as_str()).collect::<Vec<_>>(), [reason]);
        assert_eq!(rows[0].rejected[0].1, expected.len() as u64 + unkept as u64);
    }
}

/// Scenario: an earlier run has left requests of two pipelines, which leave together and are refused as a whole.
/// Guarantee: each pipeline has letters of its own, with its own records, and both books close.
#[tokio::test]
async fn letters_say_which_pipeline_they_are_of() {
    use crate::delivery::entry::{QueueName, write};
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = lanner_queue::Log::open(folder.path(), options()).await.unwrap();
    let name = QueueName::of(&"sink".parse().unwrap(), Signal::Logs);
    let queue = log.queue(&name.to_string(), QueueOptions::default()).unwrap();
    for (pipeline, names) in [("logs", ["000", "001"]), ("logs/gone", ["002", "003"])] {
        let request = named(names.map(str::to_owned)).to_otlp();
        log.append(lanner_queue::Append::new().put(&queue, write(0, pipeline, None, &request))).await.unwrap();
    }
    log.close().await;
    let sink = Arc::new(Judge::new(|_, _| Outcome::Refuse { reason: "401".into() }));
    let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    let bench = build.with(&[("sink", Arc::clone(&sink))]);
    until(|| {
        bench.ledger.rows().iter().map(|row| row.rejected.iter().map(|(_, items)| items).sum::<u64>()).sum::<u64>() == 4
    })
    .await;
    let rows = bench.close().await;
    assert_eq!(rows.iter().map(|row| (row.recovered, row.queued)).collect::<Vec<_>>(), [(2, 0), (2, 0)]);
    log.close().await;
    let kept = letters(folder.path());
    let shown: Vec<_> =
        kept.iter().map(|letter| (&*letter.pipeline, names(&Request::new(letter.request.clone())))).collect();
    assert_eq!(
        shown,
        [("logs", vec!["000".to_owned(), "001".to_owned()]), ("logs/gone", vec!["002".to_owned(), "003".to_owned()])]
    );
    assert_eq!(sink.requests(), 1);
}

/// Scenario: a kill while the parts of a refused request are tried; the sink answers no more from some attempt on.
/// Guarantee: nothing is missing after the restart: every record is delivered at least once or a dead letter.
#[tokio::test]
async fn a_kill_in_the_middle_repeats_the_request() {
    for stuck_at in [1, 2, 5, 9] {
        let folder = tempfile::tempdir().unwrap();
        let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
        let attempts = Mutex::new(0);
        let first = Arc::new(Judge::new(move |_, names| {
            *attempts.lock() += 1;
            match names.iter().any(|name| name == "007") {
                _ if *attempts.lock() > stuck_at => again(),
                true => Outcome::Reject { reason: "bad".into() },
                false => Outcome::Delivered,
            }
        }));
        let bench = build.with(&[("sink", Arc::clone(&first))]);
        bench.consumer.consume(named(numbered(32))).await.unwrap();
        until(|| first.requests() > stuck_at).await;
        kill(bench, log).await;

        let second = Judge::refusing(|name| name == "007");
        let (build, log) = on_disk(folder.path(), 2, Policy::Hold).await;
        let bench = build.with(&[("sink", Arc::clone(&second))]);
        until(|| bench.ledger.rows()[0].recovered == 32).await;
        quiet(&bench).await;
        let rows = bench.close().await;
        assert_eq!((rows[0].delivered, rows[0].rejected[0].1), (31, 1));
        log.close().await;
        assert_eq!(names_in(&letters(folder.path())), ["007"]);
        let mut got = [first.sorted(), second.sorted()].concat();
        got.sort();
        got.dedup();
        assert_eq!(got, numbered(32).filter(|name| name != "007").collect::<Vec<_>>());
    }
}

/// Scenario: far more is refused than the log can hold.
/// Guarantee: the oldest letters give way to the newest; the log takes new requests all the time; the books close.
#[tokio::test]
async fn letters_are_bounded_and_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(Judge::new(|_, _| Outcome::Refuse { reason: "401".into() }));
    let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    let bench = build.with(&[("sink", sink)]);
    for _ in 0..60 {
        bench.consumer.consume_within(large(), Duration::from_secs(60)).await.unwrap();
    }
    quiet(&bench).await;
    let stats = log.stats();
    let dead = stats.queues.iter().find(|queue| &*queue.name == "sink:logs/dead").unwrap();
    assert!(dead.counts.dropped > 20 && dead.entries > 5, "{dead:?}");
    assert!(stats.disk_bytes <= stats.max_bytes);
    let unkept = bench.metric("lanner_exporter_dead_letters_unkept_items");
    assert_eq!(dead.entries + dead.counts.dropped + unkept as u64, 60);
    let rows = bench.close().await;
    assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 60)]);
    log.close().await;
}

/// Scenario: the log is full of requests for a sink that is down, and another sink refuses what it gets.
/// Guarantee: the refused are counted, as rejected and as not kept, and nothing waits for room that only they could make.
#[tokio::test]
async fn a_full_log_keeps_no_letters_and_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let open = Arc::new(Mutex::new(false));
    let answer = Arc::clone(&open);
    let refusing =
        Arc::new(Judge::new(
            move |_, _| {
                if *answer.lock() { Outcome::Refuse { reason: "401".into() } } else { again() }
            },
        ));
    let dead = Arc::new(Judge::new(|_, _| again()));
    let (mut build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    build.delivery.retry_on_failure = RetryConfig {
        initial_interval: Span::from_millis(10),
        max_interval: Span::from_millis(10),
        ..RetryConfig::default()
    };
    let bench = build.with(&[("sink", refusing), ("dead", dead)]);
    let mut accepted = 0;
    // One append feeds both, and must fit into a segment twice.
    let record = || named(["x".repeat(8 << 10)]);
    while bench.consumer.consume_within(record(), Duration::from_millis(50)).await.is_ok() {
        accepted += 1;
    }
    assert!(accepted > 20, "{accepted}");
    *open.lock() = true;
    until(|| bench.ledger.rows()[0].queued == 0).await;
    assert!(bench.ledger.adds_up(), "{}", bench.ledger);
    assert_eq!(bench.ledger.rows()[0].rejected, [("rejected_by_sink".to_owned(), accepted)]);
    assert_eq!(bench.ledger.rows()[1].queued, accepted);
    let unkept = bench.metric("lanner_exporter_dead_letters_unkept_items") as u64;
    let rows = bench.close().await;
    assert_eq!(rows[1].queued, accepted);
    log.close().await;
    let kept = names_in(&letters(folder.path())).len() as u64;
    assert!(unkept > 0 && kept + unkept <= accepted, "{kept} kept, {unkept} not, of {accepted}");
}

/// Scenario: reloads switch dead letters off and on again while a sink refuses what it gets.
/// Guarantee: they are kept while they are on; those that were there stay, shown as nobody's meanwhile; no restart is needed.
#[tokio::test]
async fn a_reload_switches_them_on_and_off() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Judge::refusing(|_| true);
    let (build, log) = on_disk(folder.path(), 1, Policy::Hold).await;
    let (disk, config) = (build.disk.clone().unwrap(), build.delivery.sending_queue.clone());
    let bench = build.with(&[("sink", sink)]);
    let reload = |max_size_mib| {
        let config = QueueConfig { dead_letters: DeadLettersConfig { max_size_mib }, ..config.clone() };
        let part = durable(&disk, &"sink".parse().unwrap(), Signal::Logs, &config, &Shedding::default());
        bench.queues[0].0.configure(&config, Some(&part));
    };
    let declared = || {
        let stats = log.stats();
        stats.queues.iter().find(|queue| &*queue.name == "sink:logs/dead").is_some_and(|queue| queue.declared)
    };
    for (name, max_size_mib) in [("first", 64), ("second", 0), ("third", 0), ("fourth", 64), ("fifth", 32)] {
        reload(max_size_mib);
        assert_eq!(declared(), max_size_mib > 0, "{name}");
        bench.consumer.consume(named([name.to_owned()])).await.unwrap();
        quiet(&bench).await;
    }
    let rows = bench.close().await;
    assert_eq!(rows[0].rejected, [("rejected_by_sink".to_owned(), 5)]);
    log.close().await;
    assert_eq!(names_in(&letters(folder.path())), ["fifth", "first", "fourth"]);
}
