//! Files that are renamed, truncated and deleted while they are read.

use super::rig::{LATE, Rig};
use crate::{
    file_log::{blocks, config::Config},
    formats::Format,
};
use lanner_engine::{config::Duration, testing::Mood};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

/// Scenario: a file is renamed to a name that no pattern finds and a new one takes its place; the writer goes on writing
/// to the old one for a while, and leaves its last line unfinished.
/// Guarantee: all of the old file, then the new one from its beginning; what the late writer adds is read as well.
#[tokio::test(start_paused = true)]
async fn a_renamed_file_is_read_to_its_end_first() {
    let mut rig = Rig::new();
    rig.write("app.log", "1\n");
    rig.start(rig.config("app.log")).await;
    rig.items(1).await;
    let mut old = OpenOptions::new().append(true).open(rig.path("app.log")).unwrap();
    old.write_all(b"2\n3").unwrap();
    rig.rename("app.log", "app.log.1");
    rig.write("app.log", "4\n");
    rig.items(4).await;
    old.write_all(b"late\n").unwrap();
    rig.items(5).await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2", "3", "4", "late"]);
    assert_eq!(rig.metric("lanner_file_log_rotations", ""), 1);
    assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 0);
}

/// Scenario: the rotated file keeps a name that a pattern finds, and the new one appears only seconds later.
/// Guarantee: no line twice; the file that is gone is let go of after a while, with its place among the open ones.
#[tokio::test(start_paused = true)]
async fn a_rotated_file_that_is_still_found_is_not_read_twice() {
    let mut rig = Rig::new();
    rig.write("app.log", "1\n2\n");
    rig.start(rig.config("app.log*")).await;
    rig.items(2).await;
    rig.rename("app.log", "app.log.1");
    rig.look().await;
    rig.write("app.log", "3\n");
    rig.items(3).await;
    rig.rename("app.log.1", "elsewhere");
    for _ in 0..20 {
        rig.look().await;
    }
    assert_eq!(rig.metric("lanner_file_log_files", ""), 1);
    assert_eq!(rig.metric("lanner_file_log_open_files", ""), 1);
    // Back again: it is recognised.
    rig.rename("elsewhere", "app.log.2");
    rig.write("app.log.2", "4\n");
    rig.items(4).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2", "3", "4"]);
}

/// Scenario: a file is rotated with half a line at its end, and `force_flush_period` is an hour, or 0.
/// Guarantee: nobody waits for the other half; the new file is read right after it.
#[tokio::test(start_paused = true)]
async fn half_a_line_of_a_rotated_file_holds_nobody_up() {
    for period in [3600, 0] {
        for format in [Format::Text, Format::Json] {
            let mut rig = Rig::new();
            rig.write("app.log", "{}\nhalf");
            let config = Config { force_flush_period: Duration::from_secs(period), format, ..rig.config("app.log*") };
            rig.start(config).await;
            rig.items(1).await;
            rig.rename("app.log", "app.log.1");
            rig.write("app.log", "{\"new\": 1}\n");
            rig.look().await;
            rig.stop().await;
            assert_eq!(rig.capture.records().len(), 3, "{period} {format:?}");
            assert_eq!(rig.texts()[1], "half");
        }
    }
}

/// Scenario: one file may be open at a time; a file that is not open is rotated with unread lines in it, behind a link in
/// another folder as a kubelet makes it.
/// Guarantee: the rest is found by its inode and read, then the new file.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_open_survives_its_rotation() {
    let mut rig = Rig::new();
    rig.write("pods/web/0.log", "1\n");
    rig.write("pods/other/0.log", "x\n");
    fs::create_dir(rig.path("containers")).unwrap();
    std::os::unix::fs::symlink(rig.path("pods/web/0.log"), rig.path("containers/web.log")).unwrap();
    std::os::unix::fs::symlink(rig.path("pods/other/0.log"), rig.path("containers/other.log")).unwrap();
    let config = Config { max_concurrent_files: 1, ..rig.config("containers/*.log") };
    rig.start(config).await;
    rig.items(2).await;
    rig.look().await;
    rig.write("pods/web/0.log", "2\n");
    rig.rename("pods/web/0.log", "pods/web/0.log.20261122");
    rig.write("pods/web/0.log", "3\n");
    // Five seconds pass before a file that is neither open nor found is looked for.
    for _ in 0..5 {
        rig.look().await;
    }
    rig.items(4).await;
    rig.stop().await;
    let texts: Vec<String> = rig.texts().into_iter().filter(|text| text != "x").collect();
    assert_eq!(texts, ["1", "2", "3"]);
    assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 0);
}

/// Opens a file just after its writer has rotated it once more, up to the third name.
fn open_behind_a_rotation(path: &Path) -> io::Result<File> {
    let number = path.extension().and_then(|number| number.to_str()?.parse::<u8>().ok());
    if let Some(number @ 1..3) = number {
        fs::rename(path, path.with_extension((number + 1).to_string()))?;
    }
    blocks::open(path)
}

/// Scenario: one file may be open at a time; one that is not open is rotated with an unread line in it, and again each
/// time between when its name is looked up and when it is opened.
/// Guarantee: it is not taken for lost, but found by its last name and read.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_renamed_while_it_is_looked_for_is_found() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n");
    rig.write("other.log", "x\n");
    let config = Config { max_concurrent_files: 1, ..rig.config("*.log*") };
    let follower = rig.build_opening(config, open_behind_a_rotation).await;
    rig.run(follower);
    rig.items(2).await;
    rig.look().await;
    rig.write("a.log", "2\n");
    rig.rename("a.log", "a.log.1");
    rig.items(3).await;
    assert_eq!(rig.texts()[2], "2");
    assert!(rig.path("a.log.3").exists());
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 0);
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "rotated_away"), 0);
}

/// Opens a file just after somebody has deleted it, once it has a second line.
fn open_behind_a_deletion(path: &Path) -> io::Result<File> {
    if path.metadata().is_ok_and(|file| file.len() > 2) {
        fs::remove_file(path)?;
    }
    blocks::open(path)
}

/// Scenario: as before, but the file is deleted, and a new one takes its path.
/// Guarantee: the unread line is counted as lost once the file has stayed away, and the new file is read.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_deleted_before_it_is_opened_again_is_counted() {
    let mut rig = Rig::new();
    rig.write("a.log", "1\n");
    rig.write("other.log", "x\n");
    let config = Config { max_concurrent_files: 1, ..rig.config("*.log") };
    let follower = rig.build_opening(config, open_behind_a_deletion).await;
    rig.run(follower);
    rig.items(2).await;
    rig.look().await;
    rig.write("a.log", "lost\n");
    for _ in 0..5 {
        rig.look().await;
    }
    assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 5);
    assert_eq!(rig.metric("lanner_file_log_unreadable_files", "rotated_away"), 1);
    rig.write("a.log", "3\n");
    rig.items(3).await;
    rig.stop().await;
    assert_eq!(rig.texts()[2], "3");
}

/// Scenario: a file is copied and truncated: once to nothing, once and written anew beyond where it was read, once by a
/// writer that does not append and so leaves zero bytes in front.
/// Guarantee: what is written afterwards is read from the beginning, each line once, and each truncation is counted.
#[tokio::test(start_paused = true)]
async fn a_truncated_file_is_read_from_its_beginning() {
    let mut rig = Rig::new();
    rig.write("app.log", "1\n2\n");
    rig.start(rig.config("app.log")).await;
    rig.items(2).await;
    fs::write(rig.path("app.log"), "").unwrap();
    rig.look().await;
    rig.write("app.log", "3\n");
    rig.items(3).await;
    fs::write(rig.path("app.log"), "4 is longer than what was there\n5\n").unwrap();
    rig.items(5).await;
    let sparse = OpenOptions::new().write(true).open(rig.path("app.log")).unwrap();
    sparse.set_len(0).unwrap();
    sparse.set_len(3 << 20).unwrap();
    rig.write("app.log", "6\n");
    rig.items(6).await;
    rig.look().await;
    rig.stop().await;
    assert_eq!(rig.texts(), ["1", "2", "3", "4 is longer than what was there", "5", "6"]);
    assert_eq!(rig.metric("lanner_file_log_truncations", ""), 3);
}

/// Scenario: bytes are truncated away that were seen and could not be read, because the pipeline was stuck.
/// Guarantee: they are counted as lost; what was being delivered is not.
#[tokio::test(start_paused = true)]
async fn what_is_truncated_unread_is_counted() {
    let mut rig = Rig::new();
    rig.write("app.log", "x".repeat(99) + "\n");
    rig.start(rig.config("app.log")).await;
    rig.items(1).await;
    rig.write("app.log", "half a line of 30 bytes, it is.");
    // Seen, but without a line end it was not read.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    fs::write(rig.path("app.log"), "new\n").unwrap();
    rig.items(2).await;
    rig.stop().await;
    assert_eq!(rig.texts()[1], "new");
    assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 31);
}

/// Scenario: a file is deleted while it is open and not read to its end.
/// Guarantee: all of it is delivered; then it is let go of, so that its space is free again.
#[tokio::test(start_paused = true)]
async fn a_deleted_file_is_read_to_its_end() {
    let mut rig = Rig::new();
    rig.write("app.log", "1\n");
    rig.start(rig.config("app.log")).await;
    rig.items(1).await;
    rig.capture.set(Mood::Busy);
    for line in 0..20_000 {
        rig.write("app.log", format!("{line} {}\n", "x".repeat(100)));
    }
    tokio::time::timeout(LATE, rig.capture.waiting(1)).await.unwrap();
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.capture.set(Mood::Taking);
    rig.items(20_001).await;
    for _ in 0..20 {
        rig.look().await;
    }
    assert_eq!(rig.metric("lanner_file_log_open_files", ""), 0);
    rig.stop().await;
}

/// A writer with its own file, as a program with a log library.
struct Writer {
    folder: PathBuf,
    file: File,
    written: usize,
    rotated: usize,
    random: fastrand::Rng,
}

impl Writer {
    fn new(folder: PathBuf, seed: u64) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(folder.join("app.log")).unwrap();
        Self { folder, file, written: 0, rotated: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// Writes a line, often in two pieces and sometimes a long one.
    fn line(&mut self) {
        let padding = match self.random.u8(..) {
            0..=2 => self.random.usize(60_000..200_000),
            3..=100 => 0,
            _ => self.random.usize(0..300),
        };
        let line = format!("{{\"n\": {}, \"pad\": \"{}\"}}\n", self.written, "p".repeat(padding));
        let at = self.random.usize(0..line.len());
        self.file.write_all(&line.as_bytes()[..at]).unwrap();
        if self.random.bool() {
            std::thread::yield_now();
        }
        self.file.write_all(&line.as_bytes()[at..]).unwrap();
        self.written += 1;
    }

    /// Moves every rotated file up by one, as log libraries do, and begins a new one.
    fn rotate(&mut self) {
        for number in (0..=self.rotated).rev() {
            let name = |number| if number == 0 { "app.log".to_owned() } else { format!("app.log.{number}") };
            fs::rename(self.folder.join(name(number)), self.folder.join(name(number + 1))).unwrap();
        }
        self.rotated += 1;
        self.file = OpenOptions::new().append(true).create_new(true).open(self.folder.join("app.log")).unwrap();
    }
}

fn numbers(rig: &Rig) -> Vec<i64> {
    let number = |record: &lanner_engine::prelude::LogRecord| match &record.body {
        lanner_engine::prelude::Value::Map(members) => members[0].1.as_int().unwrap(),
        other => panic!("a line is broken: {other:?}"),
    };
    rig.capture.records().iter().map(number).collect()
}

/// Scenario: a program writes as fast as it can and rotates at random points, often several times between two looks at
/// the folder; the patterns find rotated files as well. Eight seeds.
/// Guarantee: every line once and whole.
#[tokio::test(flavor = "multi_thread")]
async fn every_line_comes_once_however_a_writer_rotates() {
    for seed in 0..8 {
        let mut rig = Rig::new();
        let mut writer = Writer::new(rig.folder.path().to_owned(), seed);
        let config = Config {
            poll_interval: Duration::from_millis(1 + seed),
            format: Format::Json,
            max_concurrent_files: if seed % 2 == 0 { 2 } else { 1024 },
            ..rig.config("app.log*")
        };
        rig.start(config).await;
        let writing = tokio::task::spawn_blocking(move || {
            for _ in 0..1500 {
                writer.line();
                if writer.random.u8(..) < 6 {
                    writer.rotate();
                }
            }
            (writer.written, writer.rotated)
        });
        let (written, rotated) = writing.await.unwrap();
        assert!(rotated > 5, "seed {seed}");
        rig.items(written).await;
        rig.stop().await;
        let mut numbers = numbers(&rig);
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..written as i64), "seed {seed}: {} of {written}", numbers.len());
        assert_eq!(rig.metric("lanner_file_log_lost_bytes", ""), 0);
    }
}

/// Scenario: as before, but no pattern finds rotated files, and besides renaming, the writer truncates its file; it
/// does either only when the file was seen, and truncates only what was read. Eight seeds.
/// Guarantee: every line once, and in order.
#[tokio::test(flavor = "multi_thread")]
async fn every_line_comes_once_and_in_order_when_files_are_seen() {
    for seed in 100..108 {
        let mut rig = Rig::new();
        let mut writer = Writer::new(rig.folder.path().to_owned(), seed);
        let config = Config { poll_interval: Duration::from_millis(1), format: Format::Json, ..rig.config("app.log") };
        rig.start(config).await;
        let capture = rig.capture.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let read = |least: usize| {
                let end = Instant::now() + LATE;
                while capture.records().len() < least {
                    assert!(Instant::now() < end, "seed {seed}: {} of {least}", capture.records().len());
                    std::thread::park_timeout(std::time::Duration::from_millis(1));
                }
            };
            let mut first_of_file = 0;
            for _ in 0..600 {
                writer.line();
                match writer.random.u8(..) {
                    0..=5 => {
                        read(first_of_file + 1);
                        writer.rotate();
                        first_of_file = writer.written;
                    }
                    6..=11 => {
                        read(writer.written);
                        writer.file.set_len(0).unwrap();
                        first_of_file = writer.written;
                    }
                    _ => {}
                }
            }
            writer.written
        });
        let written = writing.await.unwrap();
        rig.items(written).await;
        rig.stop().await;
        assert!(numbers(&rig).into_iter().eq(0..written as i64), "seed {seed}");
    }
}
