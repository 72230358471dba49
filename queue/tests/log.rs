//! A log in use, with its threads.

use crate::{
    error::AppendError,
    fs::{
        Fs,
        simulated::{Fault, Simulated, Stop},
    },
    index::Limits,
    log::{Append, Entry, Log, Queue},
    options::{Options, Policy, QueueOptions},
};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

fn options() -> Options {
    Options { segment_bytes: 64 << 10, max_bytes: 16 * (64 << 10), ..Options::default() }
}

fn start(fs: &Simulated, options: Options) -> Log {
    Log::start(Arc::new(fs.clone()) as Arc<dyn Fs>, options).unwrap().0
}

fn queue(log: &Log, name: &str) -> Queue {
    log.queue(name, QueueOptions::default()).unwrap()
}

async fn put(log: &Log, queue: &Queue, payload: impl Into<Bytes>) -> Result<(), AppendError> {
    log.append(Append::new().put(queue, payload.into())).await
}

/// Polls until it is so, at most for ten seconds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Scenario: 64 writers append while a sync is under way.
/// Guarantee: they share one sync, and each is answered only when that is done.
#[tokio::test]
async fn those_who_wait_share_a_sync() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    let a = queue(&log, "a");
    put(&log, &a, "first").await.unwrap();
    let before = log.stats().counts.syncs.count;
    fs.hold_syncs();
    let writers: Vec<_> = (0..64)
        .map(|id| {
            let (log, a) = (log.clone(), a.clone());
            tokio::spawn(async move { put(&log, &a, format!("entry {id}")).await })
        })
        .collect();
    // The first is in the sync that is held, all others wait behind it.
    until("all are waiting", || log.pending_appends() == 64).await;
    assert!(writers.iter().all(|writer| !writer.is_finished()));
    assert_eq!(log.stats().queues[0].entries, 1, "nothing is handed out before it is synced");
    fs.let_syncs_go();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let syncs = log.stats().counts.syncs.count - before;
    assert!((1..=2).contains(&syncs), "{syncs} syncs for 64 appends");
    log.close().await;
}

/// Scenario: callers go away while their appends are being synced.
/// Guarantee: each append is in the log as a whole; the room they reserved is accounted for.
#[tokio::test]
async fn a_dropped_append_is_whole_or_absent() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    put(&log, &a, "first").await.unwrap();
    fs.hold_syncs();
    for id in 0..10 {
        let bytes = Bytes::from(format!("entry {id}"));
        let append = log.append(Append::new().put(&a, bytes.clone()).put(&b, bytes));
        let cut = tokio::time::timeout(Duration::from_millis(2), append).await;
        assert!(cut.is_err());
    }
    fs.let_syncs_go();
    put(&log, &a, "last").await.unwrap();
    let (of_a, of_b) = (a.take(Limits::default()), b.take(Limits::default()));
    assert_eq!((of_a.len(), of_b.len()), (12, 10));
    assert!(of_a.iter().skip(1).zip(&of_b).all(|(one, other)| one.payload() == other.payload()));
    of_a.into_iter().chain(of_b).for_each(|entry| entry.settle());
    let stats = log.stats();
    assert!(stats.queues.iter().all(|queue| queue.entries == 0 && queue.bytes == 0));
    log.close().await;
}

/// Scenario: the log is full, and several appends are held; one caller gives up, the others wait.
/// Guarantee: nothing is refused; each settled entry lets appends in; who gave up has left nothing.
#[tokio::test]
async fn held_appends_go_on_when_there_is_room() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    let a = log.queue("a", QueueOptions { max_bytes: 3300, ..QueueOptions::default() }).unwrap();
    for _ in 0..3 {
        put(&log, &a, vec![1; 1000]).await.unwrap();
    }
    let given_up = tokio::time::timeout(Duration::from_millis(5), put(&log, &a, vec![9; 1000])).await;
    assert!(given_up.is_err());
    let held: Vec<_> = (0..3)
        .map(|_| {
            let (log, a) = (log.clone(), a.clone());
            tokio::spawn(async move { put(&log, &a, vec![2; 1000]).await })
        })
        .collect();
    for expected in [1, 1, 1, 2, 2, 2] {
        a.arrived().await;
        let entry = a.take(Limits { entries: 1, bytes: 0 }).remove(0);
        assert_eq!(entry.payload(), vec![expected; 1000]);
        entry.settle();
    }
    for writer in held {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(a.stats().counts.refused, 0);
    log.close().await;
}

/// Scenario: entries of two queues of one log and of another log are settled together, in mixed order; one of the queues has as many
/// in flight as it may.
/// Guarantee: all are settled, each where it belongs, and whoever waits for room in flight goes on.
#[tokio::test]
async fn what_is_settled_together_is_settled_where_it_belongs() {
    let (log, other) = (start(&Simulated::new(), options()), start(&Simulated::new(), options()));
    let a = log.queue("a", QueueOptions { max_in_flight: 2, ..QueueOptions::default() }).unwrap();
    let (b, c) = (queue(&log, "b"), queue(&other, "a"));
    for (log, queue) in [(&log, &a), (&log, &a), (&log, &a), (&log, &b), (&log, &b), (&other, &c), (&other, &c)] {
        put(log, queue, "entry").await.unwrap();
    }
    let mut entries = Vec::new();
    for queue in [&a, &b, &c] {
        queue.arrived().await;
        entries.extend(queue.take(Limits::default()));
    }
    assert_eq!(entries.len(), 6);
    for (one, another) in [(0, 4), (1, 5), (2, 3)] {
        entries.swap(one, another);
    }
    let more = tokio::spawn({
        let a = a.clone();
        async move { a.arrived().await }
    });
    tokio::task::yield_now().await;
    assert!(!more.is_finished());
    Entry::settle_all(entries);
    more.await.unwrap();
    Entry::settle_all(a.take(Limits::default()));
    let stats = [a.stats(), b.stats(), c.stats()].map(|stats| (stats.entries, stats.in_flight, stats.counts.settled));
    assert_eq!(stats, [(0, 0, 3), (0, 0, 2), (0, 0, 2)]);
    log.close().await;
    other.close().await;
}

/// Scenario: an entry is taken and the sender fails; another takes it, and the process ends before it settles.
/// Guarantee: it comes again each time, before those behind it, and after the restart as well.
#[tokio::test]
async fn what_is_not_settled_comes_again() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    let a = queue(&log, "a");
    for text in ["one", "two", "three"] {
        put(&log, &a, text).await.unwrap();
    }
    let mut first = a.take(Limits { entries: 2, bytes: 0 });
    first.remove(1).settle();
    assert_eq!(a.stats().in_flight, 1);
    drop(first);
    let again = a.take(Limits::default());
    assert_eq!(again.iter().map(|entry| entry.payload()).collect::<Vec<_>>(), ["one", "three"]);
    log.close().await;
    drop(again);
    let log = start(&fs, options());
    let a = queue(&log, "a");
    a.arrived().await;
    let texts: Vec<Bytes> = a.take(Limits::default()).iter().map(|entry| entry.payload()).collect();
    assert_eq!(texts, ["one", "three"]);
}

/// Scenario: a rejected entry moves to the dead letters, and the power goes at every operation of that move.
/// Guarantee: it is in one of the two queues, never in both and never in none.
#[tokio::test]
async fn a_dead_letter_is_in_one_queue() {
    let mut at = 0;
    loop {
        let fs = Simulated::new();
        let log = start(&fs, options());
        let (sink, letters) = (queue(&log, "sink"), queue(&log, "letters"));
        put(&log, &sink, "poison").await.unwrap();
        let entry = sink.take(Limits::default()).remove(0);
        fs.plan(move |index, _| (index == at).then_some(Fault::Stop));
        let moved = log.append(Append::new().put(&letters, entry.payload()).settle(entry)).await;
        let done = !fs.stopped();
        assert_eq!(moved.is_ok(), done);
        assert_eq!(sink.stats().entries + letters.stats().entries, 1);
        log.close().await;
        for stop in [Stop::Process, Stop::Power(1), Stop::Power(2), Stop::Power(3)] {
            let log = start(&fs.after(stop), options());
            let (sink, letters) = (queue(&log, "sink"), queue(&log, "letters"));
            let both = (sink.stats().entries, letters.stats().entries);
            assert!(both == (0, 1) || (both == (1, 0) && !done), "{both:?} when stopped at {at}, {stop:?}");
            log.close().await;
        }
        if done {
            return assert!(at >= 2);
        }
        at += 1;
    }
}

/// Scenario: a sync takes long (D7), and a sender that has fallen behind reads from disk meanwhile.
/// Guarantee: the sender gets everything; only the append waits.
#[tokio::test]
async fn d7_a_slow_sync_does_not_stop_senders() {
    let fs = Simulated::new();
    let log = start(&fs, Options { hot_bytes: 0, read_ahead: 1000, ..options() });
    let a = queue(&log, "a");
    for id in 0..100 {
        put(&log, &a, format!("{id}")).await.unwrap();
    }
    fs.hold_syncs();
    let slow = tokio::spawn({
        let (log, a) = (log.clone(), a.clone());
        async move { put(&log, &a, "slow").await }
    });
    until("the sync is under way", || log.pending_appends() == 1).await;
    let mut seen = 0;
    while seen < 100 {
        a.arrived().await;
        for entry in a.take(Limits::default()) {
            assert_eq!(entry.payload(), format!("{seen}"));
            seen += 1;
            entry.settle();
        }
    }
    assert!(!slow.is_finished());
    fs.let_syncs_go();
    slow.await.unwrap().unwrap();
    log.close().await;
}

/// Scenario: entries are settled and nothing else happens.
/// Guarantee: after the interval that is on disk without another append, and a dead segment is deleted.
#[tokio::test]
async fn acknowledgements_reach_the_disk_by_themselves() {
    let fs = Simulated::new();
    let log = start(&fs, Options { ack_interval: Duration::from_millis(5), ..options() });
    let a = queue(&log, "a");
    for _ in 0..3 {
        put(&log, &a, vec![0; 50_000]).await.unwrap();
    }
    assert_eq!(log.stats().files, 3);
    a.take(Limits::default()).into_iter().for_each(|entry| entry.settle());
    until("dead segments are deleted", || log.stats().files == 1).await;
    until("acknowledgements are written", || {
        let copy = super::support::open(&fs.after(Stop::Power(7)), &options());
        copy.found.entries == 0
    })
    .await;
    log.close().await;
}

/// Scenario: a read fails for a moment while a sender waits.
/// Guarantee: the sender gets its entries without asking again.
#[tokio::test]
async fn a_sender_survives_a_read_error() {
    let fs = Simulated::new();
    let log = start(&fs, Options { hot_bytes: 0, ..options() });
    let a = queue(&log, "a");
    put(&log, &a, "entry").await.unwrap();
    fs.plan(|index, _| (index == 0).then_some(Fault::Error));
    tokio::time::timeout(Duration::from_secs(10), a.arrived()).await.unwrap();
    assert_eq!(a.take(Limits::default())[0].payload(), "entry");
    assert_eq!(log.stats().counts.read_errors, 1);
    log.close().await;
}

/// Scenario: an append that settles an entry is refused by the disk, then because it never fits; then one is written.
/// Guarantee: the entry comes back each time, still taken, and in the end is in the other queue alone.
#[tokio::test]
async fn a_refused_append_gives_its_entries_back() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    let (a, letters) = (queue(&log, "a"), queue(&log, "letters"));
    put(&log, &a, "entry").await.unwrap();
    let entry = a.take(Limits::default()).remove(0);
    fs.plan(|_, kind| (kind == "sync").then_some(Fault::Error));
    let admitted = log.admit(Append::new().put(&letters, "letter".into()).settle(entry)).ok().unwrap();
    let (error, mut entries) = admitted.write_or_return().await.unwrap_err();
    assert!(matches!(error, AppendError::Disk(_)) && entries.len() == 1, "{error}");
    fs.plan(|_, _| None);
    let too_large = Append::new().put(&letters, vec![0; 1 << 24].into()).settle(entries.remove(0));
    let (error, append) = log.admit(too_large).err().unwrap();
    assert!(matches!(error, AppendError::TooLarge(_)), "{error}");
    let entry = append.into_entries().remove(0);
    assert!(a.take(Limits::default()).is_empty() && a.stats().in_flight == 1);
    let admitted = log.admit(Append::new().put(&letters, "letter".into()).settle(entry)).ok().unwrap();
    assert!(admitted.write_or_return().await.is_ok());
    assert_eq!((a.stats().entries, letters.stats().entries), (0, 1));
    log.close().await;
}

/// Scenario: a queue is used in one run, not in the next, and again in the third (D17).
/// Guarantee: its entries are kept and listed as nobody's, and are there when it comes back.
#[tokio::test]
async fn d17_an_orphan_is_kept() {
    let fs = Simulated::new();
    let log = start(&fs, options());
    put(&log, &queue(&log, "renamed"), "kept").await.unwrap();
    log.close().await;
    let log = start(&fs, options());
    for _ in 0..40 {
        put(&log, &queue(&log, "other"), vec![0; 50_000]).await.unwrap();
        queue(&log, "other").take(Limits::default()).into_iter().for_each(|entry| entry.settle());
    }
    let orphan = log.stats().queues.into_iter().find(|queue| &*queue.name == "renamed").unwrap();
    assert!(!orphan.declared && orphan.entries == 1 && orphan.oldest.is_some());
    log.close().await;
    let log = start(&fs, options());
    let renamed = queue(&log, "renamed");
    renamed.arrived().await;
    assert_eq!(renamed.take(Limits::default())[0].payload(), "kept");
}

/// Scenario: the log is closed while callers still have it.
/// Guarantee: what they try is refused as closed; closing twice returns.
#[tokio::test]
async fn a_closed_log_says_so() {
    let log = start(&Simulated::new(), options());
    let a = log.queue("a", QueueOptions { policy: Policy::Reject, ..QueueOptions::default() }).unwrap();
    log.close().await;
    log.close().await;
    assert!(matches!(put(&log, &a, "late").await, Err(AppendError::Closed)));
    assert_eq!(a.stats().bytes, 0);
    for _ in 0..100 {
        // Refused appends give their room back, or this would fill the log.
        assert!(matches!(put(&log, &a, vec![0; 50_000]).await, Err(AppendError::Closed)));
    }
}

/// Scenario: four writers feed three queues in a log of small segments with nothing hot; one sender is fast, one gives
/// every third entry back, one begins when the writers are done; so entries are read, moved to spills and deleted at
/// the same time.
/// Guarantee: every queue gets every entry of its own, in order, settled once; nothing is lost or left; the budget holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn senders_and_spills_do_not_disturb_each_other() {
    const COUNT: u32 = 3000;
    let small = Options { segment_bytes: 8192, max_bytes: 24 * 8192, hot_bytes: 0, read_ahead: 700, ..options() };
    let fs = Simulated::new();
    let log = start(&fs, Options { ack_interval: Duration::from_millis(2), ..small });
    let (fast, fussy, late) = (queue(&log, "fast"), queue(&log, "fussy"), queue(&log, "late"));
    let next = Arc::new(AtomicU32::new(0));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (log, next) = (log.clone(), Arc::clone(&next));
            let (fast, fussy, late) = (fast.clone(), fussy.clone(), late.clone());
            tokio::spawn(async move {
                loop {
                    let id = next.fetch_add(1, Relaxed);
                    if id >= COUNT {
                        return;
                    }
                    let bytes = Bytes::from([&id.to_le_bytes()[..], &vec![7; id as usize % 400]].concat());
                    let mut append = Append::new().put(&fast, bytes.clone());
                    if id % 3 == 0 {
                        append = append.put(&fussy, bytes.clone());
                    }
                    if id % 20 == 0 {
                        append = append.put(&late, bytes);
                    }
                    log.append(append).await.unwrap();
                }
            })
        })
        .collect();
    let eager = tokio::spawn(drained(fast, COUNT as usize, false));
    let fussy = tokio::spawn(drained(fussy, COUNT as usize / 3, true));
    for writer in writers {
        writer.await.unwrap();
    }
    let late = drained(late, COUNT as usize / 20, false).await;
    let all = [(eager.await.unwrap(), 1), (fussy.await.unwrap(), 3), (late, 20)];
    for (mut ids, step) in all {
        ids.sort_unstable();
        assert_eq!(ids, (0..COUNT).step_by(step).collect::<Vec<_>>());
    }
    let stats = log.stats();
    assert!(stats.counts.spilled_entries > 0 && stats.disk_bytes <= stats.max_bytes, "{stats:?}");
    assert!(stats.queues.iter().all(|queue| queue.entries == 0 && queue.counts.lost == 0), "{stats:?}");
    assert_eq!((stats.counts.read_errors, stats.counts.corrupt_records), (0, 0));
    log.close().await;
}

/// Takes and settles so many entries and returns their ids; a fussy sender gives every third back at first.
async fn drained(queue: Queue, count: usize, fussy: bool) -> Vec<u32> {
    let (mut ids, mut last, mut taken) = (Vec::new(), None, 0);
    while ids.len() < count {
        queue.arrived().await;
        for entry in queue.take(Limits { entries: 1, bytes: 0 }) {
            taken += 1;
            assert!(last < Some(entry.offset()), "in order, each once");
            if fussy && taken % 3 == 0 {
                continue;
            }
            last = Some(entry.offset());
            ids.push(u32::from_le_bytes(*entry.payload().first_chunk().unwrap()));
            entry.settle();
        }
    }
    ids
}
