use super::*;
use crate::{
    pagerduty::open::{self, MOST, Open},
    testing::counted,
};
use lanner_engine::testing::MemoryStorage;
use tokio::time::sleep;

/// Scenario: an alert comes twice, 4 minutes apart, then nothing; another one comes once; one with `resolve_after: 0s`.
/// Guarantee: each is resolved 5 minutes after its last event, once; without the setting never.
#[tokio::test(start_paused = true)]
async fn alerts_are_resolved_when_they_are_quiet() {
    let fake = Fake::willing();
    let running = Running::start(config(json!({})), &fake).await;
    let start = Instant::now();
    running.export([alert("a", Priority::Error), alert("b", Priority::Notice)]).await.unwrap();
    sleep(4 * MINUTE).await;
    running.export([alert("a", Priority::Error)]).await.unwrap();
    sleep(20 * MINUTE).await;
    assert_eq!(fake.accepted(), ["trigger a", "trigger b", "trigger a", "resolve", "resolve"]);
    let (events, times) = (fake.events(), fake.times());
    assert_eq!((&events[3]["dedup_key"], &events[4]["dedup_key"]), (&events[1]["dedup_key"], &events[0]["dedup_key"]));
    assert_eq!(events[3].as_object().unwrap().len(), 3);
    let at: Vec<u64> = times.iter().map(|at| (*at - start).as_secs()).collect();
    assert_eq!(at, [0, 0, 240, 300, 540]);

    let never = Fake::willing();
    let running = Running::start(config(json!({"resolve_after": "0s"})), &never).await;
    running.export([alert("a", Priority::Error)]).await.unwrap();
    sleep(60 * MINUTE).await;
    assert_eq!(never.accepted(), ["trigger a"]);
}

/// Scenario: PagerDuty is down when an alert should be resolved; then it refuses another one.
/// Guarantee: the resolve is tried again until it arrives; a refused one is not tried for ever.
#[tokio::test(start_paused = true)]
async fn a_failed_resolve_is_tried_again() {
    let fake = Fake::new(|number, _| match number {
        2..=4 => later(),
        5 => limited(45),
        7 => Verdict::Refused { reason: "HTTP 400".into() },
        _ => Verdict::Accepted,
    });
    let running = Running::start(config(json!({})), &fake).await;
    running.export([alert("a", Priority::Error)]).await.unwrap();
    sleep(15 * MINUTE).await;
    assert_eq!(fake.accepted(), ["trigger a", "resolve"]);
    let gaps: Vec<u64> = fake.times().windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(gaps, [300, 30, 30, 30, 45]);
    let refused = running.export([alert("b", Priority::Error)]);
    assert!(matches!(refused.await.unwrap(), Outcome::Reject { .. }));
    sleep(60 * MINUTE).await;
    assert_eq!(fake.events().len(), 8, "the alert that was refused is resolved once, in case it is open");
}

/// Scenario: the process ends and starts again 2 minutes later, with a storage and without a resolve in between; an entry is
/// damaged.
/// Guarantee: the alert is resolved by the next run; what is damaged is resolved too; afterwards the storage is empty.
#[tokio::test(start_paused = true)]
async fn what_is_open_survives_a_restart() {
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let settings = config(json!({"storage": "file_storage"}));
    let fake = Fake::willing();
    let running = Running::start_in(settings.clone(), &fake, storage.offer(&id, build_cx())).await;
    running.export([alert("a", Priority::Error)]).await.unwrap();
    drop(running);
    let cx = storage.offer(&id, build_cx());
    cx.storage(&id).unwrap().put(vec![("open/damaged".into(), Some("{".into()))]).await.unwrap();
    let running = Running::start_in(settings, &fake, cx).await;
    sleep(10 * MINUTE).await;
    let events = fake.events();
    assert_eq!(fake.accepted(), ["trigger a", "resolve", "resolve"]);
    assert_eq!((&events[1]["dedup_key"], &events[2]["dedup_key"]), (&json!("damaged"), &events[0]["dedup_key"]));
    assert!(storage.entries("exporter/test/exporter").is_empty());
    assert_eq!(counted(&running.cx, "lanner_pagerduty_open_alerts"), 0);
}

/// Scenario: the process is killed between what PagerDuty accepted and what would come after; the storage breaks.
/// Guarantee: the alert was stored before its event was sent, so the next run resolves it; a broken storage costs no event.
#[tokio::test(start_paused = true)]
async fn an_alert_is_noted_before_it_is_sent() {
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let seen = storage.clone();
    let fake = Fake::new(move |_, event| {
        let stored = seen.entries("exporter/test/exporter");
        let is_noted = stored.contains_key(&format!("open/{}", event["dedup_key"].as_str().unwrap()));
        if is_noted { Verdict::Accepted } else { Verdict::Refused { reason: "not noted".into() } }
    });
    let cx = storage.offer(&id, build_cx());
    let running = Running::start_in(config(json!({"storage": "file_storage"})), &fake, cx).await;
    assert_eq!(running.export([alert("a", Priority::Error)]).await.unwrap(), Outcome::Delivered);
    storage.set_broken(true);
    let outcome = running.export([alert("b", Priority::Error)]).await.unwrap();
    assert_eq!(outcome, Outcome::Reject { reason: "not noted".into() });
    assert_eq!(counted(&running.cx, "lanner_pagerduty_storage_failures"), 1);
}

/// Scenario: more alerts than are noted.
/// Guarantee: memory and storage hold the bound; the surplus is counted.
#[tokio::test(start_paused = true)]
async fn open_alerts_are_bounded() {
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let cx = storage.offer(&id, build_cx());
    let mut open = Open::load(5 * MINUTE, Some(cx.storage(&id).unwrap()), open::Cells::new(&cx)).await.unwrap();
    for number in 0..MOST + 50 {
        open.note(&number.to_string(), Duration::ZERO).await;
        open.note("0", Duration::ZERO).await;
    }
    assert_eq!((open.len(), storage.entries("exporter/test/exporter").len()), (MOST, MOST));
    assert_eq!(counted(&cx, "lanner_pagerduty_unnoted_events"), 50);
}
