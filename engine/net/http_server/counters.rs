//! What a listener counts.

use crate::telemetry::{Counter, Telemetry, UpDownCounter};
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
    open: UpDownCounter,
    closed: Arc<BTreeMap<&'static str, Counter>>,
    tls: Option<Arc<TlsCells>>,
}

/// Made only for listeners that have certificates.
#[derive(Debug)]
struct TlsCells {
    telemetry: Telemetry,
    labels: Vec<(&'static str, String)>,
}

impl TlsCells {
    fn labels<'l>(&'l self, more: Option<(&'static str, &'l str)>) -> Vec<(&'static str, &'l str)> {
        self.labels.iter().map(|(name, value)| (*name, value.as_str())).chain(more).collect()
    }

    fn expires(&self, at: i64) {
        let help = "When the certificate that is shown to clients ends, in seconds since 1970.";
        self.telemetry.gauge("lanner_http_server_certificate_expiry", help, "s", &self.labels(None)).set(at);
    }

    fn reloads(&self, outcome: &'static str) -> Counter {
        let help = "Changes of TLS files, by outcome; after one that failed the files before stay in use.";
        let labels = self.labels(Some(("outcome", outcome)));
        self.telemetry.counter("lanner_http_server_tls_reloads", help, "{reload}", &labels)
    }
}

impl ServerCounters {
    /// Cells with the labels of a component, for example `[("receiver", "falco_http")]`.
    pub fn register(telemetry: &Telemetry, labels: &[(&'static str, &str)]) -> Self {
        let open = telemetry.up_down_counter(
            "lanner_http_server_connections",
            "Connections that are open.",
            "{connection}",
            labels,
        );
        let closed = REASONS.into_iter().map(|reason| {
            let labels: Vec<_> = labels.iter().copied().chain([("reason", reason)]).collect();
            let help = "Connections that the server ended because of their sender, by reason.";
            (reason, telemetry.counter("lanner_http_server_connections_cut", help, "{connection}", &labels))
        });
        let closed = Arc::new(closed.collect());
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let tls = TlsCells { telemetry: telemetry.clone(), labels };
        Self { open, closed, tls: Some(Arc::new(tls)) }
    }

    pub(super) fn opened(&self) {
        self.open.add(1);
    }

    pub(super) fn closed(&self, reason: &'static str) {
        if let Some(counter) = self.closed.get(reason) {
            counter.add(1);
        }
    }

    /// A listener begins with a certificate that ends at `expires`.
    pub(super) fn certificate(&self, expires: Option<i64>) {
        let Some(tls) = &self.tls else { return };
        let _ = (tls.reloads("loaded"), tls.reloads("failed"));
        if let Some(expires) = expires {
            tls.expires(expires);
        }
    }

    /// Other certificates are used from now on.
    pub(super) fn reloaded(&self, expires: Option<i64>) {
        let Some(tls) = &self.tls else { return };
        tls.reloads("loaded").add(1);
        if let Some(expires) = expires {
            tls.expires(expires);
        }
    }

    /// Certificates changed to ones that cannot be used.
    pub(super) fn reload_failed(&self) {
        if let Some(tls) = &self.tls {
            tls.reloads("failed").add(1);
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
