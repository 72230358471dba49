//! What this receiver counts beside the engine. Cells are made at build time and start at 0.

use crate::counters::ByReason;
use lanner_engine::{
    prelude::BuildCx,
    telemetry::{Counter, Gauge},
};

/// The receiver's own metrics.
pub struct Metrics {
    /// 1 while messages can be fetched.
    pub connected: Gauge,
    /// Messages that had been delivered before.
    pub redelivered: Counter,
    /// Messages that the pipelines had already.
    pub repeated: Counter,
    /// Messages given back because the pipelines were busy.
    pub busy: Counter,
    /// Messages given back because Lanner stops.
    pub stopping: Counter,
    /// Messages published to the subject for dead letters.
    pub dead_letters: Counter,
    pub degraded: ByReason,
    pub unusable: ByReason,
}

impl Metrics {
    /// The cells of one receiver.
    pub fn new(cx: &BuildCx) -> Self {
        let (id, telemetry) = (cx.id.as_str(), &cx.telemetry);
        let counter = |name, help| telemetry.counter(name, help, "{message}", &[("receiver", id)]);
        let returned = |reason| {
            let help = "Messages given back to be delivered again";
            telemetry.counter("lanner.nats.returned", help, "{message}", &[("receiver", id), ("reason", reason)])
        };
        Self {
            connected: telemetry.gauge(
                "lanner.nats.connected",
                "Whether messages can be fetched",
                "{connection}",
                &[("receiver", id)],
            ),
            redelivered: counter("lanner.nats.redelivered", "Messages that had been delivered before"),
            repeated: counter(
                "lanner.nats.repeated",
                "Messages that the pipelines had already; they are acknowledged again",
            ),
            busy: returned("busy"),
            stopping: returned("stopping"),
            dead_letters: counter("lanner.nats.dead_letters", "Messages published to `dead_letter_subject`"),
            degraded: ByReason::degraded(cx),
            unusable: ByReason::unusable(cx),
        }
    }
}
