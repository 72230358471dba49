//! The configuration of `otlp_grpc`: the Collector's gRPC client keys.

use super::target::{Endpoint, Scheme};
use http::{HeaderMap, HeaderValue, uri::Authority};
use lanner_engine::{
    config::Duration,
    net::{
        client::{Compression, HeadersConfig, user_agent},
        tls::{ClientTls, ClientTlsConfig},
    },
    prelude::*,
};

/// Keys of the Collector that have no counterpart here, and what to do instead.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("read_buffer_size", "buffers grow with the flow control of HTTP/2; remove the key"),
    ("write_buffer_size", "requests are sent from where they lie in memory; remove the key"),
    ("balancer_name", "all requests share one connection; put a load balancer at `endpoint`"),
    (
        "auth",
        "there are no extensions that sign requests; write the credentials into `headers`, for example `authorization`",
    ),
    ("middlewares", "there are no extensions that change requests; remove the key"),
];

/// Sends OTLP over gRPC.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Where to send; required: `host:port`, `http(s)://host:port` or `unix:///path`. `https://` turns TLS on.
    pub endpoint: String,
    pub tls: ClientTlsConfig,
    /// How requests are compressed.
    pub compression: Compression,
    /// Headers to send with every request; their values are never shown.
    pub headers: HeadersConfig,
    /// The `:authority` of requests, when it is not the endpoint.
    pub authority: Option<String>,
    /// What to call ourselves instead of `Lanner/<version> (<os>/<arch>)`.
    pub user_agent: Option<String>,
    /// HTTP/2 pings; none unless given. A silent peer is found by TCP within 30s in any case.
    pub keepalive: Option<KeepaliveConfig>,
    /// Known from the Collector and not offered: must be false.
    pub wait_for_ready: bool,
}

/// When to ping the server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeepaliveConfig {
    /// Ping after this time without traffic; at least 10s. gRPC servers may close connections that ping often.
    pub time: Duration,
    /// Close the connection when the ping is not answered in this time.
    pub timeout: Duration,
    /// Ping while no request is open, too.
    pub permit_without_stream: bool,
}

impl Default for KeepaliveConfig {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), timeout: Duration::from_secs(20), permit_without_stream: false }
    }
}

/// The checked configuration.
pub struct Plan {
    pub endpoint: Endpoint,
    pub tls: ClientTls,
    /// Its name in `grpc-encoding`; `None` when nothing is compressed.
    pub encoding: Option<&'static str>,
    /// The format behind that name.
    pub compression: Compression,
    /// `headers` and `user-agent`.
    pub headers: HeaderMap,
    pub authority: Authority,
    pub keepalive: Option<KeepaliveConfig>,
}

/// No endpoint.
#[derive(Debug, thiserror::Error)]
#[error("`endpoint` is missing; write for example `endpoint: localhost:4317`")]
pub struct NoEndpoint;

/// `http://` alone does not switch TLS off, here as in the Collector.
#[derive(Debug, thiserror::Error)]
#[error("TLS is on although the endpoint says `http://`; set `tls.insecure: true` for plaintext, or write `https://`")]
pub struct HttpIsNotPlaintext;

/// `https://` and `insecure` contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("`https://` turns TLS on and `tls.insecure: true` has no effect; write the endpoint without `https://`")]
pub struct HttpsIsNotInsecure;

/// An authority that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no authority; write `host` or `host:port`")]
pub struct InvalidAuthority(String);

/// A user agent that does not fit into a header.
#[derive(Debug, thiserror::Error)]
#[error("`user_agent` must be printable ASCII on one line")]
pub struct InvalidUserAgent;

/// Pings a server would punish.
#[derive(Debug, thiserror::Error)]
#[error("`keepalive.time` is below 10s, for which gRPC servers close connections; write 10s or more")]
pub struct PingsTooOften;

/// `wait_for_ready` is the queue's business here.
#[derive(Debug, thiserror::Error)]
#[error("`wait_for_ready` is not offered: what cannot be sent waits in `sending_queue`; remove the key")]
pub struct WaitForReady;

/// A compression that gRPC has no name for.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a compression of HTTP; write `gzip`, `zstd`, `snappy` or `none`")]
pub struct NotInGrpc(&'static str);

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let endpoint = match Endpoint::parse(&self.endpoint) {
            Ok(endpoint) => Some(endpoint),
            Err(_) if self.endpoint.is_empty() => {
                cx.error("endpoint", NoEndpoint);
                None
            }
            Err(invalid) => {
                cx.error("endpoint", invalid);
                None
            }
        };
        let insecure = self.tls.insecure;
        let mut tls = self.tls.check("tls", cx);
        match endpoint.as_ref().map(|endpoint| endpoint.scheme) {
            Some(Scheme::Http) if tls.as_ref().is_some_and(|tls| !tls.is_plaintext()) => {
                cx.warning("endpoint", HttpIsNotPlaintext);
            }
            Some(Scheme::Https) => {
                if insecure {
                    cx.warning("tls.insecure", HttpsIsNotInsecure);
                }
                tls = tls.map(ClientTls::required);
            }
            _ => {}
        }
        let mut sound = true;
        let named = self.authority.or_else(|| endpoint.as_ref().map(|endpoint| endpoint.target.authority()));
        let authority = named.and_then(|name| match name.parse::<Authority>() {
            Ok(authority) => Some(authority),
            Err(_) => {
                cx.error("authority", InvalidAuthority(name));
                None
            }
        });
        let agent = HeaderValue::from_str(&self.user_agent.unwrap_or_else(user_agent));
        if agent.is_err() {
            cx.error("user_agent", InvalidUserAgent);
        }
        if self.keepalive.as_ref().is_some_and(|keepalive| keepalive.time < Duration::from_secs(10)) {
            cx.error("keepalive.time", PingsTooOften);
            sound = false;
        }
        if self.wait_for_ready {
            cx.error("wait_for_ready", WaitForReady);
            sound = false;
        }
        let encoding = self.compression.wire_name();
        let compression = self.compression.in_grpc();
        if let (None, Some(name)) = (compression, encoding) {
            cx.error("compression", NotInGrpc(name));
        }
        let mut headers = self.headers.check("headers", is_reserved, cx)?;
        headers.insert(http::header::USER_AGENT, agent.ok()?);
        let (endpoint, tls, authority) = (endpoint?, tls?, authority?);
        sound.then_some(Plan {
            endpoint,
            tls,
            encoding,
            compression: compression?,
            headers,
            authority,
            keepalive: self.keepalive,
        })
    }
}

/// Headers of HTTP/2 and gRPC themselves.
fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-")
        || matches!(
            name,
            "te" | "content-type" | "content-length" | "connection" | "transfer-encoding" | "host" | "user-agent"
        )
}
