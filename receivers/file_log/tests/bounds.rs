//! Many files, and files that cannot be read.

use super::rig::{LATE, Rig};
use crate::file_log::{blocks, config::Config};
use lanner_engine::testing::Mood;
use std::{fs, io, os::unix::fs::symlink, path::Path};

/// Scenario: 3000 files, of which 7 may be open at a time; then a line for each of them.
/// Guarantee: every line is delivered, and never more files are open than allowed.
#[tokio::test(start_paused = true)]
async fn few_open_files_are_enough_for_many() {
    let mut rig = Rig::new();
    for file in 0..3000 {
        rig.write(&format!("{}/{file}.log", file % 10), format!("{file} first\n"));
    }
    let config = Config { max_concurrent_files: 7, ..rig.config("**/*.log") };
    rig.start(config).await;
    rig.items(3000).await;
    assert!(rig.metric("lanner_file_log_open_files", "") <= 7);
    for file in 0..3000 {
        rig.write(&format!("{}/{file}.log", file % 10), format!("{file} second\n"));
    }
    rig.items(6000).await;
    rig.stop().await;
    let mut texts = rig.texts();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 6000);
    assert!(rig.metric("lanner_file_log_open_files", "") <= 7);
    assert_eq!(rig.metric("lanner_file_log_files", ""), 3000);
}

/// Scenario: more files than `max_files`; then one of those that are followed goes away.
/// Guarantee: the others are counted once, not with every search, and the next one takes the free place.
#[tokio::test(start_paused = true)]
async fn files_over_the_bound_wait_for_a_place() {
    let mut rig = Rig::new();
    for file in 0..10 {
        rig.write(&format!("{file}.log"), format!("{file}\n"));
    }
    let config = Config { max_files: 8, ..rig.config("*.log") };
    rig.start(config).await;
    rig.items(8).await;
    rig.look().await;
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "max_files"), 2);
    assert_eq!(rig.capture.records().len(), 8);
    fs::remove_file(rig.path("0.log")).unwrap();
    rig.items(9).await;
    rig.stop().await;
    assert_eq!(rig.texts()[8], "8");
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "max_files"), 2);
}

/// Scenario: one busy file of 20 MB and one with a single line.
/// Guarantee: the single line does not wait for the large file.
#[tokio::test(start_paused = true)]
async fn files_take_turns() {
    let mut rig = Rig::new();
    rig.write("a.log", format!("{}\n", "x".repeat(99)).repeat(200_000));
    rig.write("b.log", "small\n");
    rig.start(rig.config("*.log")).await;
    rig.items(200_001).await;
    rig.stop().await;
    let at = rig.texts().iter().position(|text| text == "small").unwrap();
    assert!(at < 2000, "{at}");
}

/// Scenario: a file that Lanner may not open, at first, beside one that it may; a compressed one; a pipe.
/// Guarantee: each is counted once, whatever the number of searches; the others are read; the one is read once it may be.
#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_costs_itself() {
    // Tests may run as root, who may read everything; so the refusal is made here.
    fn opener(path: &Path) -> io::Result<fs::File> {
        if path.ends_with("secret.log") && !path.with_file_name("granted").exists() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        blocks::open(path)
    }
    let mut rig = Rig::new();
    rig.write("open.log", "1\n");
    rig.write("secret.log", "2\n");
    rig.write("old.log", b"\x1f\x8b\x08\x00junk\n");
    let made = std::process::Command::new("mkfifo").arg(rig.path("pipe.log")).status().unwrap();
    assert!(made.success());
    let follower = rig.build_opening(rig.config("*.log"), opener).await;
    rig.run(follower);
    rig.items(1).await;
    rig.look().await;
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "permission_denied"), 1);
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "compressed"), 1);
    rig.write("open.log", "3\n");
    rig.items(2).await;
    rig.write("granted", "");
    rig.items(3).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "3", "2"]);
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", ""), 2);
}

/// Scenario: links to folders that lead back up, a link to itself, a link that leads nowhere, two names of one file.
/// Guarantee: the search ends; the file is read once; the circle is counted.
#[tokio::test(start_paused = true)]
async fn circles_of_links_end() {
    let mut rig = Rig::new();
    rig.write("a/b/app.log", "1\n");
    symlink(rig.path("a"), rig.path("a/b/up")).unwrap();
    symlink("self", rig.path("a/self")).unwrap();
    symlink("nowhere", rig.path("a/dangling.log")).unwrap();
    symlink("app.log", rig.path("a/b/other.log")).unwrap();
    fs::hard_link(rig.path("a/b/app.log"), rig.path("a/third.log")).unwrap();
    rig.start(rig.config("**/*.log")).await;
    rig.items(1).await;
    rig.look().await;
    rig.write("a/b/app.log", "2\n");
    rig.items(2).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2"]);
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "symlink_loop"), 2);
}

/// Scenario: the pipeline takes nothing for an hour while a large file waits.
/// Guarantee: one batch is made and no more; when the pipeline is back, every line comes once.
#[tokio::test(start_paused = true)]
async fn a_slow_pipeline_stops_the_reading() {
    let mut rig = Rig::new();
    let lines: String = (0..50_000).map(|line| format!("{line} {}\n", "x".repeat(100))).collect();
    rig.write("a.log", &lines);
    rig.capture.set(Mood::Busy);
    rig.start(rig.config("a.log")).await;
    tokio::time::timeout(LATE, rig.capture.waiting(1)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    let read = rig.metric("lanner_file_log_bytes", "");
    assert!(read < 2 << 20, "{read}");
    rig.capture.set(Mood::Taking);
    rig.items(50_000).await;
    rig.stop().await;
    assert!(rig.texts().iter().enumerate().all(|(index, text)| text.starts_with(&format!("{index} "))));
}
