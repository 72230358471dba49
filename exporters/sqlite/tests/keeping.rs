//! What is kept and what is deleted.

use super::*;
use crate::testing::traces;
use lanner_proto::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Runs maintenance as the exporter does, for `time` in steps of a minute.
fn pass(db: &Db, store: &mut Store, time: u64) {
    const MINUTE: u64 = HOUR / 60;
    for _ in 0..time / MINUTE {
        db.hands.pass(MINUTE);
        while store.maintain() {}
    }
}

/// Scenario: alerts at the start, alerts five hours later, kept for ten hours (and the profile for 20), and spans.
/// Guarantee: each goes when its time has come, not before, together with its terms, its container and its spans;
/// a container that was heard of later stays; all is counted.
#[test]
fn what_is_old_goes() {
    let db = Db::new();
    let mut store = db.store(json!({"retention": {"max_age": "10h", "max_profile_age": "20h"}}));
    let events = |db: &Db| db.ask::<i64>("SELECT count(*) FROM events");
    assert_eq!(write(&mut store, &numbered(0, 50, 10)), Outcome::Delivered);
    let spans = ExportTraceServiceRequest::decode(traces().bytes().clone()).unwrap();
    assert_eq!(store.write(&Content::Traces(&spans), 100), Outcome::Delivered);
    pass(&db, &mut store, 5 * HOUR);
    // One container and one rule of the five.
    let later = numbered(50, 1, 10);
    assert_eq!(write(&mut store, &later), Outcome::Delivered);
    pass(&db, &mut store, 5 * HOUR - HOUR / 60);
    assert_eq!(events(&db), 51);
    pass(&db, &mut store, HOUR);
    assert_eq!((events(&db), db.ask::<i64>("SELECT count(*) FROM spans")), (1, 0));
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM event_terms"), 2);
    assert_eq!(db.ask::<String>("SELECT group_concat(id) FROM containers"), "c0c0c0c0c000");
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM profile"), 5);
    pass(&db, &mut store, 5 * HOUR);
    assert_eq!((events(&db), db.ask::<i64>("SELECT count(*) FROM profile")), (0, 5));
    pass(&db, &mut store, 11 * HOUR);
    assert_eq!(db.ask::<i64>("SELECT (SELECT count(*) FROM profile) + (SELECT count(*) FROM containers)"), 0);
    // 51 events, one span, five containers, five rows of the profile.
    assert_eq!(db.counted("lanner_sqlite_deleted_rows"), 62);
    assert!(db.ask::<i64>("SELECT count(*) FROM marks") < 150, "marks are forgotten too");
}

/// Scenario: the wall clock jumps a day ahead, an hour back, and in small steps, before the first hour is over
/// and after it; alerts are kept for ten hours (D23).
/// Guarantee: nothing is deleted before its ten hours are over by the monotonic clock, and everything soon after.
#[test]
fn d23_a_clock_that_jumps_deletes_nothing_early() {
    const DAY: i64 = 24 * HOUR as i64;
    for settled in [0, 2] {
        for jump in [DAY, 400 * DAY, -DAY / 24, -400 * DAY, 1_000_000_000, 9_000_000_000] {
            let db = Db::new();
            let mut store = db.store(json!({"retention": {"max_age": "10h"}}));
            pass(&db, &mut store, settled * HOUR);
            assert_eq!(write(&mut store, &numbered(0, 5, 10)), Outcome::Delivered);
            pass(&db, &mut store, HOUR / 2);
            db.hands.jump(jump);
            pass(&db, &mut store, 9 * HOUR);
            assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 5, "early: {jump} after {settled} hours");
            pass(&db, &mut store, HOUR);
            assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 0, "late: {jump} after {settled} hours");
        }
    }
}

/// Scenario: two writers of one database, as during a reload, see the clock jump back by a day and forward again (D23).
/// Guarantee: ages change once and not twice: nothing goes early, and everything when its time has come.
#[test]
fn d23_two_writers_see_one_jump() {
    let db = Db::new();
    let kept = || json!({"retention": {"max_age": "10h"}});
    let (mut first, mut second) = (db.store(kept()), db.store(kept()));
    let both = |first: &mut Store, second: &mut Store, time: u64| {
        for _ in 0..time / (HOUR / 60) {
            pass(&db, first, HOUR / 60);
            while second.maintain() {}
        }
    };
    both(&mut first, &mut second, 2 * HOUR);
    assert_eq!(write(&mut first, &numbered(0, 5, 10)), Outcome::Delivered);
    both(&mut first, &mut second, HOUR / 2);
    for jump in [-24 * HOUR.cast_signed(), 24 * HOUR.cast_signed(), -24 * HOUR.cast_signed()] {
        db.hands.jump(jump);
        both(&mut first, &mut second, 3 * HOUR);
        assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 5, "early: {jump}");
    }
    both(&mut first, &mut second, HOUR);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 0);
}

/// Scenario: Lanner starts with a clock years ahead or in 1970, as a machine without a clock does, and it is put
/// right after ten minutes; alerts of the run before are an hour old.
/// Guarantee: nothing goes before its time.
#[test]
fn d23_a_wrong_clock_at_the_start_deletes_nothing_early() {
    for (name, wrong) in [("years ahead", TODAY as i64), ("1970", -(TODAY as i64) + 1)] {
        let db = Db::new();
        let mut store = db.store(json!({"retention": {"max_age": "10h"}}));
        assert_eq!(write(&mut store, &numbered(0, 5, 10)), Outcome::Delivered);
        pass(&db, &mut store, HOUR);
        store.close();
        db.hands.jump(wrong);
        let mut store = db.store(json!({"retention": {"max_age": "10h"}}));
        pass(&db, &mut store, HOUR / 6);
        assert_eq!(write(&mut store, &numbered(5, 5, 10)), Outcome::Delivered);
        db.hands.jump(-wrong);
        pass(&db, &mut store, 8 * HOUR + HOUR / 2);
        assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 10, "{name}");
        pass(&db, &mut store, HOUR / 2 + HOUR / 6);
        assert_eq!(db.ask::<i64>("SELECT min(id) FROM events"), 6, "{name}");
        pass(&db, &mut store, 2 * HOUR);
        assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 0, "{name}");
    }
}

/// Scenario: far more than `max_size_mib` of alerts and spans, over two runs.
/// Guarantee: every request is taken; the file never passes its limit; what is there is the newest, in one piece;
/// each deletion is counted.
#[test]
fn the_oldest_make_room() {
    let db = Db::new();
    let limit = 4 << 20;
    let mut written = 0;
    for _ in 0..2 {
        let mut store = db.store(json!({"retention": {"max_size_mib": 4}}));
        for _ in 0..40 {
            let logs = numbered(written, 100, 2000);
            assert_eq!(store.write(&Content::Logs(&logs), 220_000), Outcome::Delivered);
            written += 100;
            assert!(db.path().metadata().unwrap().len() <= limit);
        }
        store.close();
        assert!(db.path().metadata().unwrap().len() <= limit);
    }
    let range = db.ask::<String>("SELECT min(id) || ' ' || max(id) || ' ' || count(*) FROM events");
    let range: Vec<usize> = range.split(' ').map(|number| number.parse().unwrap()).collect();
    assert_eq!((range[1], range[2]), (written, written - range[0] + 1), "the newest, without gaps");
    assert!(range[2] > 200, "{range:?}");
    let deleted: i64 = (written - range[2]) as i64;
    assert!(db.counted("lanner_sqlite_deleted_rows") >= deleted);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM event_terms"), 2 * range[2] as i64);
    assert_eq!(db.ask::<String>("PRAGMA integrity_check"), "ok");
}

/// Scenario: a request that is larger than the whole database may be, between small ones.
/// Guarantee: it is rejected, not tried for ever, and nothing is deleted for it; the small ones are written.
#[test]
fn a_request_that_never_fits_is_rejected() {
    let db = Db::new();
    let mut store = db.store(json!({"retention": {"max_size_mib": 4}}));
    assert_eq!(write(&mut store, &numbered(0, 10, 10)), Outcome::Delivered);
    let outcome = store.write(&Content::Logs(&numbered(1000, 1000, 6000)), 6_100_000);
    assert!(matches!(&outcome, Outcome::Reject { reason } if reason.contains("max_size_mib")), "{outcome:?}");
    assert_eq!(write(&mut store, &numbered(10, 10, 10)), Outcome::Delivered);
    assert_eq!(db.ask::<i64>("SELECT count(*) FROM events"), 20);
    assert_sound(&db);
}

/// Scenario: most of a large database gets old; then nothing comes for a while.
/// Guarantee: the file gives its pages back, and the log beside it is cut to nothing.
#[test]
fn the_files_shrink() {
    let db = Db::new();
    let mut store = db.store(json!({"retention": {"max_age": "1h"}}));
    assert_eq!(write(&mut store, &numbered(0, 3000, 3000)), Outcome::Delivered);
    pass(&db, &mut store, HOUR / 60);
    let full = db.path().metadata().unwrap().len();
    assert!(full > 8 << 20, "{full}");
    assert_eq!(db.scratch.path().join("events.db-wal").metadata().unwrap().len(), 0);
    pass(&db, &mut store, 2 * HOUR);
    let small = db.path().metadata().unwrap().len();
    assert!(small < full / 2, "{small}");
}
