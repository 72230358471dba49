//! Room: who gets it, and what happens at its end.

use super::support::open;
use crate::{
    error::{AppendError, Full, TooLarge},
    fs::simulated::Simulated,
    index::Limits,
    log::Log,
    options::{BadOptions, Options, Policy, QueueOptions},
};
use bytes::Bytes;
use std::sync::Arc;

fn options() -> Options {
    Options { segment_bytes: 8192, max_bytes: 12 * 8192, hot_bytes: 4096, read_ahead: 2048, ..Options::default() }
}

fn entry(id: usize) -> Bytes {
    [format!("{id:06}").into_bytes(), vec![b'.'; 500]].concat().into()
}

fn number(bytes: &Bytes) -> usize {
    std::str::from_utf8(&bytes[..6]).unwrap().parse().unwrap()
}

/// Scenario: one queue is never drained and gets every twentieth entry; another, which gets all of them, is drained;
/// so far more goes through the log than it may hold, and every segment keeps a little of the stuck queue.
/// Guarantee: nobody waits or is refused; the files stay within the budget; the stuck entries are moved and written
/// little more than once more; they are all there in the end, in order, also after a restart.
#[test]
fn a_stuck_queue_keeps_only_what_is_its_own() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let (busy, stuck) = (core.declare("busy", QueueOptions::default()), core.declare("stuck", QueueOptions::default()));
    let count = 1500;
    for id in 0..count {
        let both = [(busy, entry(id)), (stuck, entry(id))];
        core.append(if id % 20 == 0 { &both } else { &both[..1] }, &[]).unwrap();
        assert_eq!(core.drain(busy).iter().map(number).collect::<Vec<_>>(), [id]);
        assert!(fs.used() <= options().max_bytes, "{} bytes after {id}", fs.used());
    }
    let stats = core.stats();
    let appended = (count * 600) as u64;
    assert!(stats.counts.spilled_entries > 60, "{}", stats.counts.spilled_entries);
    assert!(stats.counts.written_bytes < appended * 3 / 2, "{} for {appended}", stats.counts.written_bytes);
    assert!(stats.files < 50, "{} files", stats.files);
    core.writer.close();
    let mut core = open(&fs, &options());
    let stuck = core.declare("stuck", QueueOptions::default());
    assert_eq!(core.drain(stuck).iter().map(number).collect::<Vec<_>>(), (0..count).step_by(20).collect::<Vec<_>>());
}

/// Scenario: a queue that rejects, and one that holds, fill the log.
/// Guarantee: the refusal says what is full and whether waiting helps, changes nothing, and room that is freed can be
/// used at once.
#[test]
fn a_full_log_refuses_until_there_is_room() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let reject = core.declare("reject", QueueOptions { policy: Policy::Reject, ..QueueOptions::default() });
    let hold = core.declare("hold", QueueOptions::default());
    let mut count = 0;
    let full = loop {
        match core.put(hold, entry(count)) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&full, AppendError::Full(Full { holds: true, queue, .. }) if &**queue == "hold"), "{full}");
    // Seven of the twelve segments are for live entries.
    assert!((90..=98).contains(&count), "{count}");
    let before = core.stats();
    assert!(matches!(core.put(reject, entry(0)), Err(AppendError::Full(Full { holds: false, .. }))));
    let both = [(hold, entry(0)), (reject, entry(0))];
    assert!(matches!(core.append(&both, &[]), Err(AppendError::Full(Full { holds: false, .. }))));
    let after = core.stats();
    assert_eq!((after.queues[hold].entries, after.queues[reject].entries), (count as u64, 0));
    assert_eq!(before.queues[hold].bytes, after.queues[hold].bytes);
    assert_eq!(after.queues[reject].counts.refused, 2);
    let first = core.take(hold, Limits { entries: 2, bytes: 0 }).unwrap();
    first.iter().for_each(|item| core.index.lock().settle(hold, item.offset));
    core.put(reject, entry(0)).unwrap();
}

/// Scenario: a queue with a share of its own drops its oldest entries, some of which are in flight.
/// Guarantee: the share holds; what was dropped is counted to the entry and the byte; what is in flight stays; the
/// newest are there, and what was dropped does not come back.
#[test]
fn drop_oldest_counts_what_it_drops() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let share = QueueOptions { policy: Policy::DropOldest, max_bytes: 12_000, ..QueueOptions::default() };
    let slot = core.declare("dead-letters", share.clone());
    let mut held = Vec::new();
    for id in 0..200 {
        core.put(slot, entry(id)).unwrap();
        if id == 10 {
            held = core.take(slot, Limits { entries: 3, bytes: 0 }).unwrap();
        }
        let queue = &core.stats().queues[slot];
        assert!(queue.bytes <= share.max_bytes, "{}", queue.bytes);
        assert_eq!(queue.entries + queue.counts.dropped, id as u64 + 1);
    }
    let queue = core.stats().queues[slot].clone();
    let each = queue.bytes / queue.entries;
    assert_eq!(queue.counts.dropped_bytes, queue.counts.dropped * each);
    for item in &held {
        core.index.lock().settle(slot, item.offset);
    }
    core.writer.close();
    let mut core = open(&fs, &options());
    let slot = core.declare("dead-letters", share);
    let left: Vec<usize> = core.drain(slot).iter().map(number).collect();
    assert_eq!(left.len() as u64, queue.entries - 3);
    assert_eq!(left, (200 - left.len()..200).collect::<Vec<_>>(), "the newest");
}

/// Scenario: dead letters without a share fill the log, then a queue that holds needs room.
/// Guarantee: the oldest dead letters give way, counted; the queue that holds loses nothing and does not wait.
#[test]
fn a_queue_that_drops_gives_way_to_others() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let letters = core.declare("letters", QueueOptions { policy: Policy::DropOldest, ..QueueOptions::default() });
    let hold = core.declare("hold", QueueOptions::default());
    for id in 0..150 {
        core.put(letters, entry(id)).unwrap();
    }
    let before = core.stats().queues[letters].clone();
    assert!(before.counts.dropped > 0);
    for id in 0..50 {
        core.put(hold, entry(id)).unwrap();
        assert!(fs.used() <= options().max_bytes);
    }
    let after = core.stats().queues[letters].clone();
    assert!(after.counts.dropped > before.counts.dropped + 40);
    assert_eq!(after.counts.dropped + after.entries, 150);
    assert_eq!(core.drain(hold).iter().map(number).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
}

/// Scenario: an append that is larger than a segment holds, or than its queue's share.
/// Guarantee: it is refused as too large, with the limit, instead of waiting for ever; the largest that fits goes in.
#[test]
fn what_never_fits_is_refused_at_once() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let wide = core.declare("wide", QueueOptions::default());
    let narrow = core.declare("narrow", QueueOptions { max_bytes: 1000, ..QueueOptions::default() });
    assert!(matches!(core.put(wide, vec![0; 8192]), Err(AppendError::TooLarge(TooLarge { limit: 7168, .. }))));
    assert!(matches!(core.put(narrow, vec![0; 1000]), Err(AppendError::TooLarge(TooLarge { limit: 1000, .. }))));
    let largest = 7168 - 80 - "wide".len();
    core.put(wide, vec![7; largest]).unwrap();
    assert!(core.put(wide, vec![7; largest + 1]).is_err());
    assert_eq!(core.drain(wide), [Bytes::from(vec![7; largest])]);
}

/// Scenario: more is taken than may be in flight.
/// Guarantee: nothing more is handed out until something is settled.
#[test]
fn entries_in_flight_are_bounded() {
    let mut core = open(&Simulated::new(), &options());
    let slot = core.declare("a", QueueOptions { max_in_flight: 3, ..QueueOptions::default() });
    for id in 0..10 {
        core.put(slot, entry(id)).unwrap();
    }
    let taken = core.take(slot, Limits::default()).unwrap();
    assert_eq!(taken.len(), 3);
    assert!(core.take(slot, Limits::default()).unwrap().is_empty());
    core.index.lock().settle(slot, taken[1].offset);
    assert_eq!(number(&core.take(slot, Limits::default()).unwrap()[0].payload), 3);
}

/// Scenario: 20 000 entries wait in a log whose memory is bounded to a few kilobytes.
/// Guarantee: what memory holds of payloads stays below the bounds; the index has a step for many entries, not one each.
#[test]
fn memory_does_not_grow_with_what_waits() {
    let options =
        Options { segment_bytes: 1 << 20, max_bytes: 16 << 20, hot_bytes: 8192, read_ahead: 4096, ..options() };
    let mut core = open(&Simulated::new(), &options);
    let slot = core.declare("a", QueueOptions::default());
    for batch in 0..200 {
        let puts: Vec<_> = (0..100).map(|id| (slot, entry(batch * 100 + id).slice(..60))).collect();
        core.append(&puts, &[]).unwrap();
    }
    let most = 8192 + 4096 + 100 * 60;
    let mut seen = 0;
    loop {
        let items = core.take(slot, Limits { entries: 7, bytes: 0 }).unwrap();
        let index = core.index.lock();
        assert!(index.held_bytes() <= most, "{}", index.held_bytes());
        assert!(index.queues[slot].spans.len() <= 20_000 / 10);
        drop(index);
        if items.is_empty() {
            break;
        }
        for item in items {
            assert_eq!(number(&item.payload), seen);
            seen += 1;
            core.index.lock().settle(slot, item.offset);
        }
    }
    assert_eq!(seen, 20_000);
}

/// Scenario: options that contradict themselves, and names that cannot be written.
/// Guarantee: each is refused before anything is made, with a remedy.
#[test]
fn bad_options_say_what_to_write() {
    let bad = Options { max_bytes: 1 << 20, ..Options::default() };
    let error = Log::start(Arc::new(Simulated::new()), bad).err().unwrap();
    assert!(error.to_string().contains("use at least 268435456"), "{error}");
    let core = open(&Simulated::new(), &options());
    let mut index = core.index.lock();
    let long = "x".repeat(256);
    assert_eq!(index.declare(&long, QueueOptions::default()), Err(BadOptions::Name(long.clone())));
    assert_eq!(index.declare("", QueueOptions::default()), Err(BadOptions::Name(String::new())));
    let none = QueueOptions { max_in_flight: 0, ..QueueOptions::default() };
    assert_eq!(index.declare("a", none), Err(BadOptions::InFlight(0)));
    for count in 0..crate::options::MAX_QUEUES {
        index.declare(&format!("q{count}"), QueueOptions::default()).unwrap();
    }
    assert_eq!(index.declare("one more", QueueOptions::default()), Err(BadOptions::TooManyQueues));
}
