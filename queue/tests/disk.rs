//! A disk that is full or fails (D5, D6).

use super::support::open;
use crate::{
    error::AppendError,
    fs::{
        Fs,
        simulated::{Fault, Simulated, Stop},
    },
    options::{Options, QueueOptions},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;

fn options() -> Options {
    Options { segment_bytes: 4096, max_bytes: 32 * 4096, ..Options::default() }
}

fn numbered(id: usize) -> Bytes {
    [format!("{id:04}").into_bytes(), vec![b'.'; 296]].concat().into()
}

/// Scenario: the disk fills up, stays full, and is freed by somebody (D5).
/// Guarantee: appends are refused as out of space and nothing acknowledged is lost; the first append after that works.
#[test]
fn d5_a_full_disk_refuses_and_recovers() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    fs.limit(6 * 4096);
    let mut confirmed = Vec::new();
    let error = (0..)
        .find_map(|id| match core.put(slot, numbered(id)) {
            Ok(()) => {
                confirmed.push(numbered(id));
                None
            }
            Err(error) => Some(error),
        })
        .unwrap();
    assert!(matches!(&error, AppendError::Disk(disk) if disk.is_out_of_space()), "{error}");
    for _ in 0..20 {
        assert!(core.put(slot, "refused").is_err());
    }
    let files = core.stats().files;
    assert_eq!(fs.names().unwrap().len(), files + 1, "attempts leave nothing behind");
    fs.limit(u64::MAX);
    core.put(slot, "after").unwrap();
    confirmed.push("after".into());
    let mut restarted = open(&fs.after(Stop::Power(1)), &options());
    let again = restarted.declare("a", QueueOptions::default());
    assert_eq!(restarted.drain(again), confirmed);
    assert_eq!(core.drain(slot), confirmed);
}

/// Scenario: the log itself has filled the disk; the sink comes back and everything is settled (D5).
/// Guarantee: the acknowledgements find room, files are deleted, and appends work again without help.
#[test]
fn d5_a_disk_that_the_log_has_filled_is_freed_by_settling() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    fs.limit(6 * 4096);
    while core.put(slot, numbered(1)).is_ok() {}
    assert!(core.put(slot, vec![0; 2000]).is_err());
    for _ in 0..30 {
        // Time goes by while the disk is full; that must not eat what is kept for this moment.
        let item = core.take(slot, crate::index::Limits { entries: 1, bytes: 0 }).unwrap().remove(0);
        core.index.lock().settle(slot, item.offset);
        let _ = core.writer.write_acknowledgements();
    }
    core.drain(slot);
    core.writer.reclaim().unwrap();
    core.put(slot, vec![0; 2000]).unwrap();
    let mut restarted = open(&fs.after(Stop::Power(3)), &options());
    let again = restarted.declare("a", QueueOptions::default());
    assert_eq!(restarted.drain(again), [Bytes::from(vec![0; 2000])]);
}

/// Scenario: a sync fails once (D6).
/// Guarantee: everybody who waited for it is refused; that file is never synced again; the next append goes to a new
/// file; what was confirmed before stays, what was refused is not handed out, and the failure is counted.
#[test]
fn d6_a_failed_sync_ends_the_segment() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    core.put(slot, "before").unwrap();
    let seen: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let log = Arc::clone(&seen);
    fs.plan(move |_, kind| {
        let mut seen = log.lock();
        seen.push(kind);
        (kind == "sync" && seen.iter().filter(|kind| **kind == "sync").count() == 1).then_some(Fault::Error)
    });
    let error = core.put(slot, "refused").unwrap_err();
    assert!(matches!(&error, AppendError::Disk(disk) if disk.what == "sync the segment"), "{error}");
    assert_eq!(*seen.lock(), ["write", "sync", "truncate"], "no second sync");
    core.put(slot, "after").unwrap();
    let stats = core.stats();
    assert_eq!((stats.counts.write_errors, stats.counts.failed_appends, stats.files), (1, 1, 2));
    for stop in [Stop::Process, Stop::Power(0), Stop::Power(1), Stop::Power(2)] {
        let mut restarted = open(&fs.after(stop), &options());
        let again = restarted.declare("a", QueueOptions::default());
        assert_eq!(restarted.drain(again), ["before", "after"], "{stop:?}");
        assert_eq!(restarted.found.lost_entries, 0);
    }
    assert_eq!(core.drain(slot), ["before", "after"]);
}

/// Scenario: a sync fails, and the segment cannot be cut either, so that pieces of what was refused stay in the file.
/// Guarantee: the next segment says where that one ends; the pieces are neither handed out nor taken for damage.
#[test]
fn d6_what_was_refused_is_no_damage() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    core.put(slot, "before").unwrap();
    fs.plan(|index, kind| (kind == "truncate" || (kind == "sync" && index < 2)).then_some(Fault::Error));
    let refused: Vec<_> = (0..5).map(|id| (slot, numbered(id))).collect();
    assert!(core.append(&refused, &[]).is_err());
    core.put(slot, "after").unwrap();
    let (mut pieces, name) = (0, "0000000000000000.segment");
    for seed in 0..20 {
        let after = fs.after(Stop::Power(seed));
        pieces += usize::from(after.contents(name).iter().filter(|byte| **byte == b'.').count() > 0);
        let mut restarted = open(&after, &options());
        let found = restarted.found.clone();
        assert_eq!((found.corrupt_records, found.torn_bytes, found.lost_entries), (0, 0, 0), "{seed}: {found:?}");
        let again = restarted.declare("a", QueueOptions::default());
        assert_eq!(restarted.drain(again), ["before", "after"], "{seed}");
    }
    assert!(pieces > 0, "some of what was refused was on disk");
}

/// Scenario: a new segment fails after its header was written, and cannot be removed, so that it may be there after a
/// crash and say that the old one ended.
/// Guarantee: the old one has ended: what is confirmed later is found.
#[test]
fn d6_a_segment_that_failed_half_way_does_not_hide_another() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    core.put(slot, "before").unwrap();
    fs.plan(|_, kind| matches!(kind, "sync" | "remove").then_some(Fault::Error));
    assert!(core.put(slot, vec![0; 3500]).is_err(), "it needs a new segment");
    fs.plan(|_, _| None);
    core.put(slot, "small enough for the old one").unwrap();
    for stop in [Stop::Process, Stop::Power(0), Stop::Power(1), Stop::Power(2)] {
        let mut restarted = open(&fs.after(stop), &options());
        let again = restarted.declare("a", QueueOptions::default());
        assert_eq!(restarted.drain(again), ["before", "small enough for the old one"], "{stop:?}");
    }
}

/// Scenario: something is settled, then a new segment cannot be made, and the acknowledgements go to the old one.
/// Guarantee: all of them are on disk once that is reported.
#[test]
fn d5_acknowledgements_survive_a_failed_rotation() {
    for fault in ["allocate", "write", "sync"] {
        let fs = Simulated::new();
        let mut core = open(&fs, &options());
        let slot = core.declare("a", QueueOptions::default());
        core.put(slot, "one").unwrap();
        core.put(slot, "two").unwrap();
        let item = core.take(slot, crate::index::Limits { entries: 1, bytes: 0 }).unwrap().remove(0);
        core.index.lock().settle(slot, item.offset);
        fs.plan(move |index, kind| (kind == fault && index < 4).then_some(Fault::Error));
        assert!(core.put(slot, vec![0; 3500]).is_err());
        core.writer.write_acknowledgements().unwrap();
        assert_eq!(core.stats().files, 1, "in the old segment");
        let mut restarted = open(&fs.after(Stop::Power(5)), &options());
        let again = restarted.declare("a", QueueOptions::default());
        assert_eq!(restarted.drain(again), ["two"], "{fault}");
    }
}

/// Scenario: every sync and every write fails, for a long time (D6).
/// Guarantee: every append is refused, files do not pile up, what is on disk can be read, and when the disk is well
/// again so is the log.
#[test]
fn d6_a_dead_disk_refuses_everything() {
    for fault in ["sync", "write", "create", "allocate"] {
        let fs = Simulated::new();
        let mut core = open(&fs, &Options { hot_bytes: 0, ..options() });
        let slot = core.declare("a", QueueOptions::default());
        core.put(slot, "before").unwrap();
        fs.plan(move |_, kind| (kind == fault).then_some(Fault::Error));
        // The first are large enough to need a new segment.
        for _ in 0..20 {
            assert!(core.put(slot, vec![0; 3500]).is_err(), "{fault}");
        }
        assert_eq!(core.take(slot, Default::default()).unwrap()[0].payload, "before");
        fs.plan(|_, _| None);
        core.put(slot, "after").unwrap();
        assert!(fs.names().unwrap().len() <= 4, "{fault}: {:?}", fs.names());
        assert_eq!(core.drain(slot), ["after"]);
    }
}

/// Scenario: a segment cannot be read for a while.
/// Guarantee: the read fails, nothing is counted as lost, and a later read has everything.
#[test]
fn a_read_error_loses_nothing() {
    let fs = Simulated::new();
    let mut core = open(&fs, &Options { hot_bytes: 0, ..options() });
    let slot = core.declare("a", QueueOptions::default());
    let all: Vec<Bytes> = (0..40).map(numbered).collect();
    for entry in &all {
        core.put(slot, entry.clone()).unwrap();
    }
    fs.plan(|_, kind| (kind == "read").then_some(Fault::Error));
    assert!(core.take(slot, Default::default()).is_err());
    fs.plan(|_, kind| (kind == "open").then_some(Fault::Error));
    assert!(core.take(slot, Default::default()).is_err());
    fs.plan(|index, kind| (kind == "read" && index % 2 == 0).then_some(Fault::Interrupted));
    assert_eq!(core.drain(slot), all);
    assert_eq!(core.stats().queues[slot].counts.lost, 0);
}
