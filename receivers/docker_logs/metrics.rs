//! What this receiver counts. Cells are made at build time; no name or label comes from a container.

use crate::container::Stream;
use lanner_engine::{
    prelude::BuildCx,
    telemetry::{Counter, Gauge, UpDownCounter},
};

/// The receiver's own metrics, beside those that the engine keeps for every receiver.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Open log streams.
    pub streams: UpDownCounter,
    /// Containers whose logging driver cannot be read.
    pub unreadable: Gauge,
    lines: [Counter; 2],
    bytes: [Counter; 2],
    /// Lines put together from several parts.
    pub joined: Counter,
    pub incomplete: Counter,
    pub cut: Counter,
    /// Lines left out on purpose.
    pub skipped: Counter,
    pub duplicates: Counter,
    /// Error texts of the daemon inside log streams.
    pub daemon_errors: Counter,
    pub possible_rotation_loss: Counter,
    /// Lines forgotten by a cursor at its bound.
    pub cursor_evictions: Counter,
    /// Checkpoints that could not be written.
    pub checkpoint_failures: Counter,
    /// Containers not read because there are too many.
    pub over_limit: Counter,
    /// Now minus the time of the line accepted last, in milliseconds.
    pub lag: Gauge,
    reconnects: [Counter; 4],
}

/// Why a connection is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// The stream ended although the container runs.
    Ended,
    /// The connection broke.
    Broken,
    /// The stream was damaged.
    Damaged,
    /// The daemon did not answer as it should.
    Refused,
}

impl Metrics {
    /// The cells of one receiver.
    pub fn new(cx: &BuildCx) -> Self {
        let id = cx.id.as_str();
        let telemetry = &cx.telemetry;
        let counter = |name, help, unit| telemetry.counter(name, help, unit, &[("receiver", id)]);
        let gauge = |name, help, unit| telemetry.gauge(name, help, unit, &[("receiver", id)]);
        let by_stream = |name, help, unit| {
            Stream::ALL
                .map(|stream| telemetry.counter(name, help, unit, &[("receiver", id), ("stream", stream.as_str())]))
        };
        Self {
            streams: telemetry.up_down_counter(
                "lanner.docker_logs.streams",
                "Open log streams",
                "{stream}",
                &[("receiver", id)],
            ),
            unreadable: gauge(
                "lanner.docker_logs.unreadable_containers",
                "Containers whose logging driver cannot be read",
                "{container}",
            ),
            lines: by_stream("lanner.docker_logs.lines", "Lines read from containers", "{line}"),
            bytes: by_stream("lanner.docker_logs.bytes", "Bytes of the lines read from containers", "By"),
            joined: counter("lanner.docker_logs.joined_lines", "Lines put together from several parts", "{line}"),
            incomplete: counter("lanner.docker_logs.incomplete_lines", "Lines whose end never came", "{line}"),
            cut: counter("lanner.docker_logs.cut_lines", "Lines cut at 1 MiB", "{line}"),
            skipped: counter("lanner.docker_logs.skipped_lines", "Lines left out: not an alert", "{line}"),
            duplicates: counter("lanner.docker_logs.duplicates_removed", "Lines that came again on resume", "{line}"),
            daemon_errors: counter(
                "lanner.docker_logs.daemon_errors",
                "Error texts of the daemon inside log streams",
                "{error}",
            ),
            possible_rotation_loss: counter(
                "lanner.docker_logs.possible_rotation_loss",
                "Resumes at which lines known before were gone",
                "{resume}",
            ),
            cursor_evictions: counter(
                "lanner.docker_logs.cursor_evictions",
                "Lines forgotten by a full cursor; they may be repeated after a reconnect",
                "{line}",
            ),
            checkpoint_failures: counter(
                "lanner.docker_logs.checkpoint_failures",
                "Times that the checkpoints could not be written",
                "{failure}",
            ),
            over_limit: counter(
                "lanner.docker_logs.over_limit",
                "Times that a container was not read because of max_containers",
                "{container}",
            ),
            lag: gauge("lanner.docker_logs.lag", "Age of the line accepted last", "ms"),
            reconnects: ["ended", "broken", "damaged", "refused"].map(|reason| {
                telemetry.counter(
                    "lanner.docker_logs.reconnects",
                    "Connections made again",
                    "{connection}",
                    &[("receiver", id), ("reason", reason)],
                )
            }),
        }
    }

    /// Counts a line that was read.
    pub fn line(&self, stream: Stream, bytes: usize) {
        self.lines[stream as usize].add(1);
        self.bytes[stream as usize].add(bytes as u64);
    }

    /// Counts a reconnect.
    pub fn reconnect(&self, reason: Reconnect) {
        self.reconnects[reason as usize].add(1);
    }
}
