//! Going on where an earlier receiver stopped.

use super::rig::{LATE, Rig};
use crate::{
    container::Wrapping,
    file_log::config::{Config, StartAt},
};
use lanner_engine::{config::Duration, testing::Mood};
use std::{collections::BTreeSet, fs};

fn kept(rig: &Rig, include: &str) -> Config {
    Config { storage: Some("store".parse().unwrap()), ..rig.config(include) }
}

/// Scenario: with a storage, a receiver is stopped, lines and a file are written, and it is started again; `start_at: end`.
/// Guarantee: exactly the lines written meanwhile, also those of the file that is new; without a storage none of them.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_it_was() {
    let mut rig = Rig::new();
    rig.write("a.log", "old\n");
    let config = Config { start_at: StartAt::End, ..kept(&rig, "*.log") };
    rig.start(config.clone()).await;
    rig.look().await;
    rig.write("a.log", "1\n");
    rig.items(1).await;
    rig.stop().await;
    rig.write("a.log", "2\n");
    rig.write("b.log", "3\n");
    rig.start(config.clone()).await;
    rig.items(3).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2", "3"]);
    rig.write("a.log", "4\n");
    rig.start(Config { storage: None, ..config }).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts().len(), 3);
}

/// Scenario: nothing was written while the first receiver ran with `start_at: end`; it is stopped, then lines come.
/// Guarantee: the second begins where the first had begun, not at the new end.
#[tokio::test(start_paused = true)]
async fn the_first_end_is_remembered() {
    let mut rig = Rig::new();
    rig.write("a.log", "old\n");
    let config = Config { start_at: StartAt::End, ..kept(&rig, "*.log") };
    rig.start(config.clone()).await;
    rig.look().await;
    rig.stop().await;
    rig.write("a.log", "1\n");
    rig.start(config).await;
    rig.items(1).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1"]);
}

/// Scenario: while no receiver runs, the file is renamed out of the pattern with unread lines in it, and a new one takes its
/// place; another file is replaced by one that got its inode.
/// Guarantee: the rest of the old file and all of the new one; a stranger's file is read from its beginning.
#[tokio::test(start_paused = true)]
async fn a_rotation_during_the_downtime_loses_nothing() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n");
    rig.write("b.log", "x\n");
    rig.start(kept(&rig, "*.log")).await;
    rig.items(2).await;
    rig.stop().await;
    rig.write("a.log", "2\n");
    rig.rename("a.log", "a.log.1");
    rig.write("a.log", "3\n");
    // The same inode with other content, as after a deletion.
    fs::write(rig.path("b.log"), "y\nz\n").unwrap();
    rig.start(kept(&rig, "*.log")).await;
    rig.items(6).await;
    rig.look().await;
    rig.stop().await;
    let texts: BTreeSet<String> = rig.texts().into_iter().collect();
    assert_eq!(texts.len(), 6);
    assert_eq!(rig.texts().len(), 6);
}

/// Scenario: the receiver is killed while the pipeline is stuck with a batch, and once more after it was accepted.
/// Guarantee: nothing is lost; what comes again is what was not accepted or not yet written, with the same ids.
#[tokio::test(start_paused = true)]
async fn a_kill_loses_nothing() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n2\n");
    rig.start(kept(&rig, "a.log")).await;
    rig.items(2).await;
    // Idle, so the checkpoint is written.
    rig.look().await;
    rig.capture.set(Mood::Stuck);
    rig.write("a.log", "3\n4\n");
    tokio::time::timeout(LATE, rig.capture.waiting(1)).await.unwrap();
    rig.kill().await;
    rig.capture.set(Mood::Taking);
    rig.start(kept(&rig, "a.log")).await;
    rig.items(4).await;
    rig.kill().await;
    rig.write("a.log", "5\n");
    rig.start(kept(&rig, "a.log")).await;
    rig.items(5).await;
    rig.look().await;
    rig.stop().await;
    let distinct: BTreeSet<String> = rig.uids().into_iter().collect();
    assert_eq!(distinct.len(), 5);
    assert_eq!(rig.texts().into_iter().collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(rig.texts()[..2], ["1", "2"]);
    assert!(rig.texts().len() <= 7, "{:?}", rig.texts());
}

/// Scenario: a stop while the pipeline is busy.
/// Guarantee: the drain is quick, nothing is acknowledged that was not taken, and the next start delivers it.
#[tokio::test(start_paused = true)]
async fn a_stop_in_front_of_a_busy_pipeline_is_quick_and_loses_nothing() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n");
    rig.capture.set(Mood::Busy);
    rig.start(kept(&rig, "a.log")).await;
    tokio::time::timeout(LATE, rig.capture.waiting(1)).await.unwrap();
    rig.stop().await;
    assert!(rig.texts().is_empty());
    rig.capture.set(Mood::Taking);
    rig.start(kept(&rig, "a.log")).await;
    rig.items(1).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1"]);
}

/// Scenario: a container's line is split; the receiver is stopped after its first part, between lines of the other stream.
/// Guarantee: the line comes out whole after the restart, and the other lines come once.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_split_line_repeats_nothing() {
    let mut rig = Rig::new();
    let line = |stream: &str, tag: &str, text: &str| format!("2026-01-01T00:00:00.5Z {stream} {tag} {text}\n");
    rig.write("a.log", line("stdout", "F", "1") + &line("stdout", "P", "2 be") + &line("stderr", "F", "3"));
    rig.write("a.log", line("stderr", "P", "5 beg") + &line("stdout", "P", "gin"));
    let config = Config { container: Wrapping::Cri, poll_interval: Duration::from_millis(50), ..kept(&rig, "a.log") };
    rig.start(config.clone()).await;
    rig.items(2).await;
    // Less than the time after which an unfinished line is given up.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    rig.stop().await;
    rig.write("a.log", line("stdout", "F", "s") + &line("stdout", "F", "4") + &line("stderr", "F", "ins"));
    rig.start(config).await;
    rig.items(5).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "3", "2 begins", "4", "5 begins"]);
}

/// Scenario: the storage cannot be written for a while; then a crash.
/// Guarantee: reading goes on, the failures are counted, and the checkpoints are written once it works again.
#[tokio::test(start_paused = true)]
async fn a_broken_storage_costs_repeats_only() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n");
    let follower = rig.build(kept(&rig, "a.log")).await;
    rig.storage.set_broken(true);
    rig.run(follower);
    rig.items(1).await;
    rig.write("a.log", "2\n");
    rig.items(2).await;
    rig.look().await;
    assert!(rig.metric("lanner_file_log_checkpoint_failures", "") > 0);
    rig.storage.set_broken(false);
    rig.look().await;
    rig.kill().await;
    rig.write("a.log", "3\n");
    rig.start(kept(&rig, "a.log")).await;
    rig.items(3).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2", "3"]);
}
