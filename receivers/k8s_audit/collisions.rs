//! `Collisions`: notices different events under one cluster, auditID and stage.
//!
//! A client may choose its auditID, so an event that borrows the id of another is either an aggregated API server at work
//! or an attempt to make a deduplicator drop evidence. Both events are kept whatever is found here; this only counts.
//!
//! Promises
//! - Two different events under one key that come within [`WINDOW`] of each other are counted, once however often they are
//!   repeated; events that are repeated unchanged are not. Window and certainty end at the bound, which is counted.
//! - At most [`MAX_SIGHTINGS`] sightings in each of two generations, 17 bytes each in a hash table: 17 MiB in all.
//! - No allocation per event beyond the growth of the table. Clusters that senders name are labels of at most
//!   [`MAX_CLUSTERS`] series; the rest share one that is marked as overflow.
//!
//! Way: a key and a digest become two numbers under hash keys of this process, so that a sender can neither fill a bucket
//! nor find two events that look like one. Generations are dropped as a whole: nothing is ever searched for its age.

use lanner_engine::telemetry::{Counter, Telemetry};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    time::Duration,
};
use tokio::time::Instant;

/// API servers repeat a batch for about four minutes.
pub(super) const WINDOW: Duration = Duration::from_secs(600);
/// What fills 2^19 buckets.
const MAX_SIGHTINGS: usize = (1 << 19) / 8 * 7;
/// Clusters with a series of their own.
const MAX_CLUSTERS: usize = 100;

/// An event as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    key: u64,
    digest: u64,
}

/// Of one receiver.
pub(super) struct Collisions {
    telemetry: Telemetry,
    receiver: String,
    hasher: RandomState,
    max: usize,
    forgotten: Counter,
    memory: Mutex<Memory>,
}

struct Memory {
    /// When the current generation began.
    since: Instant,
    current: Table,
    previous: Table,
    counters: BTreeMap<String, Counter>,
}

type Table = HashMap<u64, u64, BuildHasherDefault<AsIs>>;

/// Keys are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never called for `u64` keys; folded in all the same, so that it would be a hash.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

impl Collisions {
    pub fn new(telemetry: &Telemetry, receiver: &str) -> Self {
        Self::bounded(telemetry, receiver, MAX_SIGHTINGS)
    }

    fn bounded(telemetry: &Telemetry, receiver: &str, max: usize) -> Self {
        let help = "Events that were forgotten before 10 minutes were over because there were too many to remember; a collision with one of them is not counted.";
        Self {
            forgotten: telemetry.counter(
                "lanner.audit.id_collisions_forgotten",
                help,
                "{event}",
                &[("receiver", receiver)],
            ),
            telemetry: telemetry.clone(),
            receiver: receiver.to_owned(),
            hasher: RandomState::new(),
            max,
            memory: Mutex::new(Memory {
                since: Instant::now(),
                current: Table::default(),
                previous: Table::default(),
                counters: BTreeMap::new(),
            }),
        }
    }

    /// What to remember of an event with this `log.record.uid`; nothing of one without auditID.
    pub fn sighting(&self, cluster: &str, uid: &str) -> Option<Sighting> {
        // The digest has no slash; auditID and stage may.
        let (key, digest) = uid.rsplit_once('/')?;
        let named = !key.is_empty() && !key.starts_with('/');
        named.then(|| Sighting { key: self.hasher.hash_one((cluster, key)), digest: self.hasher.hash_one(digest) })
    }

    /// Compares events of a cluster with what is remembered, and remembers them.
    pub fn note(&self, cluster: &str, sightings: impl IntoIterator<Item = Sighting>) {
        let mut memory = self.memory.lock();
        memory.age(Instant::now());
        let mut collisions = 0;
        for Sighting { key, digest } in sightings {
            match memory.find(key) {
                Some(known) if known == digest => {}
                None => self.remember(&mut memory, key, digest),
                Some(_) => {
                    // A key of its own, so that a repetition of this event is no collision again.
                    let other = key ^ digest.rotate_left(32);
                    if memory.find(other).is_none() {
                        collisions += 1;
                        self.remember(&mut memory, other, digest);
                    }
                }
            }
        }
        if collisions > 0 {
            self.counter(&mut memory.counters, cluster).add(collisions);
        }
    }

    fn remember(&self, memory: &mut Memory, key: u64, digest: u64) {
        if memory.current.len() >= self.max {
            self.forgotten.add(memory.previous.len() as u64);
            memory.turn(Instant::now());
        }
        memory.current.insert(key, digest);
    }

    fn counter<'c>(&self, counters: &'c mut BTreeMap<String, Counter>, cluster: &str) -> &'c Counter {
        let overflow = counters.len() >= MAX_CLUSTERS && !counters.contains_key(cluster);
        // No cluster has this name: the path allows no space.
        let name = if overflow { " overflow" } else { cluster };
        counters.entry(name.to_owned()).or_insert_with(|| {
            let label = if overflow { ("otel.metric.overflow", "true") } else { ("k8s.cluster.name", cluster) };
            let help = "Events that have cluster, auditID and stage of another event and are different from it; both are kept.";
            let labels = [("receiver", self.receiver.as_str()), label];
            self.telemetry.counter("lanner.audit.id_collisions", help, "{event}", &labels)
        })
    }
}

impl Memory {
    fn find(&self, key: u64) -> Option<u64> {
        self.current.get(&key).or_else(|| self.previous.get(&key)).copied()
    }

    /// Forgets what is out of the window.
    fn age(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= WINDOW {
            self.turn(now);
        }
        if age >= 2 * WINDOW {
            self.previous = Table::default();
        }
    }

    /// Begins a generation.
    fn turn(&mut self, now: Instant) {
        self.previous = std::mem::take(&mut self.current);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(telemetry: &Telemetry, name: &str) -> i64 {
        telemetry.metric(name).map_or(0, |metric| metric.series.iter().map(|(_, value)| value).sum())
    }

    struct Watched {
        telemetry: Telemetry,
        collisions: Collisions,
    }

    impl Watched {
        fn new(max: usize) -> Self {
            let telemetry = Telemetry::default();
            Self { collisions: Collisions::bounded(&telemetry, "k8s_audit", max), telemetry }
        }

        /// Notes events and gives back how many collisions there are so far.
        fn see(&self, cluster: &str, uids: &[&str]) -> i64 {
            self.collisions.note(cluster, uids.iter().filter_map(|uid| self.collisions.sighting(cluster, uid)));
            counted(&self.telemetry, "lanner.audit.id_collisions")
        }
    }

    /// Scenario: K5: the same event again and again; another under its auditID and stage; the same auditID at another stage
    /// and in another cluster; events without auditID.
    /// Guarantee: only the second event is a collision, once however often both are repeated; a third is another.
    #[tokio::test(start_paused = true)]
    async fn a_borrowed_id_is_counted_once() {
        let watched = Watched::new(100);
        assert_eq!(watched.see("prod", &["id/Panic/aa", "id/Panic/aa"]), 0);
        assert_eq!(watched.see("prod", &["id/ResponseComplete/bb", "/Panic/aa", "/Panic/bb"]), 0);
        assert_eq!(watched.see("test", &["id/Panic/cc"]), 0);
        assert_eq!(watched.see("prod", &["id/Panic/bb"]), 1);
        assert_eq!(watched.see("prod", &["id/Panic/aa", "id/Panic/bb", "id/Panic/bb"]), 1);
        assert_eq!(watched.see("prod", &["id/Panic/cc"]), 2);
        let metric = watched.telemetry.metric("lanner.audit.id_collisions").unwrap();
        assert_eq!(
            metric.series,
            [(vec![("receiver", "k8s_audit".to_owned()), ("k8s.cluster.name", "prod".to_owned())], 2)]
        );
    }

    /// Scenario: the second event comes just inside the window, whenever the first came in its generation; then long after.
    /// Guarantee: counted inside 10 minutes, forgotten after 20; no memory is held for what is forgotten.
    #[tokio::test(start_paused = true)]
    async fn the_window_is_at_least_ten_minutes() {
        for first_after in [0, 1, 300, 599] {
            let watched = Watched::new(100);
            tokio::time::advance(Duration::from_secs(first_after)).await;
            watched.see("", &["id/Panic/aa"]);
            tokio::time::advance(WINDOW - Duration::from_secs(1)).await;
            assert_eq!(watched.see("", &["id/Panic/bb"]), 1, "first after {first_after} s");
        }
        let watched = Watched::new(100);
        watched.see("", &["id/Panic/aa"]);
        tokio::time::advance(2 * WINDOW).await;
        assert_eq!(watched.see("", &["id/Panic/bb"]), 0);
        assert_eq!(counted(&watched.telemetry, "lanner.audit.id_collisions_forgotten"), 0, "not for lack of room");
        let memory = watched.collisions.memory.lock();
        assert_eq!((memory.current.len(), memory.previous.len(), memory.previous.capacity()), (1, 0, 0));
    }

    /// Scenario: more events in a window than are remembered.
    /// Guarantee: memory stays at its bound, the oldest are forgotten and counted, the newest are still known.
    #[tokio::test(start_paused = true)]
    async fn the_bound_forgets_the_oldest_and_says_so() {
        let watched = Watched::new(100);
        for number in 0..1000 {
            watched.see("", &[&format!("id-{number}/Panic/aa")]);
            let memory = watched.collisions.memory.lock();
            assert!(memory.current.len() <= 100 && memory.previous.len() <= 100);
        }
        assert_eq!(counted(&watched.telemetry, "lanner.audit.id_collisions_forgotten"), 800);
        assert_eq!(watched.see("", &["id-0/Panic/bb"]), 0, "forgotten");
        assert_eq!(watched.see("", &["id-999/Panic/bb"]), 1, "known");
    }

    /// Scenario: a sender invents clusters by the thousand.
    /// Guarantee: a bounded number of series; every collision is in one of them.
    #[tokio::test(start_paused = true)]
    async fn clusters_are_a_bounded_label() {
        let watched = Watched::new(100_000);
        for number in 0..1000 {
            watched.see(&format!("c{number}"), &["id/Panic/aa", "id/Panic/bb"]);
        }
        let metric = watched.telemetry.metric("lanner.audit.id_collisions").unwrap();
        assert_eq!(metric.series.len(), MAX_CLUSTERS + 1);
        assert_eq!(metric.series.iter().map(|(_, count)| count).sum::<i64>(), 1000);
        assert!(metric.series.iter().any(|(labels, count)| labels[1].0 == "otel.metric.overflow" && *count == 900));
    }
}
