//! `Entrance`: the way from a request of either protocol into the pipelines.

use super::{refusal::Refusal, taken::Taken};
use crate::counters::ByReason;
use bytes::Bytes;
use lanner_engine::{
    component::Admission,
    event::{
        OtlpRequest,
        otlp::{Salvaged, salvage_logs},
    },
    prelude::*,
};
use std::time::Duration;

/// Larger requests are searched for what can be read beside the connection tasks, which share few threads.
const INLINE: usize = 256 << 10;

/// How long a request is held while the sinks do not keep up.
const PACE: Duration = Duration::from_millis(200);

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
        work: impl Future<Output = Result<Taken, Refusal>>,
    ) -> Result<Taken, Refusal> {
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

    /// Hands a request in protobuf over as it is, or, when somebody behind must look at its records and some cannot be
    /// read, without those.
    ///
    /// # Errors
    /// The bytes are no request of this signal, or the engine did not take them.
    pub async fn hand_over(&self, signal: Signal, bytes: Bytes) -> Result<Taken, Refusal> {
        let request = OtlpRequest::parse(signal, bytes.clone())?;
        self.out.pace(PACE).await;
        match self.out.consume(Batch::otlp(request)).await {
            Ok(()) => Ok(Taken::All),
            Err(Refused::Invalid(why)) if signal == Signal::Logs => self.hand_over_rest(bytes, why).await,
            Err(refused) => Err(refused.into()),
        }
    }

    async fn hand_over_rest(&self, bytes: Bytes, why: String) -> Result<Taken, Refusal> {
        // What is left is a copy.
        let _room = self.admit(bytes.len())?;
        let salvaged = if bytes.len() > INLINE {
            tokio::task::spawn_blocking(move || salvage_logs(&bytes)).await.unwrap_or(Ok(None))?
        } else {
            salvage_logs(&bytes)?
        };
        let Some(Salvaged { request, rejected, first }) = salvaged.filter(|left| left.request.items > 0) else {
            return Err(Refused::Invalid(why).into());
        };
        self.out.consume(Batch::otlp(request)).await?;
        self.out.failed(rejected as u64, "malformed");
        Ok(Taken::Partly { rejected, why: format!("{rejected} log records cannot be read and were left out; {first}") })
    }
}
