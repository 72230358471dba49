//! Restarts and kills (D24): what was acknowledged is counted exactly once, whenever the process ends.

use super::*;
use bytes::Bytes;
use lanner_engine::component::{Change, StorageProvider, Storages};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn stored(mut config: serde_json::Value) -> serde_json::Value {
    config["storage"] = "file_storage".into();
    config
}

/// Scenario: a window is open while the process is killed, twice; the last start is after its end.
/// Guarantee: it goes on with its counts and ends at its time; nothing is told twice.
#[tokio::test(start_paused = true)]
async fn windows_go_on_after_a_restart() {
    let (storage, capture, clock) = (MemoryStorage::default(), Capture::new(), Clock::starting_at(START));
    let start = || Bench::start_on(stored(json!({})), &storage, capture.clone(), clock.clone());
    for round in 0..2 {
        let bench = start().await;
        bench.send((0..10).map(|uid| alert("shell", format!("{round}-{uid}")))).await;
        bench.pass(100 * SECOND).await;
        bench.kill().await;
        assert_eq!(out(&capture).len(), 1);
    }
    tokio::time::sleep(150 * SECOND).await;
    let bench = start().await;
    bench.pass(SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "19 more in 5m: shell"]);
    bench.send([alert("shell", "later")]).await;
    assert_eq!(total(&bench.stop().await), 21);
}

/// Scenario: the same with the clock set back an hour while the process was down.
/// Guarantee: the window ends after its size at the latest.
#[tokio::test(start_paused = true)]
async fn a_clock_set_back_does_not_keep_a_window_open() {
    let (storage, capture) = (MemoryStorage::default(), Capture::new());
    let start = |unix| Bench::start_on(stored(json!({})), &storage, capture.clone(), Clock::starting_at(unix));
    let bench = start(START).await;
    bench.send([alert("shell", 1), alert("shell", 2)]).await;
    bench.kill().await;
    let bench = start(START - 3_600_000_000_000).await;
    bench.pass(301 * SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "1 more in 5m: shell"]);
}

/// Scenario: a threshold is reached half before a kill and half behind it, and once not at all.
/// Guarantee: the halves count together; what was held and is below is counted by the process that ends the window.
#[tokio::test(start_paused = true)]
async fn what_is_held_survives() {
    let (storage, capture, clock) = (MemoryStorage::default(), Capture::new(), Clock::starting_at(START));
    let config = || stored(json!({"threshold": 4, "group_by": ["rule"]}));
    let start = || Bench::start_on(config(), &storage, capture.clone(), clock.clone());
    let bench = start().await;
    bench.send([alert("a", 1), alert("a", 2), alert("b", 3)]).await;
    bench.kill().await;
    let bench = start().await;
    assert_eq!(bench.metric("lanner_aggregate_held_records", "aggregate"), 3);
    bench.send([alert("a", 4), alert("a", 5)]).await;
    assert_eq!(bench.bodies(), ["4 in 5m: a"]);
    bench.pass(300 * SECOND).await;
    assert_eq!(bench.metric("security_alerts_suppressed", "below_threshold"), 1);
    bench.assert_adds_up(5);
}

/// Scenario: the configuration groups by something else, or counts in another way, after the restart.
/// Guarantee: what was folded before is told at the start, under the fields it was folded by.
#[tokio::test(start_paused = true)]
async fn another_configuration_closes_the_old_windows() {
    let (storage, capture, clock) = (MemoryStorage::default(), Capture::new(), Clock::starting_at(START));
    let start = |config| Bench::start_on(stored(config), &storage, capture.clone(), clock.clone());
    let bench = start(json!({"group_by": ["rule", "hostname"]})).await;
    bench.send([alert("shell", 1), alert("shell", 2), alert("shell", 3)]).await;
    bench.kill().await;
    let sliding = json!({"group_by": ["hostname"], "window": {"type": "sliding", "size": "10m", "every": "1m"}});
    let bench = start(sliding.clone()).await;
    bench.pass(SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "2 more in 5m: shell"]);
    let key = bench.out()[1].record.attrs.get_str(&Key::intern("lanner.group.key")).unwrap().to_owned();
    assert_eq!(key, r#"{"rule":"shell","hostname":"node-1"}"#);
    bench.send([alert("shell", 4), alert("shell", 5)]).await;
    bench.kill().await;
    let bench = start(sliding).await;
    bench.pass(60 * SECOND).await;
    assert_eq!(bench.bodies().last().unwrap(), "1 more in 10m: shell");
    assert_eq!(total(&bench.stop().await), 5);
}

/// Scenario: what the groups were made with cannot be read any more.
/// Guarantee: they are told at the start, as with another configuration.
#[tokio::test(start_paused = true)]
async fn unreadable_settings_close_the_old_windows() {
    let (storage, capture, clock) = (MemoryStorage::default(), Capture::new(), Clock::starting_at(START));
    let start = || Bench::start_on(stored(json!({})), &storage, capture.clone(), clock.clone());
    let bench = start().await;
    bench.send([alert("shell", 1), alert("shell", 2)]).await;
    bench.kill().await;
    let junk = vec![("settings".to_owned(), Some(Bytes::from_static(b"{")))];
    storage.open("processor/aggregate").put(junk).await.unwrap();
    let bench = start().await;
    bench.pass(SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "1 more in 5m: shell"]);
}

/// Scenario: entries of the storage are cut, changed or missing.
/// Guarantee: the rest goes on; what is damaged is counted and removed.
#[tokio::test(start_paused = true)]
async fn damaged_entries_cost_their_group_only() {
    let (storage, capture, clock) = (MemoryStorage::default(), Capture::new(), Clock::starting_at(START));
    let start = || Bench::start_on(stored(json!({"group_by": ["rule"]})), &storage, capture.clone(), clock.clone());
    let bench = start().await;
    bench.send((0..8).map(|uid| alert(&format!("r{}", uid % 4), uid))).await;
    bench.kill().await;
    let entries = storage.entries("processor/aggregate");
    let names = |prefix: &str| entries.keys().filter(|key| key.starts_with(prefix)).cloned().collect::<Vec<_>>();
    let (numbers, texts) = (names("g/"), names("t/"));
    assert_eq!((numbers.len(), texts.len()), (4, 4));
    let cut = |name: &String| Some(entries[name].slice(..entries[name].len() - 1));
    let changes: Vec<Change> = vec![
        (numbers[0].clone(), cut(&numbers[0])),
        (texts[1].clone(), cut(&texts[1])),
        (texts[2].clone(), None),
        ("g/what".to_owned(), Some(Bytes::new())),
    ];
    storage.open("processor/aggregate").put(changes).await.unwrap();
    let bench = start().await;
    bench.pass(300 * SECOND).await;
    assert_eq!(bench.bodies().last().unwrap(), "1 more in 5m: r3");
    assert_eq!(bench.out().len(), 5);
    let left = storage.entries("processor/aggregate");
    assert!(!left.keys().any(|key| key.starts_with("g/") || key.starts_with("t/")), "{:?}", left.keys());
}

/// Scenario: an alert is repeated 100000 times under one key, in batches of 100.
/// Guarantee: each write has the few bytes of the group's numbers besides the ids of the batch.
#[tokio::test(start_paused = true)]
async fn a_repeat_writes_little() {
    let disk = Disk::default();
    let bench = disk.start(json!({"window": {"size": "1h"}})).await.unwrap();
    bench.send([alert("shell", "first"), alert("shell", "a"), alert("shell", "b"), alert("shell", "c")]).await;
    disk.0.lock().bytes = 0;
    for round in 0..1000 {
        bench.send((0..100).map(|uid| alert("shell", format!("{round}-{uid}")))).await;
    }
    let each = disk.0.lock().bytes / 100_000;
    println!("{each} bytes per repeat");
    assert!(each < 20, "{each}");
}

/// What the next `put` does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Put {
    #[default]
    Works,
    Fails,
    /// Hangs before anything is written.
    Hangs,
    /// Writes, then hangs: the answer is lost.
    WritesAndHangs,
}

/// A storage that outlives the stage and does what it is told.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Default)]
struct DiskState {
    memory: MemoryStorage,
    next: Put,
    bytes: usize,
}

struct Part(Disk, Arc<dyn Storage>);

impl StorageProvider for Disk {
    fn open(&self, owner: &str) -> Arc<dyn Storage> {
        Arc::new(Part(self.clone(), self.0.lock().memory.open(owner)))
    }
}

#[async_trait]
impl Storage for Part {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BoxError> {
        self.1.get(key).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, BoxError> {
        self.1.scan(prefix).await
    }

    async fn put(&self, changes: Vec<Change>) -> Result<(), BoxError> {
        let next = {
            let mut state = self.0.0.lock();
            state.bytes += changes.iter().map(|(_, value)| value.as_ref().map_or(0, Bytes::len)).sum::<usize>();
            state.next
        };
        match next {
            Put::Fails => return Err("the test broke it".into()),
            Put::Hangs => {}
            Put::Works | Put::WritesAndHangs => self.1.put(changes).await?,
        }
        match next {
            Put::Hangs | Put::WritesAndHangs => std::future::pending().await,
            Put::Works | Put::Fails => Ok(()),
        }
    }
}

impl Disk {
    async fn start(&self, config: serde_json::Value) -> Result<Bench, BoxError> {
        self.start_with(config, Capture::new(), Clock::starting_at(START)).await
    }

    async fn start_with(&self, config: serde_json::Value, capture: Capture, clock: Clock) -> Result<Bench, BoxError> {
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Processor, "aggregate".parse()?, telemetry.clone(), Health::default());
        let mut storages = Storages::default();
        storages.add("file_storage".parse()?, Arc::new(self.clone()));
        let cx = cx.with_storages(Arc::new(storages));
        let stage = Arc::new(Running::open(plan(stored(config)), clock, &cx).await?);
        let drain = Drain::new();
        let (running, out, until) = (Arc::clone(&stage), capture.consumer(), drain.clone());
        let task = tokio::spawn(async move { running.run(out, until).await.unwrap() });
        Ok(Bench { stage, telemetry, capture, drain, task })
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Sends so many new records of rules, in one batch.
    Send(Vec<u8>),
    /// Sends what was not acknowledged again.
    Resend,
    /// Lets so many seconds pass.
    Pass(u64),
    Disk(Put),
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disk =
        prop_oneof![Just(Put::Works), Just(Put::Works), Just(Put::Fails), Just(Put::Hangs), Just(Put::WritesAndHangs)];
    let step = prop_oneof![
        6 => proptest::collection::vec(0u8..4, 1..6).prop_map(Step::Send),
        2 => Just(Step::Resend),
        3 => (0u64..15).prop_map(Step::Pass),
        2 => disk.prop_map(Step::Disk),
        2 => Just(Step::Kill),
    ];
    proptest::collection::vec(step, 1..80)
}

fn configs() -> impl Strategy<Value = serde_json::Value> {
    let mut configs = [
        json!({"window": {"size": "10s"}}),
        json!({"window": {"type": "sliding", "size": "20s", "every": "5s"}}),
        json!({"window": {"size": "10s"}, "rate_limit": {"events": 2, "per": "10s"}}),
        json!({"window": {"size": "10s"}, "max_keys": 2}),
    ];
    configs.iter_mut().for_each(|config| config["group_by"] = json!(["rule"]));
    prop::sample::select(configs.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: D24: a sender that repeats what was not acknowledged; a disk that fails or hangs in the middle of a write;
    /// the process is killed at any point and started again.
    /// Guarantee: over the distinct ids that came out, one for each passed record and the count of each summary add up to
    /// exactly the records sent.
    #[test]
    fn d24_counts_are_exact_over_kills(steps in steps(), config in configs()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (disk, capture, clock) = (Disk::default(), Capture::new(), Clock::starting_at(START));
            let start = || async { disk.start_with(config.clone(), capture.clone(), clock.clone()).await.unwrap() };
            let mut bench = start().await;
            let (mut sent, mut unanswered) = (0u64, BTreeSet::new());
            for step in steps {
                let records: Vec<(u8, u64)> = match step {
                    Step::Send(rules) => rules.into_iter().map(|rule| { sent += 1; (rule, sent) }).collect(),
                    Step::Resend => unanswered.iter().copied().collect(),
                    Step::Pass(seconds) => {
                        bench.pass(Duration::from_secs(seconds)).await;
                        continue;
                    }
                    Step::Disk(next) => {
                        disk.0.lock().next = next;
                        continue;
                    }
                    Step::Kill => {
                        bench.kill().await;
                        bench = start().await;
                        continue;
                    }
                };
                unanswered.extend(&records);
                bench.stage.absorb(batch(records.iter().map(|(rule, uid)| alert(&format!("r{rule}"), uid))));
                let moment = Duration::from_millis(10);
                if let Ok(Ok(())) = tokio::time::timeout(moment, bench.stage.persist()).await {
                    unanswered.retain(|record| !records.contains(record));
                }
            }
            bench.kill().await;
            disk.0.lock().next = Put::Works;
            let bench = start().await;
            bench.send(unanswered.iter().map(|(rule, uid)| alert(&format!("r{rule}"), uid))).await;
            bench.pass(Duration::from_secs(60)).await;
            let out = bench.stop().await;
            assert_eq!(total(&out), sent);
            let mut contents: BTreeMap<&str, &Out> = BTreeMap::new();
            for out in &out {
                let before = contents.insert(&out.uid, out);
                assert!(before.is_none_or(|before| before == out), "what comes twice is the same");
            }
        });
    }
}
