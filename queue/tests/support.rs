//! What several tests need.

use crate::{
    core::Core,
    error::AppendError,
    fs::{Fs, simulated::Simulated},
    index::{Limits, Slot},
    options::{Options, QueueOptions},
    recovery::Access,
    writer::Job,
};
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::oneshot;

pub fn open(fs: &Simulated, options: &Options) -> Core {
    Core::open(Arc::new(fs.clone()) as Arc<dyn Fs>, options.clone(), Access::Write).unwrap()
}

impl Core {
    pub fn declare(&self, name: &str, options: QueueOptions) -> Slot {
        self.index.lock().declare(name, options).unwrap()
    }

    /// One entry to one queue.
    pub fn put(&mut self, slot: Slot, payload: impl Into<Bytes>) -> Result<(), AppendError> {
        self.append(&[(slot, payload.into())], &[])
    }

    /// Several appends in one group.
    pub fn append_together(&mut self, appends: &[Vec<(Slot, Bytes)>]) -> Vec<Result<(), AppendError>> {
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for append in appends {
            let mut index = self.index.lock();
            let puts: Vec<_> = append.iter().filter_map(|(slot, bytes)| index.put(*slot, bytes.clone())).collect();
            let costs: Vec<_> = puts.iter().map(|put| (put.slot, put.cost)).collect();
            let admitted = index.admit(&costs);
            drop(index);
            let (done, answer) = oneshot::channel();
            answers.push(admitted.map(|()| {
                jobs.push(Job { puts, done: Some(done), ..Job::default() });
                answer
            }));
        }
        self.writer.commit(jobs);
        answers.into_iter().map(|answer| answer?.try_recv().unwrap_or(Err(AppendError::Closed))).collect()
    }

    /// All payloads that wait, taken and settled.
    pub fn drain(&mut self, slot: Slot) -> Vec<Bytes> {
        let mut payloads = Vec::new();
        loop {
            let items = self.take(slot, Limits::default()).unwrap();
            if items.is_empty() {
                return payloads;
            }
            for item in items {
                self.index.lock().settle(slot, item.offset);
                payloads.push(item.payload);
            }
        }
    }

    pub fn stats(&self) -> crate::stats::Stats {
        self.index.lock().stats(crate::writer::now())
    }
}

/// A directory that is gone with the test.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("lanner-queue-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Not there yet.
    pub fn log(&self) -> PathBuf {
        self.0.join("queue")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
