//! What a listener counts.

use crate::telemetry::{Counter, Gauge, Telemetry};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinError;

/// Why the server itself ends a connection.
const REASONS: [&str; 7] = [
    "max_connections",
    "tls_handshake",
    "header_timeout",
    "idle_timeout",
    "max_connection_age",
    "protocol_error",
    "panic",
];

/// The cells of one listener. Clones share them; the default counts where nobody looks.
#[derive(Clone, Debug, Default)]
pub struct ServerCounters {
    open: Gauge,
    closed: Arc<BTreeMap<&'static str, Counter>>,
}

impl ServerCounters {
    /// Cells with the labels of a component, for example `[("receiver", "falco_http")]`.
    pub fn register(telemetry: &Telemetry, labels: &[(&'static str, &str)]) -> Self {
        let open =
            telemetry.gauge("lanner_http_server_connections", "Connections that are open.", "{connection}", labels);
        let closed = REASONS.into_iter().map(|reason| {
            let labels: Vec<_> = labels.iter().copied().chain([("reason", reason)]).collect();
            let help = "Connections that the server ended because of their sender, by reason.";
            (reason, telemetry.counter("lanner_http_server_connections_cut", help, "{connection}", &labels))
        });
        Self { open, closed: Arc::new(closed.collect()) }
    }

    pub(super) fn opened(&self) {
        self.open.add(1);
    }

    pub(super) fn closed(&self, reason: &'static str) {
        if let Some(counter) = self.closed.get(reason) {
            counter.add(1);
        }
    }

    /// A connection task ended, well or by a panic.
    pub(super) fn ended(&self, result: Result<(), JoinError>) {
        self.open.add(-1);
        if result.is_err_and(|error| error.is_panic()) {
            self.closed("panic");
            tracing::error!("a request handler panicked; its connection was closed");
        }
    }
}
