//! The load: a closed loop over connections that stay, or requests at a rate; made to cost little beside what it measures.
//!
//! Promises: whatever does not answer counts as failed after five seconds; a refused request is counted and never sent again.

mod grpc;
mod http;
mod pace;

use crate::{Error, payload::Request};
use pace::Pace;
use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout, timeout_at};

/// An answer that is not there by then after the end of the load is an error, and so is a connection that is not made.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a sender waits whose request was refused.
const BREAK: Duration = Duration::from_millis(1);
/// Connections that are made at the same time.
const CONNECTING: usize = 64;

/// What is sent, and over what.
#[derive(Clone, Debug)]
pub struct Load {
    pub requests: Arc<[Request]>,
    pub wire: Wire,
    pub connections: usize,
    /// Requests a second, over all connections. Without one, the next request of a connection follows the answer at once.
    pub rate: Option<NonZeroU32>,
}

#[derive(Clone, Copy, Debug)]
pub enum Wire {
    /// HTTP/1.1, a request on its way on each connection.
    Http,
    /// gRPC, so many calls of OTLP's log service on their way on each connection.
    Grpc { in_flight: usize },
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Events of requests that were answered with success.
    pub accepted: u64,
    /// Records that are to arrive because of them.
    pub arrivals: u64,
    /// Requests answered with something else.
    pub refused: u64,
    /// Requests that had no answer.
    pub failed: u64,
    /// How long each answer took, in microseconds, in no order.
    pub latencies: Vec<u32>,
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.arrivals += other.arrivals;
        self.refused += other.refused;
        self.failed += other.failed;
        self.latencies.extend(other.latencies);
    }

    /// The latency that this share of the answers, 0 to 1, stayed at or below.
    pub fn latency(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        Duration::from_micros(sorted.get((last as f64 * share) as usize).copied().unwrap_or_default().into())
    }
}

/// Connected senders, each with at most one request on its way.
pub struct Senders {
    slots: Vec<Slot>,
    requests: Arc<[Request]>,
    rate: Option<NonZeroU32>,
}

struct Slot {
    wire: Connected,
    /// Which request is next.
    next: usize,
}

enum Connected {
    Http(http::Connection),
    Grpc(grpc::Calls),
}

impl Senders {
    pub async fn connect(load: &Load, address: SocketAddr) -> Result<Self, Error> {
        let mut wires = Vec::new();
        while wires.len() < load.connections {
            let some = CONNECTING.min(load.connections - wires.len());
            let connecting: Vec<_> = (0..some).map(|_| tokio::spawn(Connected::new(load.wire, address))).collect();
            for connected in connecting {
                wires.push(timeout(PATIENCE, connected).await???);
            }
        }
        let wires: Vec<_> = wires.into_iter().flat_map(|wire| wire.senders(load.wire)).collect();
        let (count, requests) = (wires.len(), load.requests.len());
        let slot = |(index, wire)| Slot { wire, next: index * requests / count };
        let slots = wires.into_iter().enumerate().map(slot).collect();
        Ok(Self { slots, requests: Arc::clone(&load.requests), rate: load.rate })
    }

    /// Sends for as long as `length`, then waits for the answers.
    pub async fn send(&mut self, length: Duration) -> Result<Sent, Error> {
        let end = Instant::now() + length;
        let pace = self.rate.map(|rate| Pace::until(end, rate));
        let send = |slot: Slot| tokio::spawn(slot.send(Arc::clone(&self.requests), pace.clone(), end));
        let sending: Vec<_> = self.slots.drain(..).map(send).collect();
        let mut sum = Sent::default();
        for slot in sending {
            let (sent, slot) = slot.await?;
            sum.add(sent);
            self.slots.push(slot);
        }
        Ok(sum)
    }
}

impl Slot {
    async fn send(mut self, requests: Arc<[Request]>, pace: Option<Pace>, end: Instant) -> (Sent, Self) {
        let mut sent = Sent::default();
        let talk = async {
            loop {
                if let Some(pace) = &pace
                    && !pace.turn().await
                {
                    return Ok(());
                }
                let start = Instant::now();
                if start >= end {
                    return Ok::<_, io::Error>(());
                }
                let request = &requests[self.next % requests.len()];
                self.next += 1;
                let accepted = match &mut self.wire {
                    Connected::Http(connection) => connection.exchange(request).await?,
                    Connected::Grpc(calls) => calls.exchange(request).await?,
                };
                if accepted {
                    sent.accepted += request.events;
                    sent.arrivals += request.arrivals;
                    sent.latencies.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                } else {
                    sent.refused += 1;
                    sleep(BREAK).await;
                }
            }
        };
        if !matches!(timeout_at((end + PATIENCE).into(), talk).await, Ok(Ok(()))) {
            sent.failed += 1;
        }
        (sent, self)
    }
}

impl Connected {
    async fn new(wire: Wire, address: SocketAddr) -> Result<Self, Error> {
        Ok(match wire {
            Wire::Http => Self::Http(http::Connection::new(address).await?),
            Wire::Grpc { .. } => Self::Grpc(grpc::Calls::new(address).await?),
        })
    }

    /// As many senders as requests may be on their way.
    fn senders(self, wire: Wire) -> Vec<Self> {
        match (self, wire) {
            (Self::Grpc(calls), Wire::Grpc { in_flight }) => {
                (0..in_flight).map(|_| Self::Grpc(calls.clone())).collect()
            }
            (one, _) => vec![one],
        }
    }
}
