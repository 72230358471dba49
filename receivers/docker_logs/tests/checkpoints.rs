//! Restarts with a storage.

use super::{
    fake_engine::{FakeContainer, FakeEngine},
    reconnect::{NOW, Running, bodies, poll, uids, with_lines},
};
use crate::{
    container::{PART_BYTES, Stream},
    docker_logs::{
        Config, StartAt,
        checkpoints::Checkpoints,
        cursor::{Cursor, LineKey},
        tests::cursor::line,
        watch::now_nanos,
    },
};
use lanner_engine::{component::StorageProvider, prelude::*, testing::MemoryStorage};

const OWNER: &str = "receiver/docker_logs";

fn stored(config: &mut Config) {
    config.storage = Some("file_storage".parse().unwrap());
}

async fn start(engine: &FakeEngine, storage: &MemoryStorage, start_at: StartAt) -> Running {
    let id: ComponentId = "file_storage".parse().unwrap();
    let change = |config: &mut Config| {
        stored(config);
        config.start_at = start_at;
    };
    Running::start_in(engine, change, |cx| storage.offer(&id, cx)).await
}

/// Scenario: Lanner stops and starts again; meanwhile one container has written on, with the lines it has written before
/// and half a line, one has ended, one has come and ended, one is new and one is gone.
/// Guarantee: every line that the daemon still has arrives once, whole.
#[tokio::test]
async fn a_restart_goes_on() {
    let (engine, storage) = (FakeEngine::start(), MemoryStorage::default());
    for id in ["lasts", "ends", "goes"] {
        engine.add(id, with_lines(&format!("falco-{id}"), [format!("{id} 0"), "same".into(), "same".into()]));
    }
    let running = start(&engine, &storage, StartAt::Beginning).await;
    running.items(9).await;
    assert_eq!(running.stop().await.records().len(), 9);

    engine.write("lasts", 1, NOW + 2_000_000, "same\n");
    engine.write("lasts", 1, NOW + 3_000_000, "half");
    engine.write("ends", 1, NOW + 3_000_000, "ends 1\n");
    engine.change("ends", FakeContainer::exit);
    engine.remove("goes");
    engine.add("new", with_lines("falco-new", ["new 0".into()]));
    let mut short = with_lines("falco-short", ["short 0".into()]);
    short.exit();
    engine.add("short", short);
    let running = start(&engine, &storage, StartAt::Beginning).await;
    engine.write("lasts", 1, NOW + 3_000_000, " a line\n");
    running.items(5).await;
    let mut found = bodies(&running.stop().await);
    found.sort();
    assert_eq!(found, ["ends 1", "half a line", "new 0", "same", "short 0"]);
}

/// Scenario: Lanner stops in the middle of a long line, and starts again with its storage.
/// Guarantee: the line arrives once and whole, with the second start.
#[tokio::test]
async fn a_stop_does_not_tear_a_line() {
    let (engine, storage) = (FakeEngine::start(), MemoryStorage::default());
    let full = "x".repeat(PART_BYTES);
    let mut container = FakeContainer::running("falco");
    container.write(1, NOW, &full);
    container.write(2, NOW + 1, "behind\n");
    engine.add("c1", container);
    let running = start(&engine, &storage, StartAt::Beginning).await;
    running.items(1).await;
    assert_eq!(bodies(&running.stop().await), ["behind"]);
    engine.write("c1", 1, NOW, "end\n");
    let running = start(&engine, &storage, StartAt::Beginning).await;
    running.items(1).await;
    assert!(bodies(&running.stop().await) == [format!("{full}end")]);
}

/// Scenario: `start_at: end`; a container starts and ends while Lanner is away.
/// Guarantee: it is read: what `end` leaves out is what was written before the first start, not before the second.
#[tokio::test]
async fn the_end_is_that_of_the_first_start() {
    let (engine, storage) = (FakeEngine::start(), MemoryStorage::default());
    let mut old = FakeContainer::running("falco-old");
    old.write(1, now_nanos() - 3_600_000_000_000, "old\n");
    engine.add("old", old);
    let running = start(&engine, &storage, StartAt::End).await;
    poll(|| engine.requests("/old/logs").len() == 1).await;
    assert!(running.stop().await.records().is_empty());
    let mut short = FakeContainer::running("falco-short");
    short.write(1, now_nanos(), "short\n");
    short.exit();
    engine.add("short", short);
    engine.write("old", 1, now_nanos(), "new\n");
    let running = start(&engine, &storage, StartAt::End).await;
    running.items(2).await;
    let mut found = bodies(&running.stop().await);
    found.sort();
    assert_eq!(found, ["new", "short"]);
}

/// Scenario: the storage cannot be written from some moment on, and Lanner is started again, as after a crash.
/// Guarantee: what came after the last checkpoint comes again under its ids, and nothing else does; the failure is counted.
#[tokio::test]
async fn what_is_behind_the_checkpoint_comes_again() {
    let (engine, storage) = (FakeEngine::start(), MemoryStorage::default());
    engine.add("c1", with_lines("falco", ["one".into(), "same".into()]));
    let running = start(&engine, &storage, StartAt::Beginning).await;
    running.items(2).await;
    running.stop().await;
    let running = start(&engine, &storage, StartAt::Beginning).await;
    storage.set_broken(true);
    for _ in 0..3 {
        engine.write("c1", 1, NOW + 1_000_000, "same\n");
    }
    running.items(3).await;
    poll(|| running.metric("lanner.docker_logs.checkpoint_failures") > 0).await;
    let first = running.stop().await;
    storage.set_broken(false);
    let running = start(&engine, &storage, StartAt::Beginning).await;
    running.items(3).await;
    engine.write("c1", 1, NOW + 2_000_000, "last\n");
    running.items(4).await;
    let second = running.stop().await;
    assert_eq!(bodies(&second), ["same", "same", "same", "last"]);
    let (first, second) = (uids(&first), uids(&second));
    assert_eq!(first.len(), 3, "equal lines have ids of their own");
    assert!(first.keys().all(|id| second.contains_key(id)), "{first:?}, {second:?}");
}

/// Scenario: a stored cursor is read again, whole, cut at every byte, and with another first byte.
/// Guarantee: the whole one knows the same lines and the same place; a damaged one is refused or is another cursor, and none
/// of it panics.
#[test]
fn cursors_are_stored_whole() {
    let mut cursor = Cursor::starting_at(7);
    let mut other = line(NOW + 5, "b");
    other.stream = Stream::Stderr;
    cursor.accept([line(NOW, "a"), other, line(NOW, "a")].iter().map(LineKey::of), Some(NOW + 9));
    let bytes = cursor.encode();
    let read = Cursor::decode(&bytes).unwrap();
    assert_eq!((read.resume_from(), read.watermark()), (cursor.resume_from(), cursor.watermark()));
    assert_eq!(read.encode(), bytes);
    let cut = (0..bytes.len()).filter(|length| Cursor::decode(&bytes[..*length]).is_some()).count();
    assert_eq!(cut, 3, "only behind the place and behind each of the first two lines");
    assert!(Cursor::decode(&[&[9], &bytes[1..]].concat()).is_none());
}

/// Scenario: a container is forgotten, while the storage works and while it does not.
/// Guarantee: its checkpoint goes, at the latest with the next save; those of others stay.
#[tokio::test]
async fn checkpoints_go_with_their_containers() {
    let storage = MemoryStorage::default();
    let load = async || Checkpoints::load(Some(storage.open(OWNER)), NOW).await.unwrap();
    let names = || storage.entries(OWNER).into_keys().collect::<Vec<_>>();
    let checkpoints = load().await;
    for id in ["a", "b", "c"] {
        checkpoints.open(id, 0).lock().accept([LineKey::of(&line(NOW, id))], None);
    }
    checkpoints.save().await.unwrap();
    assert_eq!(names(), ["container/a", "container/b", "container/c", "started"]);
    checkpoints.remove("a");
    checkpoints.save().await.unwrap();
    storage.set_broken(true);
    checkpoints.remove("b");
    checkpoints.save().await.unwrap_err();
    storage.set_broken(false);
    checkpoints.save().await.unwrap();
    assert_eq!(names(), ["container/c", "started"]);
    let again = load().await;
    assert_eq!((again.containers(), again.started), (vec!["c".to_owned()], NOW));
}
