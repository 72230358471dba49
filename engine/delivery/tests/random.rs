//! Any order of requests, failures, refusals and kills.

use super::{
    dead_letters::{letters, names_in},
    durable::{kill, on_disk, until},
    judge::{Judge, named, quiet},
    *,
};
use proptest::test_runner::Config;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Step {
    /// So many records.
    Send(usize),
    /// Lets the senders get on.
    Rest,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => (1usize..30).prop_map(Step::Send), 2 => Just(Step::Rest), 2 => Just(Step::Kill)]
}

/// Every seventh record is one that the sink refuses.
fn is_bad(name: &str) -> bool {
    name.parse::<usize>().unwrap() % 7 == 3
}

/// A sink that refuses bad records, fails by chance, and sometimes has what it says it failed over.
fn sink(seed: u64, failures: u8, got: &Arc<Mutex<BTreeSet<String>>>) -> Arc<Judge> {
    let (chance, got) = (Mutex::new(fastrand::Rng::with_seed(seed)), Arc::clone(got));
    Arc::new(Judge::new(move |_, names| {
        let chance = chance.lock().u8(0..100);
        if chance < failures / 2 {
            return again();
        }
        if names.iter().any(|name| is_bad(name)) {
            return Outcome::Reject { reason: "bad".into() };
        }
        got.lock().extend(names.iter().cloned());
        if chance < failures { again() } else { Outcome::Delivered }
    }))
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    /// Scenario: requests, failures, lost answers, refusals and kills in any order; in the end a run that comes to rest.
    /// Guarantee: every accepted record was delivered at least once, or is a dead letter with its reason; no bad record
    /// was delivered and no good one is dead; the books of the last run close.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec(step(), 1..14), seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (folder, got) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(BTreeSet::new())));
            let (mut run, mut accepted) = (1, 0);
            let mut running = start(folder.path(), run, sink(seed, 40, &got)).await;
            for step in steps {
                match step {
                    Step::Send(records) => {
                        let names = (accepted..accepted + records).map(|number| number.to_string());
                        running.0.consumer.consume(named(names)).await.unwrap();
                        accepted += records;
                    }
                    Step::Rest => tokio::time::sleep(Duration::from_millis(3)).await,
                    Step::Kill => {
                        kill(running.0, running.1).await;
                        run += 1;
                        running = start(folder.path(), run, sink(seed + run, 40, &got)).await;
                    }
                }
            }
            kill(running.0, running.1).await;
            let (bench, log) = start(folder.path(), run + 1, sink(seed, 0, &got)).await;
            let left = || log.stats().queues.iter().find(|queue| &*queue.name == "sink:logs").unwrap().entries;
            until(|| left() == 0).await;
            quiet(&bench).await;
            bench.close().await;
            log.close().await;
            let letters = letters(folder.path());
            let dead: BTreeSet<String> = names_in(&letters).into_iter().collect();
            let all: BTreeSet<String> = (0..accepted).map(|number| number.to_string()).collect();
            let (bad, good): (BTreeSet<String>, BTreeSet<String>) = all.into_iter().partition(|name| is_bad(name));
            assert_eq!(*got.lock(), good);
            assert_eq!(dead, bad);
            let reason = |letter: &crate::delivery::entry::Stored| letter.rejection.clone().map(|why| why.reason);
            assert!(letters.iter().all(|letter| reason(letter).as_deref() == Some("rejected_by_sink")));
        });
    }
}

async fn start(folder: &std::path::Path, run: u64, sink: Arc<Judge>) -> (Bench, lanner_queue::Log) {
    let (mut build, log) = on_disk(folder, run, Policy::Hold).await;
    build.delivery.retry_on_failure = RetryConfig {
        initial_interval: Span::from_millis(1),
        max_interval: Span::from_millis(2),
        ..RetryConfig::default()
    };
    (build.with(&[("sink", sink)]), log)
}
