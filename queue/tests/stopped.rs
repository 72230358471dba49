//! What a person does with a log that is not in use.

use super::support::TempDir;
use crate::{
    error::OpenError,
    fs::DirectoryError,
    index::Limits,
    log::{Append, Log},
    options::{Options, QueueOptions},
    stopped::{Stopped, StoppedError},
};
use bytes::Bytes;
use std::{collections::BTreeMap, path::Path};

fn options() -> Options {
    Options { segment_bytes: 16 << 10, max_bytes: 32 * (16 << 10), ..Options::default() }
}

fn letter(id: usize) -> Bytes {
    [format!("letter {id:04} ").into_bytes(), vec![b'.'; 200]].concat().into()
}

/// 300 dead letters over several segments, the first ten settled, and an empty queue.
async fn written(dir: &Path) {
    let (log, _) = Log::open(dir, options()).await.unwrap();
    let letters = log.queue("letters", QueueOptions::default()).unwrap();
    log.queue("sink", QueueOptions::default()).unwrap();
    for id in 0..300 {
        log.append(Append::new().put(&letters, letter(id))).await.unwrap();
    }
    letters.take(Limits { entries: 10, bytes: 0 }).into_iter().for_each(|entry| entry.settle());
    log.close().await;
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read =
        |entry: std::fs::DirEntry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
    std::fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Scenario: somebody looks at a log: lists its queues and peeks.
/// Guarantee: counts, bytes and ages are there, entries come oldest first across segments, and no byte changes.
#[tokio::test]
async fn looking_changes_nothing() {
    let dir = TempDir::new();
    written(&dir.log()).await;
    let before = files(&dir.log());
    let mut log = Stopped::look(&dir.log(), options()).unwrap();
    assert!(matches!(log.drop_queue("letters"), Err(StoppedError::LookOnly)));
    assert!(matches!(log.redrive("letters", "sink"), Err(StoppedError::LookOnly)));
    let list = log.list();
    assert_eq!(
        list.iter().map(|queue| (&*queue.name, queue.entries)).collect::<Vec<_>>(),
        [("letters", 290), ("sink", 0)]
    );
    assert!(list[0].bytes > 290 * 212 && list[0].oldest.is_some() && !list[0].declared);
    assert_eq!(list[1].oldest, None);
    let peeked = log.peek("letters", 120).unwrap();
    assert_eq!(
        peeked.iter().map(|entry| entry.payload.clone()).collect::<Vec<_>>(),
        (10..130).map(letter).collect::<Vec<_>>()
    );
    assert!(peeked[0].appended > 1_700_000_000_000);
    assert!(log.peek("sink", 5).unwrap().is_empty());
    let error = log.peek("typo", 1).unwrap_err();
    assert_eq!(error.to_string(), "there is no queue `typo`; there are: letters, sink");
    drop(log);
    assert_eq!(files(&dir.log()), before);
}

/// Scenario: dead letters are sent back to their queue, twice.
/// Guarantee: all of them are there, in order and once, and the letters are empty; the second time there is nothing.
#[tokio::test]
async fn redrive_moves_everything() {
    let dir = TempDir::new();
    written(&dir.log()).await;
    let mut log = Stopped::open(&dir.log(), options()).unwrap();
    assert!(matches!(log.redrive("sink", "sink"), Err(StoppedError::Itself(_))));
    assert_eq!(log.redrive("letters", "sink").unwrap(), 290);
    assert_eq!(log.redrive("letters", "sink").unwrap(), 0);
    drop(log);
    let log = Stopped::look(&dir.log(), options()).unwrap();
    assert_eq!(log.list().iter().map(|queue| queue.entries).collect::<Vec<_>>(), [0, 290]);
    let moved: Vec<Bytes> = log.peek("sink", 1000).unwrap().into_iter().map(|entry| entry.payload).collect();
    assert_eq!(moved, (10..300).map(letter).collect::<Vec<_>>());
}

/// Scenario: an orphaned queue is dropped.
/// Guarantee: the number is told, its files are gone at once, and it does not come back.
#[tokio::test]
async fn a_dropped_queue_is_gone() {
    let dir = TempDir::new();
    written(&dir.log()).await;
    let mut log = Stopped::open(&dir.log(), options()).unwrap();
    assert_eq!(log.drop_queue("letters").unwrap(), 290);
    drop(log);
    let size: usize = files(&dir.log()).values().map(Vec::len).sum();
    assert!(size < 2000, "{size} bytes are left");
    let log = Stopped::look(&dir.log(), options()).unwrap();
    assert!(log.list().iter().all(|queue| queue.entries == 0));
}

/// Scenario: the log is in use while somebody looks; or there is none.
/// Guarantee: both are refused; a path that was mistyped is not made into a log.
#[tokio::test]
async fn a_running_or_missing_log_is_refused() {
    let dir = TempDir::new();
    let (log, _) = Log::open(&dir.log(), options()).await.unwrap();
    let error = Stopped::look(&dir.log(), options()).err().unwrap();
    assert!(matches!(error, OpenError::Directory(DirectoryError::Locked(_))), "{error}");
    log.close().await;
    let typo = dir.path().join("typo");
    assert!(matches!(Stopped::open(&typo, options()).err(), Some(OpenError::Directory(DirectoryError::Io { .. }))));
    assert!(!typo.exists());
}
