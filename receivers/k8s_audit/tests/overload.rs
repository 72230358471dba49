//! A full pipeline, and stopping.

use super::{door::SOON, *};
use lanner_engine::{config::Duration as Hold, testing::Mood};
use tokio::time::timeout;

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

/// Scenario: a body of several batches; the pipeline fills up after the first; the sender repeats it.
/// Guarantee: 429, then 200; every event is there, and those that came twice have the same ids.
#[tokio::test]
async fn a_jam_part_way_loses_nothing() {
    let door = Door::open(holding(100)).await;
    let items: Vec<String> = (0..3000).map(|n| EVENT.replace("a-1", &format!("id-{n}"))).collect();
    let body = list(&items.iter().map(String::as_str).collect::<Vec<_>>());
    let jam = async {
        timeout(SOON, door.capture.items(1)).await.unwrap();
        door.capture.set(Mood::Busy);
    };
    let ((status, ..), ()) = tokio::join!(door.post("/k8s-audit", body.clone()), jam);
    door.capture.set(Mood::Taking);
    // Whether the jam came in time for this body is up to the scheduler; either way nothing may be missing.
    assert!(status == 429 || status == 200, "{status}");
    assert_eq!(door.post("/k8s-audit", body).await.0, 200);
    let mut count = std::collections::BTreeMap::new();
    for record in door.capture.records() {
        *count.entry(record.attrs.get_str(&keys::UID).unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(count.len(), 3000);
    assert!(count.values().all(|times| *times <= 2));
}
