//! A log without threads: what the threads of [`Log`](crate::Log), the tools for a stopped log, and the tests share.

use crate::{
    error::{AppendError, OpenError},
    format::checksum::LogId,
    fs::Fs,
    index::{Index, Item, Limits, Slot, cost},
    options::Options,
    reader::Reader,
    recovery::{self, Access},
    stats::Recovered,
    writer::{Job, Put, Writer},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{io, sync::Arc};
use tokio::sync::oneshot;

/// The parts of an open log.
pub struct Core {
    pub index: Arc<Mutex<Index>>,
    pub writer: Writer,
    pub reader: Reader,
    pub found: Recovered,
}

impl Core {
    /// Recovers what is in the directory.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(fs: Arc<dyn Fs>, options: Options, access: Access) -> Result<Self, OpenError> {
        options.check()?;
        let recovery = recovery::recover(&*fs, &options, access)?;
        let index = Arc::new(Mutex::new(recovery.index));
        let log: LogId = recovery.log;
        let reader = Reader::new(Arc::clone(&fs), Arc::clone(&index), log);
        let (next, previous) = (recovery.next_number, recovery.previous);
        let writer = Writer::new(fs, Arc::clone(&index), options, log, next, previous);
        Ok(Self { index, writer, reader, found: recovery.found })
    }

    /// One append, settling entries with it.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append(&mut self, puts: &[(Slot, Bytes)], settles: &[(Slot, u64)]) -> Result<(), AppendError> {
        let puts = {
            let mut index = self.index.lock();
            let puts: Vec<Put> = puts.iter().filter_map(|(slot, payload)| index.put(*slot, payload.clone())).collect();
            let costs: Vec<(Slot, u64)> = puts.iter().map(|put| (put.slot, put.cost)).collect();
            index.admit(&costs)?;
            puts
        };
        let (done, mut answer) = oneshot::channel();
        self.writer.commit(vec![Job { puts, settles: settles.to_vec(), done: Some(done), waiting: None }]);
        answer.try_recv().unwrap_or(Err(AppendError::Closed))
    }

    /// Takes entries, from disk if need be.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn take(&mut self, slot: Slot, limits: Limits) -> io::Result<Vec<Item>> {
        loop {
            let taken = self.index.lock().take(slot, limits);
            if !taken.items.is_empty() || !taken.must_read {
                return Ok(taken.items);
            }
            self.reader.fill(slot)?;
        }
    }
}

impl Index {
    /// An entry for a queue, with what it costs there.
    pub fn put(&self, slot: Slot, payload: Bytes) -> Option<Put> {
        let queue = Arc::clone(&self.queues.get(slot)?.name);
        Some(Put { slot, cost: cost(&queue, payload.len()), queue, payload })
    }
}
