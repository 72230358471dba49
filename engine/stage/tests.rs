//! Scenarios of `Durable`: real state, outbox and uid window; the storage is the test's and may fail or hang anywhere.

use super::*;
use crate::{
    component::Kind,
    event::{LogGroup, Logs},
    telemetry::{Health, Telemetry},
    testing::{Capture, MemoryStorage, Mood, log},
};
use async_trait::async_trait;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::atomic::AtomicBool};

/// The uids that were absorbed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Absorbed(BTreeSet<String>);

impl State for Absorbed {
    fn changes(&mut self, changes: &mut Vec<Change>) {
        let list: Vec<&str> = self.0.iter().map(String::as_str).collect();
        changes.push(("absorbed".into(), Some(list.join(" ").into())));
    }
}

/// What the next `put` does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Put {
    Works,
    Fails,
    /// Hangs before anything is written.
    Hangs,
    /// Writes, then hangs: the answer is lost.
    WritesAndHangs,
}

/// A storage that does what it is told, counts writes, and can be held.
struct Disk {
    inner: Arc<dyn Storage>,
    next: Mutex<Put>,
    puts: AtomicUsize,
    held: AtomicBool,
    release: Notify,
}

impl Disk {
    fn new(memory: &MemoryStorage) -> Arc<Self> {
        use crate::component::StorageProvider;
        Arc::new(Self {
            inner: memory.open("stage"),
            next: Mutex::new(Put::Works),
            puts: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            release: Notify::new(),
        })
    }
}

#[async_trait]
impl Storage for Disk {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BoxError> {
        self.inner.get(key).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, BoxError> {
        self.inner.scan(prefix).await
    }

    async fn put(&self, changes: Vec<Change>) -> Result<(), BoxError> {
        self.puts.fetch_add(1, SeqCst);
        while self.held.load(SeqCst) {
            self.release.notified().await;
        }
        let next = *self.next.lock();
        match next {
            Put::Works => self.inner.put(changes).await,
            Put::Fails => Err("the test broke it".into()),
            Put::Hangs => std::future::pending().await,
            Put::WritesAndHangs => {
                self.inner.put(changes).await?;
                std::future::pending().await
            }
        }
    }
}

fn cx() -> BuildCx {
    let id = "stage".parse().unwrap();
    BuildCx::new(Kind::Processor, id, Telemetry::default(), Health::default())
}

async fn open(storage: Option<Arc<dyn Storage>>) -> Durable<Absorbed> {
    let known = match &storage {
        Some(storage) => storage.get("absorbed").await.unwrap().unwrap_or_default(),
        None => Bytes::new(),
    };
    let known = std::str::from_utf8(&known).unwrap().split_whitespace().map(str::to_owned).collect();
    Durable::open(&cx(), storage, Clock::system(), Absorbed(known)).await.unwrap()
}

fn record(uid: &str) -> LogRecord {
    log().attr("log.record.uid", uid).into()
}

fn batch(records: Vec<LogRecord>) -> Batch {
    Batch::logs(Logs { groups: vec![LogGroup { records, ..LogGroup::default() }] })
}

/// Absorbs a record and passes it on, as a stage would.
fn absorb(durable: &Durable<Absorbed>, uid: &str) {
    durable.change(|absorbed, effects| {
        let record = record(uid);
        if !effects.is_repeat(&record) {
            assert!(absorbed.0.insert(uid.to_owned()), "{uid} is absorbed once");
            effects.emit(batch(vec![record]));
        }
    });
}

fn uids(capture: &Capture) -> Vec<String> {
    let mut batches = capture.batches();
    batches.iter_mut().for_each(|batch| batch.decode().unwrap());
    let uid = |record: &LogRecord| record.attrs.get_str(&keys::UID).unwrap().to_owned();
    batches.iter().flat_map(|batch| batch.records().map(uid).collect::<Vec<_>>()).collect()
}

/// Scenario: fifty senders persist while a write is under way.
/// Guarantee: all of them share the next write.
#[tokio::test(start_paused = true)]
async fn many_share_a_write() {
    let memory = MemoryStorage::default();
    let disk = Disk::new(&memory);
    let durable = Arc::new(open(Some(disk.clone())).await);
    disk.held.store(true, SeqCst);
    let persist = |number: usize| {
        let durable = Arc::clone(&durable);
        absorb(&durable, &format!("{number}"));
        tokio::spawn(async move { durable.persist().await.unwrap() })
    };
    let first = persist(0);
    tokio::task::yield_now().await;
    assert_eq!(disk.puts.load(SeqCst), 1);
    let others: Vec<_> = (1..=50).map(persist).collect();
    tokio::task::yield_now().await;
    disk.held.store(false, SeqCst);
    disk.release.notify_one();
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(disk.puts.load(SeqCst), 2);
    assert_eq!(memory.entries("stage").keys().filter(|key| key.starts_with("out/")).count(), 51);
}

/// Scenario: a batch is emitted while the storage fails; it works again later.
/// Guarantee: nothing is handed on before it is written, then it is, and afterwards it is gone from the storage.
#[tokio::test(start_paused = true)]
async fn handed_on_once_written_then_removed() {
    let memory = MemoryStorage::default();
    let disk = Disk::new(&memory);
    let durable = Arc::new(open(Some(disk.clone())).await);
    let (capture, drain) = (Capture::new(), Drain::new());
    *disk.next.lock() = Put::Fails;
    absorb(&durable, "a");
    let (running, out, until) = (Arc::clone(&durable), capture.consumer(), drain.clone());
    let task = tokio::spawn(async move { running.deliver(&out, &until).await });
    tokio::time::sleep(AGAIN * 3).await;
    durable.persist().await.unwrap_err();
    assert_eq!(capture.batches().len(), 0);
    *disk.next.lock() = Put::Works;
    capture.items(1).await;
    tokio::time::sleep(AGAIN).await;
    assert!(!memory.entries("stage").keys().any(|key| key.starts_with("out/")));
    assert!(memory.entries("stage").keys().any(|key| key.starts_with("uid/")), "the uid is known for longer");
    drain.request();
    task.await.unwrap();
    assert_eq!(uids(&capture), ["a"]);
}

/// Scenario: the pipeline takes nothing, with and without a storage, until the drain is over.
/// Guarantee: the stage is full at its bound; what is left is told, and with a storage it comes out after the restart.
#[tokio::test(start_paused = true)]
async fn full_stage_and_drain() {
    for durable_one in [true, false] {
        let memory = MemoryStorage::default();
        let storage = || durable_one.then(|| Disk::new(&memory) as Arc<dyn Storage>);
        let durable = open(storage()).await;
        let large = "x".repeat(1 << 20);
        let mut count = 0;
        while !durable.is_full() {
            count += 1;
            assert!(count <= 40, "full in time");
            let record = LogRecord { body: large.as_str().into(), ..record(&count.to_string()) };
            durable.change(|_, effects| effects.emit(batch(vec![record])));
        }
        durable.persist().await.unwrap();
        let capture = Capture::new();
        capture.set(Mood::Busy);
        assert_eq!(durable.flush(&capture.consumer(), AGAIN).await, count);
        let again = open(storage()).await;
        assert_eq!(again.is_full(), durable_one);
        capture.set(Mood::Taking);
        assert_eq!(again.flush(&capture.consumer(), AGAIN).await, 0);
        assert_eq!(uids(&capture).len(), if durable_one { count } else { 0 });
    }
}

/// Scenario: a batch of 20 MiB, which no single value of a storage may hold.
/// Guarantee: it survives in parts, and a batch whose parts are damaged is dropped without a panic.
#[tokio::test]
async fn large_batches_and_damage() {
    let memory = MemoryStorage::default();
    let disk = Disk::new(&memory);
    let durable = open(Some(disk.clone())).await;
    let large = LogRecord { body: "y".repeat(20 << 20).into(), ..record("large") };
    durable.change(|_, effects| effects.emit(batch(vec![large.clone()])));
    durable.change(|_, effects| effects.emit(batch(vec![record("small")])));
    durable.persist().await.unwrap();
    let parts: Vec<usize> =
        memory.entries("stage").iter().filter(|(key, _)| key.starts_with("out/")).map(|(_, v)| v.len()).collect();
    assert_eq!(parts.len(), 4);
    assert!(parts.iter().all(|part| *part <= 8 << 20));
    let capture = Capture::new();
    assert_eq!(open(Some(disk.clone())).await.flush(&capture.consumer(), AGAIN).await, 0);
    assert_eq!(uids(&capture), ["large", "small"]);
    let junk = vec![("out/zz".into(), Some(Bytes::new())), ("out/09/00".into(), Some(Bytes::from_static(b"\x00\xff")))];
    disk.inner.put(junk).await.unwrap();
    disk.inner.put(vec![("uid/1".into(), Some(Bytes::from_static(b"short")))]).await.unwrap();
    let again = open(Some(disk)).await;
    assert_eq!(again.flush(&Capture::new().consumer(), AGAIN).await, 0);
}

/// Scenario: more uids than the window holds, and more time than it lasts.
/// Guarantee: memory and storage stay bounded; what is given up early is counted, what is old is forgotten.
#[test]
fn the_window_of_uids_is_bounded() {
    let (mut seen, mut now) = (seen::Seen::default(), Now { unix: 1 << 60, monotonic: 0 });
    let mut stored: BTreeMap<String, Bytes> = BTreeMap::new();
    let mut write = |seen: &mut seen::Seen, now: Now| {
        let mut changes = Vec::new();
        seen.changes(now, &mut changes);
        for (key, value) in changes {
            match value {
                Some(value) => drop(stored.insert(key, value)),
                None => drop(stored.remove(&key)),
            }
        }
        stored.values().map(|value| (value.len() - 8) / 16).sum::<usize>()
    };
    for number in 0..300_000 {
        assert!(!seen.is_repeat(&number.to_string(), now));
        if number % 1000 == 0 {
            assert!(write(&mut seen, now) <= 255_000);
        }
    }
    assert!((50_000..60_000).contains(&seen.forgotten), "{}", seen.forgotten);
    assert!(seen.is_repeat("299999", now) && seen.is_repeat("100000", now));
    assert!(!seen.is_repeat("0", now));
    write(&mut seen, now);
    now.monotonic += nanos(Duration::from_secs(601));
    assert!(!seen.is_repeat("299999", now));
    assert!(write(&mut seen, now) < 10);
}

/// Scenario: stored uids are loaded after the wall clock was set back, and after it went on for 5 and for 11 minutes.
/// Guarantee: known in the first two cases, forgotten in the last.
#[test]
fn the_window_survives_restarts_and_clock_steps() {
    const MINUTE: u64 = 60_000_000_000;
    let (mut before, now) = (seen::Seen::default(), Now { unix: 1 << 60, monotonic: 0 });
    before.is_repeat("a", now);
    let mut changes = Vec::new();
    before.changes(now, &mut changes);
    for (unix, known) in
        [(now.unix - 60 * MINUTE, true), (now.unix + 5 * MINUTE, true), (now.unix + 11 * MINUTE, false)]
    {
        let (mut after, now) = (seen::Seen::default(), Now { unix, monotonic: 7 });
        for (key, value) in &changes {
            after.load(key, value.as_ref().unwrap(), now);
        }
        assert_eq!(after.is_repeat("a", now), known, "{unix}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Sends a new record.
    Send,
    /// Sends one again that was not acknowledged, or any when all were.
    Resend(usize),
    /// Lets the stage hand on so many batches.
    HandOn(usize),
    Disk(Put),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let disk =
        prop_oneof![Just(Put::Works), Just(Put::Works), Just(Put::Fails), Just(Put::Hangs), Just(Put::WritesAndHangs)];
    let step = prop_oneof![
        4 => Just(Step::Send),
        2 => any::<usize>().prop_map(Step::Resend),
        3 => (0usize..4).prop_map(Step::HandOn),
        2 => disk.prop_map(Step::Disk),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Scenario: a sender that repeats what was not acknowledged; a disk that fails or hangs in the middle; the process is
    /// killed at any point and started again.
    /// Guarantee: every record is absorbed once and comes out; what comes out twice was handed on just before a crash.
    #[test]
    fn acknowledged_records_come_out(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let memory = MemoryStorage::default();
            let disk = Disk::new(&memory);
            let capture = Capture::new();
            let mut durable = open(Some(disk.clone())).await;
            let (mut sent, mut unanswered, mut crashes, mut on_the_way) = (0, BTreeSet::new(), 0, 0);
            let moment = Duration::from_millis(10);
            for step in steps {
                let uid = match &step {
                    Step::Send => {
                        sent += 1;
                        sent
                    }
                    Step::Resend(any) if unanswered.is_empty() => any % (sent + 1),
                    Step::Resend(any) => *unanswered.iter().nth(any % unanswered.len()).unwrap(),
                    Step::HandOn(some) => {
                        for _ in 0..*some {
                            if durable.first().is_some_and(|batch| !batch.is_empty()) {
                                capture.consumer().consume(durable.first().unwrap()).await.unwrap();
                                durable.taken();
                                on_the_way += 1;
                            }
                        }
                        continue;
                    }
                    Step::Disk(next) => {
                        *disk.next.lock() = *next;
                        continue;
                    }
                    Step::Crash => {
                        drop(durable);
                        durable = open(Some(disk.clone())).await;
                        crashes += on_the_way;
                        on_the_way = 0;
                        continue;
                    }
                };
                if uid == 0 {
                    continue;
                }
                unanswered.insert(uid);
                absorb(&durable, &uid.to_string());
                if let Ok(Ok(())) = tokio::time::timeout(moment, durable.persist()).await {
                    unanswered.remove(&uid);
                }
            }
            *disk.next.lock() = Put::Works;
            for uid in unanswered {
                absorb(&durable, &uid.to_string());
            }
            assert_eq!(durable.flush(&capture.consumer(), AGAIN).await, 0);
            let out = uids(&capture);
            let distinct: BTreeSet<&String> = out.iter().collect();
            assert_eq!(distinct.len(), sent);
            assert!(out.len() - distinct.len() <= crashes);
            assert_eq!(durable.kept.lock().state.0.len(), sent);
            assert!(!memory.entries("stage").keys().any(|key| key.starts_with("out/")));
        });
    }
}
