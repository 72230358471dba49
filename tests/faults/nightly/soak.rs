//! A long time with everything that happens in it (D26): kills, a full disk, a network that breaks, reloads.

use crate::{
    disk::Tmpfs,
    long,
    rig::Rig,
    support::{
        curl,
        fault_proxy::{Fault, FaultProxy},
        lanner::{Lanner, sum},
        load::{Door, Load, Sender},
        oracle::{Books, Oracle},
        oracle_sink::OracleSink,
        wait,
    },
};
use std::{
    fs,
    time::{Duration, Instant},
};

const ARRIVAL: Duration = Duration::from_secs(120);
const SENDERS: u32 = 8;
/// Events a second, and how many at most: the oracle remembers each.
const RATE: u64 = 400;
const MOST: u64 = 5_000_000;
/// Of the file system, of the files of the queue, and of what fills the disk up, in MiB.
const DISK: u64 = 32;
const QUEUE: u64 = 16;
const BALLAST: u64 = 30;

/// How long: `LANNER_SOAK_SECONDS`, else five minutes in the long suite and a few seconds in `make test`.
fn length() -> Duration {
    let asked = std::env::var("LANNER_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(if long() { 300 } else { 10 }))
}

/// What the faults are drawn from: `LANNER_SOAK_SEED` repeats a run.
fn seed() -> u64 {
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
    std::env::var("LANNER_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(now)
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// D1
    Kill,
    /// D5
    DiskFull,
    /// D9
    Network(Fault),
    /// D16
    Reload,
    /// D16, of a configuration with a mistake.
    InvalidReload,
}

const EVENTS: [Event; 8] = [
    Event::Reload,
    Event::DiskFull,
    Event::Network(Fault::Reset),
    Event::Kill,
    Event::InvalidReload,
    Event::Network(Fault::HalfClose),
    Event::Network(Fault::Corrupt),
    Event::Network(Fault::Delay(Duration::from_millis(100))),
];

/// What the process takes when nothing is wrong.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    rss_kib: u64,
    files: usize,
    disk: u64,
}

/// The parts of the test.
struct Soak {
    rig: Rig,
    disk: Tmpfs,
    proxy: FaultProxy,
    lanner: Option<Lanner>,
    reloads: u32,
}

impl Soak {
    fn lanner(&self) -> &Lanner {
        self.lanner.as_ref().unwrap()
    }

    fn page(&self) -> String {
        let (status, page) = curl::get(&self.rig.metrics_page(), &[]);
        if status == 200 { page } else { String::new() }
    }

    fn happen(&mut self, event: Event, hold: Duration) {
        match event {
            Event::Kill => {
                self.lanner.take().unwrap().kill();
                self.lanner = Some(self.rig.start());
            }
            Event::DiskFull => {
                let ballast = self.disk.path().join("ballast");
                // As much as there is room for.
                let _ = fs::write(&ballast, vec![1; (BALLAST << 20) as usize]);
                std::thread::park_timeout(hold);
                fs::remove_file(&ballast).unwrap();
            }
            Event::Network(fault) => {
                self.proxy.set(fault);
                std::thread::park_timeout(hold);
                self.proxy.set(Fault::None);
            }
            Event::Reload => {
                self.reloads += 1;
                let interval = format!("max_interval: {}ms", 250 + self.reloads % 100);
                self.reload(&self.rig.config().replace("max_interval: 250ms", &interval), "success");
            }
            Event::InvalidReload => self.reload("exporters: {otlp_grpc: {endpoint: [1]}}", "invalid"),
        }
    }

    fn reload(&self, config: &str, result: &str) {
        let count = || sum(&self.page(), "lanner_reloads", &format!("result=\"{result}\""));
        let before = count();
        fs::write(self.lanner().dir.path().join("config.yaml"), config).unwrap();
        self.lanner().signal("HUP");
        wait::until(&format!("a reload with the result {result}"), ARRIVAL, || (count() > before).then_some(()));
    }

    /// Waits until nothing waits, and looks.
    fn sample(&self, at: Duration) -> Sample {
        wait::until("the queue has drained", ARRIVAL, || {
            let page = self.page();
            (page.contains("otelcol_exporter_queue_size") && sum(&page, "otelcol_exporter_queue_size", "") < 100.0)
                .then_some(())
        });
        let files = fs::read_dir(format!("/proc/{}/fd", self.lanner().pid())).unwrap().count();
        let disk = fs::read_dir(self.rig.queue_folder())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().map_or(0, |file| file.len()));
        Sample { at, rss_kib: self.lanner().rss_kib(), files, disk: disk.sum() }
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Scenario: D26: under a steady load, kills, full disks, broken networks and reloads follow each other at random for a while:
/// seconds in `make test`, five minutes in `make test-faults`, a day with `LANNER_SOAK_SECONDS=86400`.
/// Guarantee: the sums are exact at the end; memory does not grow, nor the number of open files, and the files of the queue
/// stay within their bound.
#[test]
fn d26_soak() {
    let Some(disk) = Tmpfs::mount(DISK) else { return };
    let (length, seed) = (length(), seed());
    println!("LANNER_SOAK_SEED={seed}");
    let (oracle, books) = (Oracle::new(300), Books::default());
    let sink = OracleSink::listen(0, &oracle, &books);
    let proxy = FaultProxy::before(sink.port);
    let keys = "timeout: 2s, retry_on_failure: {initial_interval: 50ms, max_interval: 250ms}";
    let state = disk.path().join("state");
    let rig = Rig { max_size_mib: QUEUE, exporter: keys, ..Rig::at(&state, Door::Falco, &[proxy.port]) };
    let mut soak = Soak { lanner: Some(rig.start()), rig, disk, proxy, reloads: 0 };
    let rate = RATE.min(MOST / length.as_secs().max(1)).max(1) as u32;
    let load = Load::start(soak.rig.door, soak.rig.port, &oracle, SENDERS, rate);
    let start = Instant::now();
    let (mut random, mut round, mut samples) = (seed | 1, 0, Vec::new());
    while start.elapsed() < length || round < EVENTS.len() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Each once, so that a short run has all of them.
        let event = EVENTS.get(round).copied().unwrap_or(EVENTS[(random >> 40) as usize % EVENTS.len()]);
        soak.happen(event, Duration::from_millis(200 + (random >> 20) % 1000));
        let arrived = books.count();
        wait::until("events arrive again", ARRIVAL, || (books.count() > arrived + 20).then_some(()));
        samples.push(soak.sample(start.elapsed()));
        round += 1;
    }
    load.stop();
    Sender::new(soak.rig.door, soak.rig.port, &oracle).send_until_taken(ARRIVAL);
    oracle.wait_for(&books, ARRIVAL);
    let ledger = soak.lanner.take().unwrap().stop();
    let row = ledger.row("logs -> otlp_grpc/0");
    assert_eq!((row.queued, row.rejected), (0, 0), "{}", row.text);
    let verdict = oracle.judge(&books);
    let (first, last) = (&samples[..samples.len().div_ceil(4)], &samples[samples.len() * 3 / 4..]);
    let rss = |samples: &[Sample]| median(samples.iter().map(|sample| sample.rss_kib).collect());
    let files = |samples: &[Sample]| median(samples.iter().map(|sample| sample.files as u64).collect());
    println!(
        "{round} events in {:.0?}; {} KiB, then {}; {} files, then {}: {verdict}",
        start.elapsed(),
        rss(first),
        rss(last),
        files(first),
        files(last)
    );
    verdict.assert_clean();
    assert!(verdict.duplicates > 0, "something was sent again");
    // A MiB for every hour, and what caches take until they are full.
    let hours = last[0].at.as_secs() / 3600;
    assert!(rss(last) < rss(first) + ((32 + hours) << 10), "{samples:?}");
    assert!(files(last) <= files(first) + 16, "{samples:?}");
    let most = samples.iter().map(|sample| sample.disk).max().unwrap();
    assert!(most <= (QUEUE + 4) << 20, "{most} bytes");
}
