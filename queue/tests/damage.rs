//! Files that are not as they were written (D4, D18).

use super::{model, support::open};
use crate::{
    core::Core,
    error::OpenError,
    format::segment,
    fs::{Fs, simulated::Simulated},
    index::Limits,
    options::{Options, QueueOptions},
    recovery::Access,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

const COUNT: usize = 34;

fn options() -> Options {
    // Everything comes from disk.
    Options { hot_bytes: 0, ..model::options() }
}

/// Two queues, the even entries in both, over several segments, ended in good order; the first three are done.
fn written() -> Simulated {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let (a, b) = (core.declare("a", QueueOptions::default()), core.declare("b", QueueOptions::default()));
    for id in 0..COUNT {
        let bytes = model::payload(id, 120 + id * 7);
        let both = [(a, bytes.clone()), (b, bytes)];
        core.append(if id % 2 == 0 { &both } else { &both[..1] }, &[]).unwrap();
    }
    for item in core.take(a, Limits { entries: 3, bytes: 0 }).unwrap() {
        core.index.lock().settle(a, item.offset);
    }
    core.writer.close();
    fs
}

fn ids(core: &mut Core, queue: &str) -> BTreeSet<usize> {
    let slot = core.declare(queue, QueueOptions::default());
    let drained = core.drain(slot);
    let ids: Vec<usize> = drained.iter().map(|bytes| model::id(bytes)).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{queue} is in order: {ids:?}");
    ids.into_iter().collect()
}

fn missing(core: &mut Core) -> usize {
    let (a, b) = (ids(core, "a"), ids(core, "b"));
    (3..COUNT).filter(|id| !a.contains(id)).count() + (0..COUNT).step_by(2).filter(|id| !b.contains(id)).count()
}

fn segments(fs: &Simulated) -> Vec<String> {
    fs.names().unwrap().into_iter().filter(|name| name.ends_with(".segment")).collect()
}

/// Scenario: a bit flips in any byte of any file.
/// Guarantee: the log opens; at most the entries of one record are missing, exactly so many are counted as lost, and
/// what is handed out is what was appended.
#[test]
fn d4_a_flipped_bit_costs_one_record() {
    let fs = written();
    assert!(segments(&fs).len() >= 3);
    let (mut harmless, mut costly) = (0, 0);
    for name in segments(&fs) {
        for at in 0..fs.contents(&name).len() {
            fs.damage(&name, at, 1 << (at % 8));
            let mut core = open(&fs, &options());
            let found = core.found.clone();
            let missing = missing(&mut core) as u64;
            let context = format!("{name} at {at}: {found:?}");
            assert!(missing <= 2, "{context}: {missing} are missing");
            assert_eq!(found.lost_entries, missing, "{context}");
            assert!(found.corrupt_records <= 1, "{context}");
            assert!(missing == 0 || found.corrupt_records == 1, "{context}");
            if missing == 0 {
                harmless += 1
            } else {
                costly += 1
            }
            fs.damage(&name, at, 1 << (at % 8));
        }
    }
    assert!(costly > 8000 && harmless > 100, "{costly} flips cost a record, {harmless} did not");
}

/// Scenario: any segment is cut anywhere.
/// Guarantee: the log opens; everything before the cut and in other files is there; what is missing is counted.
#[test]
fn d4_a_cut_file_costs_what_was_cut() {
    let fs = written();
    let names = segments(&fs);
    for (position, name) in names.iter().enumerate() {
        let whole = fs.contents(name);
        for size in (0..whole.len()).step_by(13) {
            fs.put(name, &whole[..size]);
            let mut core = open(&fs.after(crate::fs::simulated::Stop::Process), &options());
            let found = core.found.clone();
            let missing = missing(&mut core) as u64;
            // Only the end of the last segment can go without a trace: its last words say how far the queues were.
            if position + 1 < names.len() {
                assert_eq!(found.lost_entries, missing, "{name} cut to {size}: {found:?}");
            } else {
                assert!(found.lost_entries <= missing, "{name} cut to {size}: {found:?}");
            }
        }
        fs.put(name, &whole);
    }
}

/// Scenario: a record rots after the log was opened, before it is read.
/// Guarantee: its entries are counted as lost, the queue goes on behind them, and the count of live entries is exact.
#[test]
fn d4_rot_is_found_when_reading() {
    let fs = written();
    let mut core = open(&fs, &options());
    let name = segments(&fs).remove(1);
    let middle = fs.contents(&name).len() / 2;
    fs.damage(&name, middle, 0x10);
    let missing = missing(&mut core) as u64;
    let stats = core.stats();
    assert!((1..=2).contains(&missing));
    assert_eq!(stats.queues.iter().map(|queue| queue.counts.lost).sum::<u64>(), missing);
    assert!(stats.queues.iter().all(|queue| queue.entries == 0 && queue.bytes == 0), "{stats:?}");
    assert!(stats.counts.corrupt_records >= 1);
}

/// Scenario: a sender puts the bytes of real records into its event, and the record around them is damaged.
/// Guarantee: what it wrote is not taken for records of the log.
#[test]
fn s_a_payload_never_becomes_a_record() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let slot = core.declare("a", QueueOptions::default());
    core.put(slot, "first").unwrap();
    // The worst case: the image of a segment of this very log, at every alignment.
    let image = fs.contents(&segments(&fs)[0]);
    let images: Vec<u8> = (0..8).flat_map(|_| [&image[..320], &[0]].concat()).collect();
    core.put(slot, images).unwrap();
    core.put(slot, "last").unwrap();
    core.writer.close();
    let name = segments(&fs).remove(0);
    let bytes = fs.contents(&name);
    let mut records = bytes.windows(4).enumerate().filter(|(_, window)| *window == crate::format::record::MAGIC);
    // The cursors at the head, the first, and the one with the payload.
    fs.damage(&name, records.nth(2).unwrap().0, 0xFF);
    let mut core = open(&fs, &options());
    assert_eq!((core.found.lost_entries, core.found.duplicates), (1, 0));
    let slot = core.declare("a", QueueOptions::default());
    assert_eq!(core.drain(slot), [Bytes::from("first"), Bytes::from("last")]);
}

/// One change to a file: where in it (in thousandths), and what.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(u8),
    Zero(usize),
    Cut,
    /// Bytes of elsewhere in the file.
    Copy(usize),
    /// Zeros behind the end.
    Grow(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (1u8..=255).prop_map(Harm::Flip),
        (1usize..1500).prop_map(Harm::Zero),
        Just(Harm::Cut),
        (1usize..1500).prop_map(Harm::Copy),
        (1usize..5000).prop_map(Harm::Grow),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: files are damaged in several places and ways at once (Z5).
    /// Guarantee: the log opens, what it hands out is what was appended, in order and once, and it takes appends.
    #[test]
    fn z5_any_damage_can_be_opened(harms in prop::collection::vec((0usize..4, 0usize..1000, harm()), 1..8)) {
        let fs = written();
        let names = segments(&fs);
        for (file, place, harm) in harms {
            let Some(name) = names.get(file) else { continue };
            let mut bytes = fs.contents(name);
            let at = bytes.len() * place / 1000;
            let reach = |size: usize| (at + size).min(bytes.len());
            match harm {
                Harm::Flip(mask) if at < bytes.len() => bytes[at] ^= mask,
                Harm::Flip(_) => {}
                Harm::Zero(size) => { let end = reach(size); bytes[at..end].fill(0) }
                Harm::Cut => bytes.truncate(at),
                Harm::Copy(size) => { let size = reach(size) - at; bytes.copy_within(0..size, at) }
                Harm::Grow(size) => bytes.extend(std::iter::repeat_n(0, size)),
            }
            fs.put(name, &bytes);
        }
        let mut core = open(&fs, &options());
        let slot = core.declare("a", QueueOptions::default());
        core.put(slot, model::payload(COUNT, 100)).unwrap();
        prop_assert!(ids(&mut core, "a").contains(&COUNT));
        ids(&mut core, "b");
        core.writer.reclaim().unwrap();
        let stats = core.stats();
        prop_assert!(stats.queues.iter().all(|queue| queue.entries == 0 && queue.bytes == 0), "{:?}", stats);
    }
}

/// Scenario: a queue was drained and is not used any more; another queue pins the segment with its entries, and is drained
/// later.
/// Guarantee: nothing of it comes back while the segment is there; once that is gone the queue is forgotten, and when it
/// is used again it does not inherit what old cursors say, even if recovery has to believe those.
#[test]
fn a_forgotten_queue_leaves_no_trace() {
    let fs = Simulated::new();
    let mut core = open(&fs, &options());
    let (other, past) = (core.declare("other", QueueOptions::default()), core.declare("past", QueueOptions::default()));
    core.put(other, "pin").unwrap();
    for id in 0..20 {
        core.put(past, model::payload(id, 20)).unwrap();
    }
    assert_eq!(core.drain(past).len(), 20);
    core.writer.close();
    // A life without it, in which segments are begun.
    let mut core = open(&fs, &options());
    let other = core.declare("other", QueueOptions::default());
    for _ in 0..2 {
        core.put(other, vec![0; 3400]).unwrap();
    }
    core.writer.close();
    let mut core = open(&fs, &options());
    let stats = core.stats();
    let past = stats.queues.iter().find(|queue| &*queue.name == "past").expect("remembered while it can be seen");
    assert_eq!(past.entries, 0);
    // Now the pin goes, and with it the segment.
    let other = core.declare("other", QueueOptions::default());
    assert_eq!(core.drain(other).len(), 3);
    core.writer.reclaim().unwrap();
    core.put(other, "pin").unwrap();
    core.put(other, vec![0; 3400]).unwrap();
    core.writer.close();
    let mut core = open(&fs, &options());
    assert!(core.index.lock().slot("past").is_none(), "it is forgotten");
    let past = core.declare("past", QueueOptions::default());
    core.put(past, "new").unwrap();
    core.writer.close();
    // The cursors of its first life, as a segment that is still there might have them.
    assert!(core.index.lock().queues[past].next > 20, "offsets are not used twice");
    let mut core = open(&fs, &options());
    let past = core.declare("past", QueueOptions::default());
    assert_eq!(core.drain(past), ["new"]);
}

/// Scenario: a newer build has written to the directory (D18).
/// Guarantee: opening is refused with the versions and the remedy, and no byte is changed.
#[test]
fn d18_a_newer_format_is_refused() {
    let fs = written();
    let name = segments(&fs).remove(1);
    let mut bytes = fs.contents(&name);
    bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..segment::HEADER - 4]);
    bytes[segment::HEADER - 4..segment::HEADER].copy_from_slice(&sum.to_le_bytes());
    fs.put(&name, &bytes);
    let before: Vec<_> = segments(&fs).iter().map(|name| fs.contents(name)).collect();
    let error = Core::open(Arc::new(fs.clone()) as Arc<dyn Fs>, options(), Access::Write).err().unwrap();
    assert!(matches!(&error, OpenError::Version { found: 2, known: 1, file } if *file == name), "{error}");
    assert!(error.to_string().contains("run the newer build"), "{error}");
    assert_eq!(segments(&fs).iter().map(|name| fs.contents(name)).collect::<Vec<_>>(), before);
}

/// Scenario: files of other origin lie in the directory: a copy of a segment under another number, notes of a person,
/// an unfinished spill, and a segment that was only allocated.
/// Guarantee: they change nothing; what is not ours stays, leftovers go.
#[test]
fn strangers_and_leftovers() {
    let fs = written();
    let first = segments(&fs).remove(0);
    fs.put("0000000000000090.segment", &fs.contents(&first));
    fs.put("notes.txt", b"do not delete");
    fs.put("0000000000000091.tmp", b"half");
    fs.put("0000000000000092.segment", &[0; 4096]);
    let mut core = open(&fs, &options());
    assert_eq!((core.found.strangers, core.found.leftovers, core.found.lost_entries), (2, 1, 0));
    assert_eq!(core.found.corrupt_records, 0);
    assert_eq!(missing(&mut core), 0);
    core.writer.reclaim().unwrap();
    let names = fs.names().unwrap();
    assert!(names.iter().any(|name| name == "notes.txt") && names.iter().any(|name| name.contains("90.seg")));
    assert!(!names.iter().any(|name| name.ends_with(".tmp") || name.contains("92.seg")), "{names:?}");
}

/// Scenario: a segment of another log is copied into the directory.
/// Guarantee: opening is refused and says which file, instead of mixing two histories.
#[test]
fn a_foreign_segment_is_refused() {
    let (fs, other) = (written(), written());
    fs.put("0000000000000050.segment", &other.contents(&segments(&other)[0]));
    let error = Core::open(Arc::new(fs) as Arc<dyn Fs>, options(), Access::Write).err().unwrap();
    assert!(error.to_string().contains("another log"), "{error}");
}
