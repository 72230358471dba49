//! What a user writes, and what is checked of it.

use super::AuditReceiver;
use lanner_engine::{
    config::{Duration, ListenAddress, Secret},
    net::{BodyLimits, Limits, ServerCounters, tls::ServerTlsConfig},
    prelude::*,
    semantics::{AuditMapper, AuditOptions},
};
use std::path::PathBuf;

/// The port of Falco's k8saudit plugin.
const PORT: u16 = 9765;
/// Far below the 30 s after which an API server gives an attempt up.
const HOLD: Duration = Duration::from_secs(5);
/// 400 events of several hundred KiB; a body is never held, so this bounds time, not memory.
const MAX_BODY: u32 = 1 << 30;
/// Above it an event loses its objects.
const MAX_ITEM: u32 = 1 << 20;
/// An API server posts up to 300 batches at once over one connection, and there may be several servers behind one.
const MAX_STREAMS: u32 = 1024;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// Serve HTTPS, with client certificates when `client_ca_file` is set.
    pub tls: Option<ServerTlsConfig>,
    /// Bearer tokens that senders must show one of; without any, everybody may send.
    pub tokens: Vec<TokenConfig>,
    /// Largest body in bytes, as sent and decompressed. Bodies are not held in memory.
    #[schemars(range(min = 1))]
    pub max_request_body_size: u32,
    /// Largest event in bytes. A larger one loses `requestObject` and `responseObject` and is marked.
    #[schemars(range(min = 4096, max = 67_108_864))]
    pub max_event_size: u32,
    /// How long a request waits in all while the pipeline is full, at most `20s`; then 429.
    pub hold: Duration,
    /// Connections at once; more are closed and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u32,
    /// How events become OpenTelemetry records.
    pub semantics: AuditOptions,
}

/// A token that lets senders in.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenConfig {
    /// The token, for example `${env:AUDIT_TOKEN}`.
    pub token: Option<Secret>,
    /// File with the token in one line, read again when it changes.
    pub token_file: Option<PathBuf>,
    /// Good only for the path `/k8s-audit/<cluster>`.
    pub cluster: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(PORT),
            tls: None,
            tokens: Vec::new(),
            max_request_body_size: MAX_BODY,
            max_event_size: MAX_ITEM,
            hold: HOLD,
            max_connections: 1024,
            semantics: AuditOptions::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; write at least {least} or leave the default of {default}")]
struct TooSmall {
    key: &'static str,
    value: u32,
    least: u32,
    default: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("`hold` is {hold}, but an API server gives an attempt up after 30s; write at most `20s`")]
struct HoldTooLong {
    hold: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("a token is empty; write a long random text, for example `token: ${{env:AUDIT_TOKEN}}`")]
struct EmptyToken;

#[derive(Debug, thiserror::Error)]
#[error("an entry needs exactly one of `token` and `token_file`; keep one")]
struct NotOneToken;

#[derive(Debug, thiserror::Error)]
#[error(
    "anyone who can reach {endpoint} can send audit events; set `tokens`, or `tls` with `client_ca_file`, or listen on localhost"
)]
struct OpenDoor {
    endpoint: ListenAddress,
}

#[derive(Debug, thiserror::Error)]
#[error("tokens are sent in the clear to {endpoint}; set `tls`, or listen on localhost")]
struct ClearTokens {
    endpoint: ListenAddress,
}

/// A checked config.
pub struct Plan {
    pub(super) config: Config,
    pub(super) mapper: AuditMapper,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut valid = true;
        for (key, value, least, default) in [
            ("max_request_body_size", self.max_request_body_size, 1, MAX_BODY),
            ("max_event_size", self.max_event_size, 4096, MAX_ITEM),
            ("max_connections", self.max_connections, 1, 1024),
        ] {
            if value < least {
                cx.error(key, TooSmall { key, value, least, default });
                valid = false;
            }
        }
        if self.hold > Duration::from_secs(20) {
            cx.error("hold", HoldTooLong { hold: self.hold });
            valid = false;
        }
        for TokenConfig { token, token_file, .. } in &self.tokens {
            if token.as_ref().is_some_and(|token| token.expose().is_empty()) {
                cx.error("tokens", EmptyToken);
                valid = false;
            } else if token.is_some() == token_file.is_some() {
                cx.error("tokens", NotOneToken);
                valid = false;
            }
        }
        let mapper = AuditMapper::new(&self.semantics).map_err(|error| cx.error("semantics.attributes", error)).ok();
        let endpoint = self.endpoint;
        let local = endpoint.0.ip().is_loopback();
        match &self.tls {
            Some(tls) => {
                tls.check("tls", cx);
                if tls.client_ca_file.is_none() && self.tokens.is_empty() && !local {
                    cx.warning("endpoint", OpenDoor { endpoint });
                }
            }
            None if local => {}
            None if self.tokens.is_empty() => cx.warning("endpoint", OpenDoor { endpoint }),
            None => cx.warning("endpoint", ClearTokens { endpoint }),
        }
        cx.listens("endpoint", &self.endpoint);
        Some(Plan { config: self, mapper: mapper? }).filter(|_| valid)
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(self.open(cx)?))
    }
}

impl Plan {
    /// Loads certificates and tokens and opens the listener.
    pub(super) fn open(self, cx: &BuildCx) -> Result<AuditReceiver, BoxError> {
        let Self { config, mapper } = self;
        let tls = config.tls.as_ref().map(|tls| tls.load(&[b"h2", b"http/1.1"])).transpose()?;
        let limits = Limits {
            max_connections: config.max_connections as usize,
            max_concurrent_streams: MAX_STREAMS,
            h2c: true,
            ..Limits::default()
        };
        let labels = [("receiver", cx.id.as_str())];
        let server =
            cx.bind(&config.endpoint, tls, limits)?.with_counters(ServerCounters::register(&cx.telemetry, &labels));
        let body = BodyLimits { max_size: config.max_request_body_size as usize, ..BodyLimits::default() };
        AuditReceiver::new(server, body, &config, mapper, cx)
    }
}
