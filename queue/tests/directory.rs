//! The directory on a real file system (D19, S17).

use super::support::TempDir;
use crate::{
    error::OpenError,
    fs::{Directory, DirectoryError, Fs},
    log::{Append, Log},
    options::{Options, QueueOptions},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn options() -> Options {
    Options { segment_bytes: 64 << 10, max_bytes: 16 * (64 << 10), ..Options::default() }
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Scenario: a second process opens the directory, then the first closes it (D19).
/// Guarantee: the second is refused with the directory and the remedy, the first goes on; after closing it is free.
#[tokio::test]
async fn d19_one_process_at_a_time() {
    let dir = TempDir::new();
    let (log, _) = Log::open(&dir.log(), options()).await.unwrap();
    let error = Log::open(&dir.log(), options()).await.err().unwrap();
    assert!(matches!(&error, OpenError::Directory(DirectoryError::Locked(path)) if *path == dir.log()), "{error}");
    let queue = log.queue("a", QueueOptions::default()).unwrap();
    log.append(Append::new().put(&queue, "entry".into())).await.unwrap();
    log.close().await;
    let (log, found) = Log::open(&dir.log(), options()).await.unwrap();
    assert_eq!((found.entries, found.torn_bytes, found.corrupt_records), (1, 0, 0));
    log.close().await;
}

/// Scenario: the log makes its directory and files.
/// Guarantee: nobody but the user can read them, and files are as large as what is in them once the log is closed.
#[tokio::test]
async fn files_are_for_this_user_only() {
    let dir = TempDir::new();
    let (log, _) = Log::open(&dir.log(), options()).await.unwrap();
    let queue = log.queue("a", QueueOptions::default()).unwrap();
    log.append(Append::new().put(&queue, vec![1; 5000].into())).await.unwrap();
    assert_eq!(mode(&dir.log()), 0o700);
    let segment = dir.log().join("0000000000000000.segment");
    assert_eq!(fs::metadata(&segment).unwrap().len(), 64 << 10, "room is set aside");
    for file in fs::read_dir(dir.log()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    log.close().await;
    assert!(fs::metadata(&segment).unwrap().len() < 6000);
}

/// Scenario: the directory is a link, a file, or writable for others; a file in it is a link (S17).
/// Guarantee: it is refused with a remedy, and no link is followed.
#[test]
fn s17_a_directory_that_others_control_is_refused() {
    let dir = TempDir::new();
    let real = dir.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
    let link = dir.path().join("link");
    symlink(&real, &link).unwrap();
    assert!(matches!(Directory::open(&link).err(), Some(DirectoryError::NoDirectory(_))));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Directory::open(&file).err(), Some(DirectoryError::NoDirectory(_))));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Directory::open(&real).err().unwrap();
    assert!(error.to_string().contains("chmod go-w"), "{error}");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&file, real.join("0000000000000000.segment")).unwrap();
    let opened = Directory::open(&real).unwrap();
    assert!(opened.open("0000000000000000.segment").is_err());
    assert!(opened.create("0000000000000000.segment").is_err());
    assert!(matches!(Directory::open(&dir.path().join("a/b")).err(), Some(DirectoryError::Io { .. })));
}

/// Scenario: more pieces than the kernel takes at once are written.
/// Guarantee: all of them arrive, in order.
#[tokio::test]
async fn a_group_of_many_large_payloads() {
    let dir = TempDir::new();
    let wide = Options { segment_bytes: 64 << 20, max_bytes: 512 << 20, hot_bytes: 0, ..Options::default() };
    let (log, _) = Log::open(&dir.log(), wide).await.unwrap();
    let queue = log.queue("a", QueueOptions::default()).unwrap();
    let payload = |id: usize| bytes::Bytes::from(vec![id as u8; 5000]);
    let append = (0..2500).fold(Append::new(), |append, id| append.put(&queue, payload(id)));
    log.append(append).await.unwrap();
    let mut seen = 0;
    while seen < 2500 {
        queue.arrived().await;
        for entry in queue.take(Default::default()) {
            assert_eq!(entry.payload(), payload(seen));
            seen += 1;
            entry.settle();
        }
    }
    log.close().await;
}
