//! Receivers that fetch: nobody waits for an answer, and what is not taken now can be fetched again.
//!
//! A [`PullSubject`] describes the receiver, a [`Source`] is the world outside of it, which the test can add to and take away.
//! Each function is a row of the status table.
//!
//! Held to by every row: an item arrives once or is counted; waiting is not refusing; whatever was fetched when the receiver
//! stops is finished or counted.

use super::{
    Place, Running,
    running::{SOON, eventually},
};
use crate::{
    component::Factory,
    semantics::keys,
    testing::{Capture, Mood},
};
use async_trait::async_trait;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;

/// How long something that must not happen is waited for.
const SILENCE: Duration = Duration::from_millis(100);
/// How long a receiver may take to end once nothing holds it.
const END: Duration = Duration::from_secs(10);

/// A receiver under test.
pub struct PullSubject {
    /// Head of its column in the table, for example `docker_logs`.
    pub title: &'static str,
    pub factory: Factory,
    /// Makes the world outside; called inside the runtime of the test.
    pub source: fn() -> Box<dyn Source>,
    /// Whether items come only when they are added, or by themselves.
    pub supply: Supply,
    /// What becomes of an item that cannot be used; `None` where there is no such thing.
    pub invalid: Option<Fate>,
    /// What becomes of an item above the receiver's limit.
    pub oversized: Option<Fate>,
    /// Whether its source can go away and come back.
    pub leaves: bool,
}

/// Where items come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// As many as [`Source::add`] was told.
    Added,
    /// Without end, by themselves.
    Endless,
}

/// What becomes of an item that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It becomes a record all the same.
    Kept,
    /// It is counted as failed, for this reason.
    Counted(&'static str),
}

/// What a receiver fetches from.
#[async_trait]
pub trait Source: Send {
    /// The receiver's configuration.
    fn config(&self, place: &Place) -> String;
    /// Adds so many valid items, different from all before.
    async fn add(&mut self, count: usize);
    /// Adds one that cannot be used.
    async fn add_invalid(&mut self) {}
    /// Adds one above the receiver's limit.
    async fn add_oversized(&mut self) {}
    /// Goes away; what was added stays to be fetched.
    async fn leave(&mut self) {}
    /// Comes back.
    async fn come_back(&mut self) {}
}

/// A subject and its source, running.
struct Bench<'s> {
    subject: &'s PullSubject,
    source: Box<dyn Source>,
    running: Running,
}

impl<'s> Bench<'s> {
    async fn open(subject: &'s PullSubject) -> Self {
        let source = (subject.source)();
        let running = Running::start(&subject.factory, SOON, |place| source.config(place)).await;
        Self { subject, source, running }
    }

    fn capture(&self) -> &Capture {
        &self.running.capture
    }

    /// Waits until so many items arrived in all, and checks that each came once.
    async fn arrive(&self, what: &str, count: usize) {
        let (title, capture) = (self.subject.title, self.capture());
        let came = timeout(SOON, capture.items(count)).await.is_ok();
        assert!(came, "{title}: {what}: {} of {count} items came", capture.records().len());
        self.once(what, count);
        assert_eq!((capture.refused(), capture.failed()), Default::default(), "{title}: {what}: nothing may be lost");
    }

    /// Checks that every record has an id of its own, and that no more came than were there.
    fn once(&self, what: &str, count: usize) {
        let (title, records) = (self.subject.title, self.capture().records());
        let ids: BTreeSet<_> = records.iter().filter_map(|record| record.attrs.get_str(&keys::UID)).collect();
        assert_eq!(ids.len(), records.len(), "{title}: {what}: an item came twice");
        assert!(self.subject.supply == Supply::Endless || records.len() == count, "{title}: {what}: {}", records.len());
    }

    /// Adds items while the pipeline is in this mood, and waits until one of them is offered to it.
    async fn offer(&mut self, mood: Mood, count: usize) {
        self.capture().set(mood);
        self.source.add(count).await;
        timeout(SOON, self.capture().waiting(1)).await.expect("an item must reach the pipeline");
    }

    async fn end(&mut self) {
        let title = self.subject.title;
        assert!(timeout(END, self.running.stop()).await.is_ok(), "{title}: does not end");
        assert_eq!(self.capture().admitted(), 0, "{title}: room was not given back");
    }
}

/// Scenario: one item, then many.
/// Guarantee: every one arrives once; an idle source does not hold the end.
pub async fn accepted(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.source.add(1).await;
    bench.arrive("one item", 1).await;
    bench.source.add(50).await;
    bench.arrive("many items", 51).await;
    bench.end().await;
}

/// Scenario: an item that cannot be used, and one above the limit, between valid ones.
/// Guarantee: kept or counted as the table says; those behind it arrive.
pub async fn invalid(subject: &PullSubject) {
    for (what, fate) in [("invalid", subject.invalid), ("oversized", subject.oversized)] {
        let Some(fate) = fate else { continue };
        let mut bench = Bench::open(subject).await;
        bench.source.add(1).await;
        if what == "invalid" {
            bench.source.add_invalid().await;
        } else {
            bench.source.add_oversized().await;
        }
        bench.source.add(1).await;
        match fate {
            Fate::Kept => bench.arrive(what, 3).await,
            Fate::Counted(reason) => {
                let came = timeout(SOON, bench.capture().items(2)).await;
                assert!(came.is_ok(), "{}: {what}: what is behind it does not arrive", subject.title);
                let failed = bench.capture().failed();
                assert_eq!(failed.into_iter().collect::<Vec<_>>(), [(reason, 1)], "{}: {what}", subject.title);
                bench.once(what, 2);
            }
        }
        bench.end().await;
    }
}

/// Scenario: the pipeline is full for a while.
/// Guarantee: the source waits; nothing counts as lost, and everything arrives once afterwards.
pub async fn busy(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.offer(Mood::Busy, 20).await;
    tokio::time::sleep(SILENCE).await;
    let title = subject.title;
    assert!(bench.capture().batches().is_empty(), "{title}: taken by a full pipeline");
    assert_eq!(
        (bench.capture().refused(), bench.capture().failed()),
        Default::default(),
        "{title}: waiting is no loss"
    );
    bench.capture().set(Mood::Taking);
    bench.arrive("after a full pipeline", 20).await;
    bench.end().await;
}

/// Scenario: drain while the pipeline has an item and has not answered; then it takes it.
/// Guarantee: what was fetched is finished, then the receiver ends; nothing is counted as lost.
pub async fn draining(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.offer(Mood::Stuck, 3).await;
    bench.running.drain.request();
    if subject.supply == Supply::Added {
        bench.capture().set(Mood::Taking);
        bench.end().await;
        assert!(!bench.capture().batches().is_empty(), "{}: what was fetched is finished", subject.title);
        assert_eq!(bench.capture().failed(), Default::default(), "{}", subject.title);
    } else {
        // What it makes by itself is nobody's loss, but it is counted.
        bench.end().await;
        assert!(bench.capture().refused() > 0, "{}", subject.title);
    }
}

/// Scenario: the engine stops while the pipeline has an item, and takes nothing any more.
/// Guarantee: the receiver ends; what it had fetched is counted, nothing of it is taken.
pub async fn stopping(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.offer(Mood::Stuck, 3).await;
    bench.running.drain.request();
    bench.capture().set(Mood::Draining);
    bench.end().await;
    assert!(bench.capture().batches().is_empty(), "{}", subject.title);
    assert!(bench.capture().refused() > 0, "{}: what was offered was refused", subject.title);
}

/// Scenario: the source goes away and comes back: while nothing is on its way, and while the pipeline has an item, which the
/// source may have forgotten.
/// Guarantee: the receiver goes on by itself; every item arrives once.
pub async fn lost(subject: &PullSubject) {
    if !subject.leaves {
        return;
    }
    let mut bench = Bench::open(subject).await;
    bench.source.add(5).await;
    bench.arrive("before", 5).await;
    bench.source.leave().await;
    bench.source.come_back().await;
    bench.source.add(5).await;
    bench.arrive("after the source was away", 10).await;
    bench.offer(Mood::Stuck, 1).await;
    bench.source.leave().await;
    bench.source.come_back().await;
    bench.source.add(5).await;
    bench.capture().set(Mood::Taking);
    bench.arrive("after the source was away with an item on its way", 16).await;
    bench.end().await;
}

/// Scenario: drain while the source is away.
/// Guarantee: the receiver ends at once instead of waiting for it.
pub async fn drain_without_source(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.source.add(1).await;
    bench.arrive("before", 1).await;
    bench.source.leave().await;
    bench.end().await;
}

/// Scenario: the receiver is dropped while the pipeline has an item; then the pipeline would take it.
/// Guarantee: nothing is taken behind its back, and its room is given back.
pub async fn receiver_dropped(subject: &PullSubject) {
    let mut bench = Bench::open(subject).await;
    bench.offer(Mood::Stuck, 3).await;
    bench.running.cut_off().await;
    bench.capture().set(Mood::Taking);
    let capture = bench.capture().clone();
    eventually("room must be given back", || capture.admitted() == 0).await;
    tokio::time::sleep(SILENCE).await;
    assert!(capture.batches().is_empty(), "{}: something was taken", subject.title);
}
