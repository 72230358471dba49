//! Disks that fill up, fail or forget (D4, D5, D6, D22).

use crate::{
    long,
    rig::{Rig, START},
    support::{
        curl,
        lanner::{Lanner, TempDir},
        load::{Door, Sender},
        oracle::{Books, Oracle},
        oracle_sink::{Mood, OracleSink},
        strace, wait,
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

/// For everything to arrive that waits.
const ARRIVAL: Duration = Duration::from_secs(60);
/// For being seen as degraded, and for taking events again. D5 asks for a second, which is what is printed on an idle machine.
const NOTICED: Duration = Duration::from_secs(10);

/// Waits until the health check says this of the queues' storage.
fn storage_is(rig: &Rig, status: &str) -> Duration {
    let start = Instant::now();
    let url = format!("http://localhost:{}/status", rig.health);
    wait::until(&format!("the storage is {status}"), NOTICED, || {
        let report: serde_json::Value = serde_json::from_str(&curl::get(&url, &[]).1).ok()?;
        let told = report.to_string();
        let at = told.find("extension:file_storage")?;
        told[at..].find(status).filter(|place| *place < 200).map(drop)
    });
    start.elapsed()
}

/// A file system of its own, unmounted when dropped.
pub struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None`, with a note, where this user may not mount.
    pub fn mount(mib: u64) -> Option<Self> {
        let dir = TempDir::new();
        let size = format!("size={mib}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "lanner-faults"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        assert!(std::env::var_os("CI").is_none(), "a file system cannot be mounted");
        eprintln!("SKIPPED: this user may not mount a file system");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Scenario: D5: the sink is down and the disk fills up, because of others' files too; then those go, then the sink is back.
/// Guarantee: the process stays up, refuses, and says soon that it is degraded; it takes events again as soon as there is
/// room; everything acknowledged arrives.
#[test]
fn d5_a_full_disk() {
    let Some(disk) = Tmpfs::mount(40) else { return };
    let (oracle, books) = (Oracle::new(60 << 10), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    sink.be(Mood::Unavailable);
    // The log may take more than there is: the disk is what ends first.
    let rig = Rig::at(&disk.path().join("state"), Door::Otlp, &[sink.port]);
    let lanner = rig.start();
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 16 << 20]).unwrap();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let mut refused = 0;
    wait::until("the disk is full", ARRIVAL, || {
        refused = if sender.send().is_some() { 0 } else { refused + 1 };
        (refused > 5).then_some(())
    });
    let degraded = storage_is(&rig, "StatusRecoverableError");
    let before = oracle.count();
    assert!(before > 20, "there was room at first: {before}");
    fs::remove_file(&ballast).unwrap();
    let freed = Instant::now();
    sender.send_until_taken(NOTICED);
    let again = freed.elapsed();
    storage_is(&rig, "StatusOK");
    sink.be(Mood::Takes);
    sender.send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    assert_eq!(lanner.stop().row("logs -> otlp_grpc/0").rejected, 0);
    let verdict = oracle.judge(&books);
    println!("full after {before}; degraded after {degraded:.0?}, takes again after {again:.0?}: {verdict}");
    verdict.assert_clean();
}

/// What strace shall do to syncs of the first segments, and only to those.
fn on_segments(rig: &Rig, inject: &str) -> Vec<String> {
    let paths = (0..64).flat_map(|number| ["-P".to_owned(), rig.segment(number).display().to_string()]);
    ["-e", "trace=fdatasync,pwritev,pwrite64", "-e", inject].map(str::to_owned).into_iter().chain(paths).collect()
}

pub fn start_traced(rig: &Rig, log: &Path, inject: &str) -> Lanner {
    let options = on_segments(rig, inject);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut lanner = rig.spawn_traced(log, &options);
    if let Err(status) = lanner.ready(START) {
        panic!("ended with {status}:\n{}", lanner.stderr());
    }
    lanner
}

/// Scenario: D6: one sync of a segment fails with an I/O error.
/// Guarantee: what waited for it is not acknowledged; that file is never written or synced again; the next event goes into a
/// new file; the error is counted once; everything acknowledged arrives.
#[test]
fn d6_a_failed_sync() {
    if !strace::available() {
        return;
    }
    let (oracle, books, dir) = (Oracle::new(300), Books::default(), TempDir::new());
    let sink = OracleSink::listen(0, &oracle, &books);
    // Nothing is settled meanwhile, so every sync is that of an event.
    sink.be(Mood::Unavailable);
    let rig = Rig::new(Door::Otlp, &[sink.port]);
    let log = dir.path().join("calls");
    let lanner = start_traced(&rig, &log, "inject=fdatasync:error=EIO:when=6");
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let answers: Vec<bool> = (0..20).map(|_| sender.send().is_some()).collect();
    assert_eq!(answers.iter().filter(|taken| !**taken).count(), 1, "{answers:?}");
    wait::until("the error is counted", NOTICED, || {
        (Lanner::metric(&rig.metrics_page(), "lanner_queue_write_errors", "") == 1.0).then_some(())
    });
    sink.be(Mood::Takes);
    oracle.wait_for(&books, ARRIVAL);
    lanner.stop().row("logs -> otlp_grpc/0");
    oracle.judge(&books).assert_clean();
    let calls = fs::read_to_string(log).unwrap();
    let (before, after) = calls.split_once("(INJECTED)").unwrap();
    let path = |line: &str| line.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_owned()));
    let failed = before.lines().last().and_then(path).unwrap();
    let later: Vec<String> = after.lines().filter_map(path).collect();
    assert!(!later.is_empty() && !later.contains(&failed), "{failed} was touched again: {calls}");
}

/// Scenario: D6: from some moment on every sync of every segment fails; then the process is started again with a good disk.
/// Guarantee: nothing is acknowledged that is not on disk; the process stays up, is seen as degraded and does not fill the
/// disk or its log; what was acknowledged before arrives.
#[test]
fn d6_a_dead_disk() {
    if !strace::available() {
        return;
    }
    let (oracle, books, dir) = (Oracle::new(300), Books::default(), TempDir::new());
    let sink = OracleSink::listen(0, &oracle, &books);
    sink.be(Mood::Unavailable);
    let rig = Rig::new(Door::Otlp, &[sink.port]);
    let lanner = start_traced(&rig, &dir.path().join("calls"), "inject=fdatasync:error=EIO:when=6+");
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    let taken = (0..60).filter(|_| sender.send().is_some()).count();
    assert!((1..20).contains(&taken), "{taken}");
    storage_is(&rig, "StatusRecoverableError");
    let files = fs::read_dir(rig.queue_folder()).unwrap().count();
    assert!(files < 10, "{files} files");
    let lines = lanner.stderr().lines().count();
    assert!(lines < 60, "{lines} lines for 60 refusals: {}", lanner.stderr());
    lanner.kill();
    sink.be(Mood::Takes);
    let lanner = rig.start();
    sender.send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    lanner.stop().row("logs -> otlp_grpc/0");
    let verdict = oracle.judge(&books);
    println!("{files} files, {lines} lines: {verdict}");
    verdict.assert_clean();
}

/// Events of D4.
const EVENTS: u64 = 300;

/// Scenario: D4: the process ends in good order with a queue on disk; a bit of a file is flipped, or a file is cut; it is
/// started again.
/// Guarantee: it starts; a flipped bit costs at most the one event it hits, and the log says how many are lost; a cut costs
/// what was behind it; all others arrive whole, and a new event passes.
#[test]
fn d4_damaged_files() {
    let (state, oracle) = (TempDir::new(), Oracle::new(500));
    let full = state.path().join("full");
    let sink = OracleSink::listen(0, &oracle, &Books::default());
    sink.be(Mood::Unavailable);
    let rig = Rig { max_size_mib: 8, ..Rig::at(&full, Door::Falco, &[sink.port]) };
    let lanner = rig.start();
    let mut sender = Sender::new(rig.door, rig.port, &oracle);
    for _ in 0..EVENTS {
        sender.send_until_taken(ARRIVAL);
    }
    assert_eq!(lanner.stop().row("logs -> otlp_grpc/0").queued, EVENTS);
    drop(sink);
    let mut random = 1_u64;
    let (mut lost_to_flips, harms) = (0, if long() { 200 } else { 14 });
    for harm in 0..harms {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let copy = state.path().join(format!("copy{harm}"));
        copy_folder(&full, &copy);
        let file = largest(&copy.join("queue"));
        let mut bytes = fs::read(&file).unwrap();
        let at = (random >> 20) as usize % bytes.len();
        let is_cut = harm % 4 == 3;
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << (random >> 13 & 7);
        }
        fs::write(&file, bytes).unwrap();
        let lost = start_damaged(&copy, &oracle, is_cut);
        println!("{} at {at}: {lost} lost", if is_cut { "cut" } else { "bit flipped" });
        lost_to_flips += if is_cut { 0 } else { lost };
        fs::remove_dir_all(copy).unwrap();
    }
    assert!(lost_to_flips > 0, "some damage hit an event");
}

/// Starts on a damaged folder, waits until the queue is empty, and returns how many events did not come.
fn start_damaged(state: &Path, oracle: &Arc<Oracle>, is_cut: bool) -> u64 {
    let books = Books::default();
    let sink = OracleSink::listen(0, oracle, &books);
    let rig = Rig { max_size_mib: 8, ..Rig::at(state, Door::Falco, &[sink.port]) };
    let lanner = rig.start();
    let page = rig.metrics_page();
    wait::until("the queue is empty", ARRIVAL, || {
        (Lanner::metric(&page, "otelcol_exporter_queue_size", "") == 0.0).then_some(())
    });
    let came = books.order().into_iter().filter(|number| *number < EVENTS).count() as u64;
    let number = Sender::new(rig.door, rig.port, oracle).send_until_taken(ARRIVAL);
    wait::until("a new event arrives", ARRIVAL, || books.has(number).then_some(()));
    let reported: u64 = (lanner.stderr().lines())
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["lost_entries"].as_u64())
        .sum();
    lanner.stop().row("logs -> otlp_grpc/0");
    let verdict = oracle.judge(&books);
    assert!(verdict.spurious.is_empty() && verdict.corrupt.is_empty(), "{verdict}");
    let lost = EVENTS - came;
    if is_cut {
        assert!(reported <= lost, "{reported} reported, {lost} lost");
        let first: Vec<u64> = (0..came).collect();
        let mut order: Vec<u64> = books.order().into_iter().filter(|number| *number < EVENTS).collect();
        order.sort_unstable();
        assert_eq!(order, first, "what was in front of the cut is there");
    } else {
        assert!(lost <= 1 && reported == lost, "{reported} reported, {lost} lost");
    }
    lost
}

fn largest(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().path()
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Scenario: D22: events that no queue can hold: larger than a segment, larger than the receiver's limit; others between.
/// Guarantee: each is refused, none is acknowledged and dropped; the others arrive.
#[test]
fn d22_oversized_events() {
    for door in [Door::Falco, Door::Otlp] {
        let (oracle, books) = (Oracle::new(300), Books::default());
        let large = [6 << 20, 20 << 20].map(Oracle::new);
        let sink = OracleSink::listen(0, &oracle, &books);
        let rig = Rig::new(door, &[sink.port]);
        let lanner = rig.start();
        let mut sender = Sender::new(door, rig.port, &oracle);
        for oracle in &large {
            sender.send_until_taken(ARRIVAL);
            let taken = Sender::new(door, rig.port, oracle).send();
            // Falco's text is cut at the limit of an attribute or not; what is acknowledged must have come.
            println!("{door:?}, {} MiB: taken {}", oracle.text(0).len() >> 20, taken.is_some());
            assert!(taken.is_none(), "{door:?}: an event of {} bytes was acknowledged", oracle.text(0).len());
            assert_eq!(oracle.count(), 0);
        }
        sender.send_until_taken(ARRIVAL);
        oracle.wait_for(&books, ARRIVAL);
        let ledger = lanner.stop();
        let row = ledger.row("logs -> otlp_grpc/0");
        assert_eq!((row.delivered, row.rejected, row.queued), (3, 0, 0), "{}", row.text);
        oracle.judge(&books).assert_clean();
    }
}
