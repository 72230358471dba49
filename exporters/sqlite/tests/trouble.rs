//! Other programs, full disks, damage (X8).

use super::*;
use lanner_engine::telemetry::Status;
use std::fs;

/// Scenario: another program holds the database for writing, for longer than the patience of an attempt; then it
/// lets go (X8).
/// Guarantee: the attempt is to be repeated and nothing of it is there; the next one succeeds, with every event once.
#[test]
fn x8_a_locked_database_is_tried_again() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    let other = db.reader();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..3 {
        assert!(matches!(write(&mut store, &numbered(0, 20, 10)), Outcome::Retry { .. }));
    }
    assert!(!store.maintain());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(write(&mut store, &numbered(0, 20, 10)), Outcome::Delivered);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 20);
    assert_sound(&db);
}

/// Scenario: a reader keeps an old state open while alerts come in, more than the log beside the database may
/// hold; then it ends (X8).
/// Guarantee: the reader sees its state; the log stays within its bound and one request; writing goes on once the
/// reader is gone, with every event once, and the log is emptied.
#[test]
fn x8_a_long_reader_does_not_grow_the_log_without_end() {
    let db = Db::new();
    let mut store = db.store(json!({"retention": {"max_size_mib": 16}}));
    assert_eq!(write(&mut store, &numbered(0, 10, 10)), Outcome::Delivered);
    let reader = db.reader();
    reader.execute_batch("BEGIN").unwrap();
    let seen =
        |reader: &Connection| reader.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(&reader), 10);
    let log = db.scratch.path().join("events.db-wal");
    let (mut written, mut refused) = (10, 0);
    while refused < 3 {
        match write(&mut store, &numbered(written, 50, 2000)) {
            Outcome::Delivered => written += 50,
            Outcome::Retry { reason, .. } => {
                assert!(reason.contains("reading"), "{reason}");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
        assert!(log.metadata().unwrap().len() < (4 << 20) + (1 << 20));
        assert!(written < 10_000, "it must end");
    }
    assert_eq!(seen(&reader), 10);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(write(&mut store, &numbered(written, 50, 2000)), Outcome::Delivered);
    assert!(log.metadata().unwrap().len() < 2 << 20);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), written as i64 + 50);
    assert_sound(&db);
}

/// Scenario: the disk is full in the middle of requests, and has room again later (X8, D5).
/// Guarantee: a request is tried again, nothing of it is there and nothing else is lost or deleted; then it is written.
#[test]
fn x8_a_full_disk_is_tried_again() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    assert_eq!(write(&mut store, &numbered(0, 100, 100)), Outcome::Delivered);
    // SQLite answers with the same code as to a disk without room.
    let pages = |store: &Store, most: i64| {
        let opened = store.connection();
        opened.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    pages(&store, 1);
    for _ in 0..3 {
        assert!(matches!(write(&mut store, &numbered(100, 500, 1000)), Outcome::Retry { .. }));
        assert!(!store.maintain());
    }
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 100);
    pages(&store, 1 << 18);
    assert_eq!(write(&mut store, &numbered(100, 500, 1000)), Outcome::Delivered);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 600);
    assert_sound(&db);
}

/// Scenario: something overwrites the database while it is in use; then somebody moves it away.
/// Guarantee: writing stops, the status is permanent, the file is left as it is; with another file in its place
/// it goes on.
#[test]
fn a_damaged_database_is_left_as_it_is() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    assert_eq!(write(&mut store, &numbered(0, 500, 1000)), Outcome::Delivered);
    store.close();
    let mut damaged = fs::read(db.path()).unwrap();
    damaged[4096..].iter_mut().for_each(|byte| *byte = 0xa5);
    fs::write(db.path(), &damaged).unwrap();
    for _ in 0..3 {
        let outcome = write(&mut store, &numbered(500, 10, 10));
        assert!(
            matches!(&outcome, Outcome::Retry { after: Some(_), reason } if reason.contains("move it")),
            "{outcome:?}"
        );
    }
    assert!(!store.maintain());
    let status = |db: &Db| db.cx.health.components().into_iter().next().unwrap().1;
    assert!(matches!(status(&db), Status::Permanent(_)));
    assert!(fs::read(db.path()).unwrap() == damaged);
    for ending in ["", "-wal", "-shm"] {
        let path = format!("{}{ending}", db.path().display());
        let _ = fs::rename(&path, format!("{path}.damaged"));
    }
    assert_eq!(write(&mut store, &numbered(500, 10, 10)), Outcome::Delivered);
    assert_eq!(status(&db), Status::Ok);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 10);
}

/// Scenario: the database is moved away under the running exporter, and deleted.
/// Guarantee: what comes after is in the file at the path, not in one that nobody can find.
#[test]
fn a_database_that_is_moved_away_is_begun_anew() {
    let db = Db::new();
    let mut store = db.store(json!({}));
    assert_eq!(write(&mut store, &numbered(0, 10, 10)), Outcome::Delivered);
    for round in 1..3 {
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", db.path().display()));
        }
        assert_eq!(write(&mut store, &numbered(round * 10, 10, 10)), Outcome::Delivered);
        assert_eq!(db.ask::<String>("SELECT min(uid) FROM events"), format!("uid-{round}0"));
    }
}

/// Scenario: two exporters of one file write at the same time, also the same events; ten exports each at once.
/// Guarantee: every event is there once, and what is counted agrees.
#[tokio::test]
async fn two_writers_agree() {
    let db = Db::new();
    let plan = || db.plan(json!({"busy_timeout": "30s"}));
    let a = Box::new(plan()).build(&db.cx).await.unwrap();
    let b = Box::new(plan()).build(&db.cx).await.unwrap();
    let requests: Vec<Request> = (0..20).map(|n| crate::testing::request_of(numbered(n * 15, 30, 10))).collect();
    let exports = requests.iter().flat_map(|request| [a.export(request), b.export(request)]);
    for outcome in futures_util::future::join_all(exports).await {
        assert_eq!(outcome, Outcome::Delivered);
    }
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 19 * 15 + 30);
    assert_sound(&db);
}

/// Scenario: the exporter is drained right after its last export.
/// Guarantee: `run` ends, the log is emptied, and everything is in the one file.
#[tokio::test(start_paused = true)]
async fn a_drain_leaves_one_file() {
    let db = Db::new();
    let exporter = Box::new(db.plan(json!({}))).build(&db.cx).await.unwrap();
    let drain = Drain::new();
    let (run, export) = (exporter.run(drain.clone()), async {
        let outcome = exporter.export(&crate::testing::request_of(numbered(0, 5, 10))).await;
        drain.request();
        outcome
    });
    let (ended, outcome) =
        tokio::time::timeout(Duration::from_secs(3600), futures_util::future::join(run, export)).await.unwrap();
    assert_eq!(outcome, Outcome::Delivered);
    ended.unwrap();
    let names: Vec<_> = fs::read_dir(db.scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["events.db"]);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 5);
}
