//! How fast the log appends, on the disk it is pointed at. Prints figures, asserts nothing.
//!
//! ```sh
//! cargo run --release -p lanner-queue --example append_bench -- /var/tmp/queue-bench
//! ```
//!
//! Every append is one entry to one queue, which a sender settles as it comes. `fsync/append` below 1 is group commit
//! at work; CPU is that of the whole process, sender and acknowledgements included.

use bytes::Bytes;
use lanner_queue::{Append, Limits, Log, Options, QueueOptions};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

const LASTS: Duration = Duration::from_secs(2);

fn main() {
    let dir = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("lanner-queue-bench"), PathBuf::from);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("  bytes writers  appends/s     MB/s  fsync/append   p50 us   p99 us  CPU us/append");
    for size in [256, 4 << 10, 64 << 10] {
        for writers in [1, 16, 256] {
            runtime.block_on(measure(&dir, size, writers));
        }
    }
    runtime.block_on(recover(&dir));
    let _ = std::fs::remove_dir_all(dir);
}

/// How long a start takes with half a gigabyte that waits.
async fn recover(dir: &Path) {
    const SIZE: usize = 2 << 10;
    const COUNT: usize = (512 << 20) / SIZE;
    let _ = std::fs::remove_dir_all(dir);
    let (log, _) = Log::open(dir, Options::default()).await.expect("an empty directory");
    let queue = log.queue("bench", QueueOptions::default()).expect("a name");
    let payload = Bytes::from(vec![b'.'; SIZE]);
    for _ in 0..COUNT / 128 {
        let append = (0..128).fold(Append::new(), |append, _| append.put(&queue, payload.clone()));
        log.append(append).await.expect("a disk that works");
    }
    log.close().await;
    let before = Instant::now();
    let (log, found) = Log::open(dir, Options::default()).await.expect("what was closed");
    println!("recovery of {} entries of {SIZE} bytes: {:?} (files in the page cache)", found.entries, before.elapsed());
    let queue = log.queue("bench", QueueOptions::default()).expect("a name");
    let (before, mut taken) = (Instant::now(), 0);
    while taken < found.entries {
        queue.arrived().await;
        for entry in queue.take(Limits { entries: 64, bytes: 0 }) {
            taken += 1;
            entry.settle();
        }
    }
    println!("reading them back: {:.0} MB/s", 512.0 * 1.048_576 / before.elapsed().as_secs_f64());
    log.close().await;
}

async fn measure(dir: &Path, size: usize, writers: usize) {
    let _ = std::fs::remove_dir_all(dir);
    let (log, _) = Log::open(dir, Options::default()).await.expect("an empty directory");
    let queue = log.queue("bench", QueueOptions::default()).expect("a name");
    let drained = queue.clone();
    let sender = tokio::spawn(async move {
        loop {
            drained.arrived().await;
            drained.take(Limits { entries: 64, bytes: 0 }).into_iter().for_each(|entry| entry.settle());
        }
    });
    let payload = Bytes::from(vec![b'.'; size]);
    let (count, started, cpu) = (Arc::new(AtomicU64::new(0)), Instant::now(), cpu());
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (log, queue, payload, count) = (log.clone(), queue.clone(), payload.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < LASTS {
                    let before = Instant::now();
                    log.append(Append::new().put(&queue, payload.clone())).await.expect("a disk that works");
                    times.push(before.elapsed());
                    count.fetch_add(1, Relaxed);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a task that ends"));
    }
    let (took, used) = (started.elapsed().as_secs_f64(), crate::cpu() - cpu);
    sender.abort();
    times.sort_unstable();
    let quantile = |part: usize| times.get(times.len() * part / 100).map_or(0, Duration::as_micros);
    let (appends, syncs) = (count.load(Relaxed) as f64, log.stats().counts.syncs.count as f64);
    println!(
        "{size:>7} {writers:>7} {:>10.0} {:>8.1} {:>13.3} {:>8} {:>8} {:>14.1}",
        appends / took,
        appends * size as f64 / took / 1e6,
        syncs / appends,
        quantile(50),
        quantile(99),
        used.as_secs_f64() * 1e6 / appends,
    );
    log.close().await;
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
