//! What a user writes, and what is checked of it.

use super::HttpReceiver;
use lanner_engine::{
    config::{Duration, ListenAddress},
    net::{BodyLimits, Limits, ServerCounters, tls::ServerTlsConfig},
    prelude::*,
    semantics::MappingOptions,
};

/// Falco's default target for `http_output` behind falcosidekick.
const PORT: u16 = 2801;
/// Falco complains about its output at 2 s.
const HOLD: Duration = Duration::from_millis(1500);
/// Far above any alert; room for arrays and lines of them.
const MAX_BODY: u32 = 16 << 20;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// Serve HTTPS, with client certificates when `client_ca_file` is set.
    pub tls: Option<ServerTlsConfig>,
    /// Largest body in bytes, as sent and decompressed; larger ones are answered 413.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_request_body_size: u32,
    /// What happens to a request when the pipeline is full.
    pub overload: Overload,
    /// Longest time to an answer while the pipeline is full (`overload: hold`), counted from the head of the request.
    pub hold: Duration,
    /// Connections at once; more are closed and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u32,
    /// How alerts become OpenTelemetry records.
    pub semantics: MappingOptions,
}

/// What happens to a request when the pipeline is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overload {
    /// Keep the sender waiting for up to `hold`, then 503: for Falco, which ignores statuses.
    #[default]
    Hold,
    /// 503 at once: for senders that try again.
    Reject,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(PORT),
            tls: None,
            max_request_body_size: MAX_BODY,
            overload: Overload::Hold,
            hold: HOLD,
            max_connections: 1024,
            semantics: MappingOptions::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is 0, so nothing could be received; write at least 1 or leave the default of {default}")]
struct Zero {
    key: &'static str,
    default: u32,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "anyone who can reach {endpoint} can send alerts and read none back; set `tls` with `client_ca_file`, or listen on localhost"
)]
struct OpenDoor {
    endpoint: ListenAddress,
}

/// A checked config.
pub struct Plan {
    pub(super) config: Config,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut valid = true;
        for (key, value, default) in [
            ("max_request_body_size", self.max_request_body_size, MAX_BODY),
            ("max_connections", self.max_connections, 1024),
        ] {
            if value == 0 {
                cx.error(key, Zero { key, default });
                valid = false;
            }
        }
        match &self.tls {
            Some(tls) => tls.check("tls", cx),
            None if !self.endpoint.0.ip().is_loopback() => cx.warning("endpoint", OpenDoor { endpoint: self.endpoint }),
            None => {}
        }
        cx.listens("endpoint", &self.endpoint);
        valid.then_some(Plan { config: self })
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(self.open(cx)?))
    }
}

impl Plan {
    /// Loads certificates and opens the listener.
    pub(super) fn open(self, cx: &BuildCx) -> Result<HttpReceiver, BoxError> {
        let config = self.config;
        let tls = config.tls.as_ref().map(|tls| tls.load(&[b"http/1.1"])).transpose()?;
        let limits = Limits { max_connections: config.max_connections as usize, ..Limits::default() };
        let labels = [("receiver", cx.id.as_str())];
        let server =
            cx.bind(&config.endpoint, tls, limits)?.with_counters(ServerCounters::register(&cx.telemetry, &labels));
        let body = BodyLimits { max_size: config.max_request_body_size as usize, ..BodyLimits::default() };
        let hold = match config.overload {
            Overload::Hold => config.hold.0,
            Overload::Reject => std::time::Duration::ZERO,
        };
        Ok(HttpReceiver::new(server, body, hold, &config.semantics, cx))
    }
}
