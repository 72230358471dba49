//! What this receiver counts beside the engine. Cells are made at build time and start at 0.

use super::failure::Failure;
use lanner_engine::{
    prelude::BuildCx,
    telemetry::{Counter, Gauge},
};

/// The receiver's own metrics.
pub struct Metrics {
    /// 1 while Falco answers.
    pub connected: Gauge,
    /// Requests for alerts.
    pub requests: Counter,
    ended: Counter,
    broken: Counter,
    failed: Counter,
    /// Streams that broke with alerts possibly on their way.
    pub gaps: Counter,
    /// Streams given up while stopping, with alerts possibly on their way.
    pub stop_gaps: Counter,
    /// Now minus the time of the alert accepted last, in milliseconds.
    pub lag: Gauge,
}

impl Metrics {
    /// The cells of one receiver.
    pub fn new(cx: &BuildCx) -> Self {
        let (id, telemetry) = (cx.id.as_str(), &cx.telemetry);
        let gauge = |name, help, unit| telemetry.gauge(name, help, unit, &[("receiver", id)]);
        let reconnects = |reason| {
            let labels = [("receiver", id), ("reason", reason)];
            telemetry.counter("lanner.falco_grpc.reconnects", "Connections made again", "{connection}", &labels)
        };
        let gaps = |reason| {
            let labels = [("receiver", id), ("reason", reason)];
            let help = "Streams that ended with alerts possibly on their way; Falco has no second copy of them";
            telemetry.counter("lanner.falco_grpc.gaps", help, "{gap}", &labels)
        };
        Self {
            connected: gauge("lanner.falco_grpc.connected", "Whether Falco answers", "{connection}"),
            requests: telemetry.counter(
                "lanner.falco_grpc.requests",
                "Requests for alerts; none are sent while the pipelines are busy",
                "{request}",
                &[("receiver", id)],
            ),
            ended: reconnects("ended"),
            broken: reconnects("broken"),
            failed: reconnects("failed"),
            gaps: gaps("broken"),
            stop_gaps: gaps("stopped"),
            lag: gauge("lanner.falco_grpc.lag", "Age of the alert accepted last", "ms"),
        }
    }

    /// Counts a connection that is made again because the last one ended like this; `None` is the end that Falco
    /// announced.
    pub fn reconnect(&self, why: Option<&Failure>) {
        match why {
            None => self.ended.add(1),
            Some(Failure::Cut(_)) => self.broken.add(1),
            Some(_) => self.failed.add(1),
        }
    }
}
