//! Making room in a full log: the oldest requests of queues that are set to `on_full: drop_oldest` go.
//!
//! Promises: only what no sender has taken goes, the oldest first, of the queue that has most; each item is counted as
//! rejected under [`DROPPED_OLDEST`](super::ledger::reason::DROPPED_OLDEST) and is no longer queued.
//!
//! Why not the log's own policy of that name: the log counts entries and knows nothing of items and pipelines.

use super::queue::SendingQueue;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// The queues of a log that give way. Clones share it.
#[derive(Clone, Default)]
pub struct Shedding(Arc<Mutex<Vec<Weak<SendingQueue>>>>);

impl Shedding {
    /// Lets a queue give way, or not any more.
    pub fn set(&self, queue: &Arc<SendingQueue>, gives_way: bool) {
        let mut queues = self.0.lock();
        queues.retain(|other| other.strong_count() > 0 && other.as_ptr() != Arc::as_ptr(queue));
        if gives_way {
            queues.push(Arc::downgrade(queue));
        }
    }

    /// Drops about so many bytes; false when there was nothing to drop. Cancel-safe.
    pub(super) async fn make_room(&self, bytes: u64) -> bool {
        let mut queues: Vec<Arc<SendingQueue>> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        queues.sort_by_key(|queue| std::cmp::Reverse(queue.disk().map_or(0, |disk| disk.stats().bytes)));
        let mut freed = 0;
        for queue in queues {
            freed += queue.shed(bytes - freed).await;
            if freed >= bytes {
                break;
            }
        }
        freed > 0
    }
}
