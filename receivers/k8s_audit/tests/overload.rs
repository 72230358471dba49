//! A full pipeline, and stopping.

use super::*;
use lanner_engine::{
    component::{Admission, Intake as Inlet, Taking},
    config::Duration as Hold,
    testing::{Capture, Mood},
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn holding(millis: u64) -> Config {
    Config { hold: Hold::from_millis(millis), ..Config::default() }
}

/// Scenario: K2: the pipeline is full, blocks without looking at the hold, or has no memory left, for longer than `hold`.
/// Guarantee: 429 with `Retry-After: 3`, counted, nothing kept; the same batch is taken once there is room.
#[tokio::test]
async fn a_full_pipeline_is_429() {
    for mood in [Mood::Busy, Mood::Stuck, Mood::NoRoom] {
        let door = Door::open(holding(100)).await;
        door.capture.set(mood);
        let (status, head, _) = door.post("/k8s-audit", list(&[EVENT])).await;
        assert_eq!((status, head["retry-after"].to_str().unwrap()), (429, "3"), "{mood:?}");
        assert!(head.contains_key("content-type"));
        assert_eq!(door.counted("lanner_receiver_lost_requests", "held_too_long"), 1, "{mood:?}");
        assert!(door.capture.records().is_empty());
        door.capture.set(Mood::Taking);
        assert_eq!(door.post("/k8s-audit", list(&[EVENT])).await.0, 200);
        assert_eq!(door.capture.records().len(), 1);
        assert_eq!(door.capture.admitted(), 0, "all room was given back");
    }
}

/// Takes so many batches, then none until it gets more.
struct Metered {
    out: Consumer,
    left: AtomicUsize,
}

impl Inlet for Metered {
    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_> {
        if self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
            let full = "the test".into();
            return Taking::done(Err(Refused::Busy { full, retry_after: Duration::from_secs(1) }));
        }
        Taking::waits(self.out.consume_within(batch, hold))
    }

    fn take_patiently<'t>(&'t self, batch: Batch, _: &'t Drain) -> Taking<'t> {
        self.take(batch, Duration::ZERO)
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        self.out.admit(bytes)
    }

    fn failed(&self, items: u64, reason: &'static str) {
        self.out.failed(items, reason);
    }
}

/// Scenario: a body of several batches; the pipeline takes one of them, then two, then all; the sender repeats the body.
/// Guarantee: 429, 429, 200; every event is there; what came several times has the same ids, and is no collision.
#[tokio::test]
async fn a_jam_part_way_loses_nothing() {
    let capture = Capture::new();
    let metered = Arc::new(Metered { out: capture.consumer(), left: AtomicUsize::new(1) });
    let out = Consumer::new(Arc::clone(&metered) as Arc<dyn Inlet>);
    let door = Door::open_to(holding(100), capture, out).await;
    let items: Vec<String> = (0..3000).map(|n| EVENT.replace("a-1", &format!("id-{n}"))).collect();
    let body = list(&items.iter().map(String::as_str).collect::<Vec<_>>());
    let mut taken = Vec::new();
    for (more, status) in [(0, 429), (2, 429), (1000, 200)] {
        metered.left.fetch_add(more, Relaxed);
        let (answered, head, _) = door.post("/k8s-audit", body.clone()).await;
        assert_eq!(answered, status);
        assert_eq!(head.contains_key("retry-after"), status == 429);
        taken.push(door.capture.records().len());
    }
    assert!(taken[0] > 0 && taken[0] < 3000 && taken[1] > taken[0] && taken[1] < 2 * 3000, "{taken:?}");
    let count = uids(&door);
    assert_eq!(count.len(), 3000);
    assert_eq!(count.values().max(), Some(&3), "the first batch came three times");
    assert_eq!(count.values().min(), Some(&1));
    assert_eq!(door.counted("lanner_receiver_lost_requests", "held_too_long"), 2);
    assert!(door.telemetry.metric("lanner.audit.id_collisions").is_none());
}
