//! A real process, a real file system, and SIGKILL (D1).

use super::support::TempDir;
use crate::{
    index::Limits,
    log::{Append, Log, Queue},
    options::{Options, QueueOptions},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const CHILD: &str = "LANNER_QUEUE_TEST_CHILD";
/// Rounds are also bounded by time, so that a slow machine does not take minutes.
const LONGEST: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options { segment_bytes: 256 << 10, max_bytes: 64 << 20, hot_bytes: 64 << 10, ..Options::default() }
}

fn payload(round: u64, id: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(round << 32 | id);
    let size = random.usize(0..3000);
    let mut bytes = format!("{round} {id} ").into_bytes();
    bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(size));
    bytes.into()
}

fn parse(bytes: &Bytes) -> (u64, u64) {
    let mut words = bytes.splitn(3, |byte| *byte == b' ').map(|word| std::str::from_utf8(word).unwrap_or(""));
    let (round, id) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
    assert_eq!(payload(round, id), *bytes, "entry {round} {id} has other bytes");
    (round, id)
}

/// Appends to two queues with eight writers, says which appends were confirmed, and settles some of one queue,
/// saying so before.
async fn child(dir: &Path, round: u64) {
    let (log, found) = Log::open(dir, options()).await.unwrap();
    assert_eq!((found.corrupt_records, found.lost_entries), (0, 0), "{found:?}");
    let (kept, drained) = queues(&log);
    say("ready", round, 0);
    for writer in 0..8 {
        let (log, kept, drained) = (log.clone(), kept.clone(), drained.clone());
        tokio::spawn(async move {
            for id in (writer..).step_by(8) {
                let bytes = payload(round, id);
                let append = Append::new().put(&kept, bytes.clone()).put(&drained, bytes);
                log.append(append).await.unwrap();
                say("confirmed", round, id);
            }
        });
    }
    loop {
        drained.arrived().await;
        for entry in drained.take(Limits { entries: 20, bytes: 0 }) {
            let (of, id) = parse(&entry.payload());
            say("settled", of, id);
            entry.settle();
        }
    }
}

fn queues(log: &Log) -> (Queue, Queue) {
    let queue = |name| log.queue(name, QueueOptions::default()).unwrap();
    (queue("kept"), queue("drained"))
}

/// One write, so that a kill cuts no line in two.
fn say(what: &str, round: u64, id: u64) {
    let line = format!("@{what} {round} {id}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Scenario: a process that appends and settles under load is killed at a random moment, many times over, on the same
/// directory.
/// Guarantee: what was confirmed is there, whole, in both queues unless it was settled; nothing is damaged; nothing
/// comes twice in one life.
#[test]
fn d1_kill_under_load() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(job) = std::env::var(CHILD) {
        let (round, dir) = job.split_once(' ').unwrap();
        runtime.block_on(child(Path::new(dir), round.parse().unwrap()));
    }
    let dir = TempDir::new();
    let rounds: u64 = std::env::var("LANNER_QUEUE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let (mut confirmed, mut settled) = (BTreeSet::new(), BTreeSet::new());
    let (started, mut random, mut done) = (Instant::now(), fastrand::Rng::with_seed(1), 0);
    while done < rounds && (done < 5 || started.elapsed() < LONGEST) {
        kill_one(&dir.log(), done, random.usize(1..400), &mut confirmed, &mut settled);
        done += 1;
    }
    let (kept, drained, found) = runtime.block_on(async {
        let (log, found) = Log::open(&dir.log(), options()).await.unwrap();
        let (kept, drained) = queues(&log);
        let all = (all(&kept).await, all(&drained).await, found);
        log.close().await;
        all
    });
    assert_eq!((found.corrupt_records, found.lost_entries), (0, 0));
    let missing = confirmed.iter().filter(|id| !kept.contains_key(id)).count();
    let undelivered = confirmed.iter().filter(|id| !drained.contains_key(id) && !settled.contains(*id)).count();
    println!(
        "{done} kills: {} confirmed, {} kept, {missing} missing, {undelivered} undelivered",
        confirmed.len(),
        kept.len()
    );
    assert_eq!((missing, undelivered), (0, 0));
    assert!(kept.values().chain(drained.values()).all(|count| *count == 1), "an entry is there twice");
    assert!(confirmed.len() > 100 && !settled.is_empty(), "there was load");
}

fn kill_one(
    dir: &Path,
    round: u64,
    after: usize,
    confirmed: &mut BTreeSet<(u64, u64)>,
    settled: &mut BTreeSet<(u64, u64)>,
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::process::d1_kill_under_load", "--nocapture"])
        .env(CHILD, format!("{round} {}", dir.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut ready, mut said) = (false, 0);
    // The child is read to its end, so that nothing it said before the kill is missed.
    while let Some(Ok(line)) = lines.next() {
        // The first lines are those of the test harness, and one of them lacks its end.
        let Some((_, line)) = line.split_once('@') else { continue };
        let words: Vec<&str> = line.split(' ').collect();
        let id = (words[1].parse().unwrap(), words[2].parse().unwrap());
        match words[0] {
            "ready" => ready = true,
            "confirmed" => drop(confirmed.insert(id)),
            _ => drop(settled.insert(id)),
        }
        said += 1;
        if ready && said >= after {
            // SIGKILL; killing again does no harm.
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(ready && status.code().is_none(), "the child ended by itself: {status}");
}

/// Everything that waits, with how often it is there.
async fn all(queue: &Queue) -> BTreeMap<(u64, u64), u64> {
    let mut seen = BTreeMap::new();
    while queue.stats().entries > 0 {
        tokio::time::timeout(LONGEST, queue.arrived()).await.expect("what waits can be taken");
        for entry in queue.take(Limits { entries: 100, bytes: 0 }) {
            *seen.entry(parse(&entry.payload())).or_default() += 1;
            entry.settle();
        }
    }
    seen
}
