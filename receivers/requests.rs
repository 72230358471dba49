//! What receivers of requests share: every request of which something was not kept is counted, once, with its reason.
//!
//! Promises
//! - A request that is refused is counted under the reason it was refused for; one whose sender leaves before the answer,
//!   so that its future is dropped, under `sender_gone`.
//! - The engine's own count of refusals is not doubled: what it has not seen is told to it as failed.

use crate::counters::ByReason;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use lanner_engine::prelude::*;

/// An answer whose body is at hand.
pub(crate) type Answer = Response<Full<Bytes>>;

/// The reason under which a request counts that the pipeline did not take in time.
pub(crate) const HELD: &str = "held_too_long";

/// A request that was not taken, or not to its end: the reason for the count, and the answer.
pub(crate) struct Lost {
    pub reason: &'static str,
    pub answer: Answer,
    /// Whether the engine has seen a batch and counts the refusal itself.
    seen: bool,
}

impl Lost {
    /// The engine has refused a batch of it.
    pub fn refused(reason: &'static str, answer: Answer) -> Self {
        Self { reason, answer, seen: true }
    }

    /// The engine has seen nothing of it.
    pub fn unseen(reason: &'static str, answer: Answer) -> Self {
        Self { reason, answer, seen: false }
    }

    /// The same, of which the engine has seen nothing.
    pub fn before_the_engine(self) -> Self {
        Self { seen: false, ..self }
    }
}

/// Counts the requests of one receiver that were not kept.
pub(crate) struct Losses(ByReason);

impl Losses {
    pub fn new(cx: &BuildCx) -> Self {
        Self(ByReason::lost(cx))
    }

    /// Begins a request. Whatever becomes of it is counted, once: by what it came to, or when this is dropped before.
    pub fn begin<'r>(&'r self, out: &'r Consumer) -> Open<'r> {
        Open { losses: self, out, armed: true }
    }
}

/// A request without an answer. Dropped as such it counts as one whose sender left: hyper drops the future of a request
/// whose connection broke.
#[must_use = "dropped, the request counts as lost"]
pub(crate) struct Open<'r> {
    losses: &'r Losses,
    out: &'r Consumer,
    armed: bool,
}

impl Open<'_> {
    /// What the request came to; counts what was lost of it.
    pub fn end(mut self, result: Result<Answer, Lost>) -> Answer {
        self.armed = false;
        result.unwrap_or_else(|lost| {
            self.losses.0.add(lost.reason, 1);
            if !lost.seen {
                self.out.failed(1, lost.reason);
            }
            lost.answer
        })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.losses.0.add("sender_gone", 1);
            self.out.failed(1, "sender_gone");
        }
    }
}
