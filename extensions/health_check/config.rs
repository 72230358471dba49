//! What a user writes, and what is checked of it.

use super::Endpoint;
use lanner_engine::{
    config::ListenAddress,
    net::{Limits, ServerCounters, tls::ServerTlsConfig},
    prelude::*,
};

/// The Collector's port.
const PORT: u16 = 13133;
/// Probes are few; more would be an attack.
const MAX_CONNECTIONS: usize = 64;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; in a pod `0.0.0.0:13133`, so that the kubelet reaches it.
    pub endpoint: ListenAddress,
    /// Serve HTTPS.
    pub tls: Option<ServerTlsConfig>,
    /// Path that answers 200 when ready and 503 when not.
    pub path: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(PORT), tls: None, path: "/".into() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{path}` is no path; start it with a slash, for example `/health`")]
struct NoPath {
    path: String,
}

#[derive(Debug, thiserror::Error)]
#[error("`{path}` is one of the extension's other paths; choose another one, for example `/`")]
struct PathTaken {
    path: String,
}

/// A checked config.
pub struct Plan {
    config: Config,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if let Some(tls) = &self.tls {
            tls.check("tls", cx);
        }
        cx.listens("endpoint", &self.endpoint);
        if !self.path.starts_with('/') {
            cx.error("path", NoPath { path: self.path });
            return None;
        }
        if super::PATHS.contains(&self.path.as_str()) {
            cx.error("path", PathTaken { path: self.path });
            return None;
        }
        Some(Plan { config: self })
    }
}

#[async_trait]
impl ExtensionPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Extension>, BoxError> {
        Ok(Box::new(self.open(cx)?))
    }
}

impl Plan {
    #[cfg(test)]
    pub(super) fn of(config: Config) -> Self {
        Self { config }
    }

    /// Loads certificates and opens the listener.
    pub(super) fn open(self, cx: &BuildCx) -> Result<Endpoint, BoxError> {
        let tls = self.config.tls.as_ref().map(|tls| tls.load(&[b"http/1.1"])).transpose()?;
        let limits = Limits { max_connections: MAX_CONNECTIONS, ..Limits::default() };
        let counters = ServerCounters::register(&cx.telemetry, &[("extension", cx.id.as_str())]);
        let server = cx.bind(&self.config.endpoint, tls, limits)?.with_counters(counters);
        Ok(Endpoint { server, path: self.config.path.into(), health: cx.health.clone() })
    }
}
