//! What `consume` and `export` may answer. Classified by type, never by text.

use std::time::Duration;

/// Why the engine did not take a batch. Nothing of a refused batch stays anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A queue or the memory budget is full; the same batch may be sent again.
    #[error("{full} is full; try again after {} ms", retry_after.as_millis())]
    Busy {
        /// What is full, for the sender and the log.
        full: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The process is stopping.
    #[error("stopping")]
    Draining,
    /// The batch can never be taken.
    #[error("{0}")]
    Invalid(String),
}

/// What one export attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has everything.
    Delivered,
    /// The sink has everything but `rejected` items, which it will never take (OTLP partial success).
    Partial { rejected: usize, reason: String },
    /// Nothing is known to have arrived; the engine tries again, not before `after` when the sink named a time.
    Retry { after: Option<Duration>, reason: String },
    /// The sink will never take this request as it is. The engine halves it, where it waits in a queue, to find out which
    /// items are at fault. Items that the exporter has settled in [`Request::progress`](super::Request::progress) stay
    /// settled, and only the open ones are halved; with every item settled it has told them apart itself.
    Reject { reason: String },
    /// The sink takes nothing from us, whatever it holds: credentials, address, a method it does not have. Halving would
    /// not help. Settled items stay settled.
    Refuse { reason: String },
}
