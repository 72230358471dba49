//! `Entrance`: the way from a request of either protocol into the pipelines.

use super::refusal::Refusal;
use crate::counters::ByReason;
use bytes::Bytes;
use lanner_engine::{component::Admission, event::OtlpRequest, prelude::*};

/// What the receiver counts beside the engine's ledger.
pub struct Counters {
    lost: ByReason,
}

impl Counters {
    pub fn register(cx: &BuildCx) -> Self {
        Self { lost: ByReason::lost(cx) }
    }
}

/// What requests of both protocols share.
pub struct Entrance {
    out: Consumer,
    connected: Signals,
    drain: Drain,
    counters: Counters,
}

/// Counts a request whose sender left before there was an answer; hyper drops its future then.
struct Gone<'a> {
    entrance: &'a Entrance,
    armed: bool,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.entrance.counters.lost.add("sender_gone", 1);
        }
    }
}

impl Entrance {
    pub fn new(out: Consumer, drain: Drain, counters: Counters) -> Self {
        Self { connected: out.signals(), out, drain, counters }
    }

    /// Counts what `work` comes to: the one place where a request is counted.
    pub async fn count(
        &self,
        signal: Option<Signal>,
        work: impl Future<Output = Result<(), Refusal>>,
    ) -> Result<(), Refusal> {
        let mut gone = Gone { entrance: self, armed: true };
        let result = work.await;
        gone.armed = false;
        if let Err(refusal) = &result {
            self.counters.lost.add(refusal.reason(), 1);
            if signal == Some(Signal::Logs) && refusal.is_final() {
                self.out.failed(1, refusal.reason());
            }
        }
        result
    }

    /// Whether a request of `signal` may come in at all; asked before its body is read.
    ///
    /// # Errors
    /// No pipeline takes the signal, or the receiver is stopping.
    pub fn open_for(&self, signal: Signal) -> Result<(), Refusal> {
        if !self.connected.contains(signal) {
            return Err(Refusal::NotConnected(signal));
        }
        if self.drain.is_requested() { Err(Refused::Draining.into()) } else { Ok(()) }
    }

    /// Room in the memory budget, for [`lanner_engine::net::read_body`].
    ///
    /// # Errors
    /// As [`Consumer::admit`].
    pub fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        self.out.admit(bytes)
    }

    /// Hands a request in protobuf over as it is.
    ///
    /// # Errors
    /// The bytes are no request of this signal, or the engine did not take them.
    pub async fn hand_over(&self, signal: Signal, bytes: Bytes) -> Result<(), Refusal> {
        let request = OtlpRequest::parse(signal, bytes)?;
        Ok(self.out.consume(Batch::otlp(request)).await?)
    }
}
