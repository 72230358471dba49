//! Stages behind a pipeline: full ones, durable ones; and transforms that make records.

use super::*;
use crate::{
    component::{BoxError, Stage},
    event::KeySet,
    semantics::keys,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// A stage whose storage and room a test decides about.
struct Kept {
    absorbed: AtomicUsize,
    durable: bool,
    full: AtomicBool,
    /// How often it was asked for room.
    asked: AtomicUsize,
    /// Writes that fail before one works.
    failing: AtomicUsize,
    /// Writes wait while it is shut.
    disk: Semaphore,
}

impl Kept {
    fn new(durable: bool) -> Arc<Self> {
        Arc::new(Self {
            absorbed: AtomicUsize::new(0),
            durable,
            full: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            failing: AtomicUsize::new(0),
            disk: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }
}

#[async_trait]
impl Stage for Kept {
    fn absorb(&self, batch: Batch) {
        self.absorbed.fetch_add(batch.len(), SeqCst);
    }

    fn is_full(&self) -> bool {
        self.asked.fetch_add(1, SeqCst);
        self.full.load(SeqCst)
    }

    fn is_durable(&self) -> bool {
        self.durable
    }

    async fn persist(&self) -> Result<(), BoxError> {
        self.disk.acquire().await?.forget();
        match self.failing.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err("the disk is full".into()),
            Err(_) => Ok(()),
        }
    }

    async fn run(&self, _: Consumer, drain: Drain) -> Result<(), BoxError> {
        drain.requested().await;
        Ok(())
    }
}

/// A pipeline in front of a sink with a queue and of a stage.
fn beside(sink: &Arc<Scripted>, stage: &Arc<Kept>) -> Bench {
    let stage: Arc<dyn Stage> = Arc::clone(stage) as _;
    Build { stage: Some(stage), ..Build::default() }.with(&[("sink", Arc::clone(sink))])
}

/// Scenario: the storage of a durable stage fails twice while a sender is held, with a queue beside it.
/// Guarantee: the sender's answer comes after the write; the stage absorbed the batch once and the queue has it once.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_storage() {
    let (sink, stage) = (Scripted::new([]), Kept::new(true));
    stage.failing.store(2, SeqCst);
    let bench = beside(&sink, &stage);
    bench.consumer.consume_within(batch(3), Duration::from_secs(5)).await.unwrap();
    assert_eq!((stage.absorbed.load(SeqCst), stage.failing.load(SeqCst)), (3, 0));
    let rows = bench.close().await;
    assert_eq!(rows.iter().map(|row| (row.accepted, row.delivered)).collect::<Vec<_>>(), [(3, 3), (3, 3)]);
    assert_eq!(*sink.attempts.lock(), [3]);
}

/// Scenario: the storage stays broken; then it hangs, and the sender goes away.
/// Guarantee: the sender is told to repeat, or has no answer; neither batch is in the queue or in the books.
#[tokio::test(start_paused = true)]
async fn what_is_not_stored_is_not_taken() {
    let (sink, stage) = (Scripted::new([]), Kept::new(true));
    stage.failing.store(usize::MAX, SeqCst);
    let bench = beside(&sink, &stage);
    let refused = bench.consumer.consume_within(batch(1), Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&refused, Refused::Busy { full, .. } if full == "the storage of stage"), "{refused}");
    stage.disk.forget_permits(Semaphore::MAX_PERMITS);
    let gone = tokio::time::timeout(Duration::from_secs(1), bench.consumer.consume(batch(1))).await;
    assert!(gone.is_err());
    let rows = bench.close().await;
    assert!(rows.iter().all(|row| row.accepted + row.delivered == 0), "{rows:?}");
    assert!(sink.attempts.lock().is_empty());
}

/// Scenario: a stage has no room; room comes while a sender is held, or does not.
/// Guarantee: the held one is taken then, the other is refused, and the stage was never given more than it had room for.
#[tokio::test(start_paused = true)]
async fn a_full_stage_holds_senders() {
    let (sink, stage) = (Scripted::new([]), Kept::new(false));
    stage.full.store(true, SeqCst);
    let bench = beside(&sink, &stage);
    let refused = bench.consumer.consume_within(batch(1), Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&refused, Refused::Busy { full, .. } if full == "stage"), "{refused}");
    assert_eq!(stage.absorbed.load(SeqCst), 0);
    let consumer = bench.consumer.clone();
    let held = tokio::spawn(async move { consumer.consume_within(batch(2), Duration::from_secs(60)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.full.store(false, SeqCst);
    held.await.unwrap().unwrap();
    let rows = bench.close().await;
    assert_eq!(rows.iter().map(|row| (row.accepted, row.delivered)).collect::<Vec<_>>(), [(2, 2), (2, 2)]);
}

/// Scenario: a thousand senders are held by a full stage; then there is room.
/// Guarantee: they ask for it no more often than a few senders would, some thousand times a second, and all are taken soon.
#[tokio::test(start_paused = true)]
async fn thousands_that_are_held_ask_seldom() {
    const SECONDS: usize = 10;
    let (sink, stage) = (Scripted::new([]), Kept::new(false));
    stage.full.store(true, SeqCst);
    let bench = beside(&sink, &stage);
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let consumer = bench.consumer.clone();
        held.spawn(async move { consumer.consume_within(batch(1), Duration::from_secs(60)).await });
    }
    tokio::time::sleep(Duration::from_secs(SECONDS as u64)).await;
    let asked = stage.asked.load(SeqCst);
    assert!((1000..4000 * SECONDS).contains(&asked), "{asked}");
    stage.full.store(false, SeqCst);
    let all = tokio::time::timeout(Duration::from_secs(2), held.join_all()).await.unwrap();
    assert!(all.iter().all(Result::is_ok));
    let rows = bench.close().await;
    assert_eq!(rows.iter().map(|row| (row.accepted, row.delivered)).collect::<Vec<_>>(), [(1000, 1000), (1000, 1000)]);
}

/// Leaves out the first record and makes two of each other one.
struct Twice;

impl Transform for Twice {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        let rest = batch.len() - 1;
        out.discard(1, "first");
        out.created(rest);
        out.emit(super::batch(rest));
        out.emit(super::batch(rest));
    }
}

/// Scenario: a transform leaves a record out and doubles the others.
/// Guarantee: what it made is in the books, which close, and nothing counts as unaccounted.
#[tokio::test(start_paused = true)]
async fn what_a_transform_makes_is_accounted_for() {
    let sink = Scripted::new([]);
    let bench = Build { steps: vec![Arc::new(Twice)], ..Build::default() }.with(&[("sink", Arc::clone(&sink))]);
    bench.consumer.consume(batch(5)).await.unwrap();
    let rows = bench.close().await;
    assert_eq!((rows[0].accepted, rows[0].created, rows[0].delivered), (5, 4, 8));
    assert_eq!(rows[0].discarded, [("step first".to_owned(), 1)]);
    assert_eq!(
        rows[0].to_string(),
        "logs -> sink: accepted 5 + created 4 = delivered 8 + queued 0 + discarded 1 (step first: 1) + rejected 0"
    );
}

/// A stage that looks at rules alone.
struct OfRules;

#[async_trait]
impl Stage for OfRules {
    fn absorb(&self, _: Batch) {}

    fn reads_only(&self) -> Option<KeySet> {
        Some(KeySet::from_iter([keys::RULE.clone()]))
    }

    async fn run(&self, _: Consumer, drain: Drain) -> Result<(), BoxError> {
        drain.requested().await;
        Ok(())
    }
}

/// Scenario: a stage that names what it reads, and one that does not: alone, behind a transform, beside an exporter.
/// Guarantee: a receiver may leave out the rest only where nobody else sees the records.
#[tokio::test(start_paused = true)]
async fn records_stay_whole_for_who_does_not_say_what_it_reads() {
    let alone = || Build { stage: Some(Arc::new(OfRules)), ..Build::default() };
    let nobody: [(&str, Arc<Scripted>); 0] = [];
    let bench = alone().with(&nobody);
    let read = bench.consumer.reads_only().expect("the stage says it");
    assert_eq!([&keys::RULE, &keys::UID].map(|key| read.contains(key)), [true, false]);
    bench.close().await;
    let everything = [
        Build { stage: Some(Kept::new(false)), ..Build::default() }.with(&nobody),
        Build { steps: vec![Arc::new(Careless)], ..alone() }.with(&nobody),
        alone().with(&[("sink", Scripted::new([]))]),
    ];
    for bench in everything {
        assert!(bench.consumer.reads_only().is_none());
        bench.close().await;
    }
}
