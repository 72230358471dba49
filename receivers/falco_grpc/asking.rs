//! `Asking`: the requests of a stream, one now and one every interval.
//!
//! Falco writes all that is queued for each request and then waits for the next: a client that asks once and listens
//! gets one burst and starves. Whoever holds this asks only while waiting for alerts, so that while the pipelines are
//! busy nothing is asked for, and what queues up queues up at Falco.

use futures_util::{Stream, stream};
use lanner_engine::{prelude::Drain, telemetry::Counter};
use lanner_proto::falco::outputs::Request;
use std::{future::pending, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

/// Asks until the drain is given.
pub struct Asking {
    /// `None`: enough was asked.
    requests: Option<mpsc::Sender<Request>>,
    ticks: Interval,
    drain: Drain,
    asked: Counter,
}

impl Asking {
    /// The asking side and the requests it will make.
    pub fn new(every: Duration, drain: Drain, asked: Counter) -> (Self, impl Stream<Item = Request> + Send + 'static) {
        // One: while a request waits for the connection, another would say nothing new.
        let (sender, mut receiver) = mpsc::channel(1);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let asking = Self { requests: Some(sender), ticks, drain, asked };
        (asking, stream::poll_fn(move |cx| receiver.poll_recv(cx)))
    }

    /// Waits for the time and asks once; when the drain is given, says that there will be no more requests, upon which Falco
    /// ends the stream in its own time. Waits forever after that. Cancel-safe.
    pub async fn ask(&mut self) {
        let Some(requests) = &self.requests else { return pending().await };
        tokio::select! {
            biased;
            () = self.drain.requested() => self.requests = None,
            _ = self.ticks.tick() => if requests.try_send(Request {}).is_ok() {
                self.asked.add(1);
            },
        }
    }
}
