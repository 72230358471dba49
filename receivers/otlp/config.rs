//! What a user writes, and what is checked of it: the Collector's keys of the `otlp` receiver.

use super::{
    OtlpReceiver,
    auth::{Auth, AuthConfig},
    cors::{Cors, CorsConfig},
    entrance::Counters,
    grpc::GrpcDoor,
    http::HttpDoor,
    not_offered::{self, Metadata, UnixTransport},
};
use lanner_engine::{
    config::{Duration, ListenAddress},
    net::{BodyLimits, HttpServer, Limits, ServerCounters, tls::ServerTlsConfig},
    prelude::*,
};
use serde::Deserializer;

const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;

/// Takes OTLP over gRPC and HTTP.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The protocols to listen for: those whose key is there, even without a value.
    pub protocols: Protocols,
}

/// A protocol is on when its key is there.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Protocols {
    /// OTLP/gRPC, on port 4317.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-switch" = true))]
    pub grpc: Option<GrpcConfig>,
    /// OTLP/HTTP, on port 4318.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-switch" = true))]
    pub http: Option<HttpConfig>,
}

/// A key without a value asks for the defaults.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer).map(|config: Option<T>| Some(config.unwrap_or_default()))
}

/// The Collector's kinds of sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    Tcp4,
    Tcp6,
    /// Known from the Collector and not offered.
    Unix,
}

/// OTLP/gRPC.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = not_offered::GRPC))]
pub struct GrpcConfig {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// `tcp`, as `tcp4` and `tcp6`; the address decides.
    pub transport: Transport,
    /// Serve with TLS; client certificates are asked for when `client_ca_file` is set.
    pub tls: Option<ServerTlsConfig>,
    /// Largest message in MiB, as sent and unpacked.
    #[schemars(range(min = 1, max = 1024))]
    pub max_recv_msg_size_mib: u32,
    /// Calls at once on one connection.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent_streams: u32,
    /// When silent connections are pinged and closed.
    pub keepalive: KeepaliveConfig,
    /// What senders must show.
    pub auth: Option<AuthConfig>,
    /// Known from the Collector and not offered: must be false.
    pub include_metadata: bool,
    /// Connections at once; more are closed and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u32,
}

/// As in the Collector, as far as it is offered.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = not_offered::KEEPALIVE))]
pub struct KeepaliveConfig {
    pub server_parameters: ServerParameters,
}

/// When silent connections are pinged and closed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerParameters {
    /// Close a connection that had no call for this time.
    pub max_connection_idle: Duration,
    /// A connection of this age, or up to a tenth more, takes no new calls; 0 is no limit.
    pub max_connection_age: Duration,
    /// How long calls may go on after that; 0 is no limit.
    pub max_connection_age_grace: Duration,
    /// Ping after this time without traffic.
    pub time: Duration,
    /// Close the connection when the ping is not answered in this time.
    pub timeout: Duration,
}

/// OTLP/HTTP.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = not_offered::HTTP))]
pub struct HttpConfig {
    /// Address to listen on.
    pub endpoint: ListenAddress,
    /// `tcp`, as `tcp4` and `tcp6`; the address decides.
    pub transport: Transport,
    /// Serve HTTPS; client certificates are asked for when `client_ca_file` is set.
    pub tls: Option<ServerTlsConfig>,
    /// Largest body in bytes, as sent and unpacked.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_request_body_size: u32,
    /// Close a connection that had no request for this time.
    pub idle_timeout: Duration,
    /// Time for the head of a request.
    pub read_header_timeout: Duration,
    /// Path of logs.
    pub logs_url_path: String,
    /// Path of metrics.
    pub metrics_url_path: String,
    /// Path of traces.
    pub traces_url_path: String,
    /// Which web pages may send.
    pub cors: CorsConfig,
    /// What senders must show.
    pub auth: Option<AuthConfig>,
    /// Known from the Collector and not offered: must be false.
    pub include_metadata: bool,
    /// Connections at once; more are closed and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u32,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(GRPC_PORT),
            transport: Transport::Tcp,
            include_metadata: false,
            tls: None,
            max_recv_msg_size_mib: 4,
            max_concurrent_streams: 128,
            keepalive: KeepaliveConfig::default(),
            auth: None,
            max_connections: 1024,
        }
    }
}

impl Default for ServerParameters {
    fn default() -> Self {
        let Limits { idle_timeout, ping_after, ping_timeout, .. } = Limits::default();
        Self {
            max_connection_idle: Duration(idle_timeout),
            max_connection_age: Duration::from_secs(0),
            max_connection_age_grace: Duration::from_secs(0),
            time: Duration(ping_after),
            timeout: Duration(ping_timeout),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(HTTP_PORT),
            transport: Transport::Tcp,
            include_metadata: false,
            idle_timeout: Duration(Limits::default().idle_timeout),
            read_header_timeout: Duration(Limits::default().header_timeout),
            tls: None,
            max_request_body_size: 20 << 20,
            logs_url_path: "/v1/logs".into(),
            metrics_url_path: "/v1/metrics".into(),
            traces_url_path: "/v1/traces".into(),
            cors: CorsConfig::default(),
            auth: None,
            max_connections: 1024,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must specify at least one protocol when using the OTLP receiver; write `grpc:` or `http:` under `protocols`")]
struct NoProtocol;

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is 0, so nothing could be received; write at least 1 or leave it out")]
struct Zero(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is shorter than a second; write at least `1s`")]
struct TooShort(&'static str);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no path; start it with a slash, for example `/v1/logs`")]
struct NoPath(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is the path of two signals; give each its own")]
struct SamePath(String);

/// A checked config.
pub struct Plan {
    pub(super) protocols: Protocols,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let Protocols { grpc, http } = &self.protocols;
        if grpc.is_none() && http.is_none() {
            cx.error("protocols", NoProtocol);
            return None;
        }
        let sound = [grpc.as_ref().is_none_or(|grpc| grpc.check(cx)), http.as_ref().is_none_or(|http| http.check(cx))];
        (sound == [true, true]).then_some(Plan { protocols: self.protocols })
    }
}

/// Reports limits that are 0.
fn none_is_zero(section: &str, limits: &[(&'static str, u32)], cx: &mut PlanCx<'_>) -> bool {
    let zeros = limits.iter().filter(|(_, value)| *value == 0);
    zeros.map(|(key, _)| cx.error(&format!("{section}.{key}"), Zero(key))).count() == 0
}

/// Reports values that only the Collector has.
fn is_offered(section: &str, transport: Transport, include_metadata: bool, cx: &mut PlanCx<'_>) -> bool {
    if transport == Transport::Unix {
        cx.error(&format!("{section}.transport"), UnixTransport);
    }
    if include_metadata {
        cx.error(&format!("{section}.include_metadata"), Metadata);
    }
    transport != Transport::Unix && !include_metadata
}

/// Reports times in which no sender could do anything.
fn is_long_enough(section: &str, key: &'static str, value: Duration, cx: &mut PlanCx<'_>) -> bool {
    let enough = value >= Duration::from_secs(1);
    if !enough {
        cx.error(&format!("{section}.{key}"), TooShort(key));
    }
    enough
}

impl GrpcConfig {
    fn check(&self, cx: &mut PlanCx<'_>) -> bool {
        cx.listens("protocols.grpc.endpoint", &self.endpoint);
        if let Some(tls) = &self.tls {
            tls.check("protocols.grpc.tls", cx);
        }
        if let Some(auth) = &self.auth {
            auth.check("protocols.grpc.auth", cx);
        }
        let mut sound = none_is_zero(
            "protocols.grpc",
            &[
                ("max_recv_msg_size_mib", self.max_recv_msg_size_mib),
                ("max_concurrent_streams", self.max_concurrent_streams),
                ("max_connections", self.max_connections),
            ],
            cx,
        );
        sound &= is_offered("protocols.grpc", self.transport, self.include_metadata, cx);
        let ServerParameters { max_connection_idle, max_connection_age, max_connection_age_grace, time, timeout } =
            &self.keepalive.server_parameters;
        for (key, value, none) in [
            ("max_connection_idle", max_connection_idle, false),
            ("max_connection_age", max_connection_age, true),
            ("max_connection_age_grace", max_connection_age_grace, true),
            ("time", time, false),
            ("timeout", timeout, false),
        ] {
            let may_be = none && value.0.is_zero();
            sound &= may_be || is_long_enough("protocols.grpc.keepalive.server_parameters", key, *value, cx);
        }
        sound
    }
}

impl HttpConfig {
    fn check(&self, cx: &mut PlanCx<'_>) -> bool {
        cx.listens("protocols.http.endpoint", &self.endpoint);
        if let Some(tls) = &self.tls {
            tls.check("protocols.http.tls", cx);
        }
        if let Some(auth) = &self.auth {
            auth.check("protocols.http.auth", cx);
        }
        self.cors.check("protocols.http.cors", cx);
        let limits = [("max_request_body_size", self.max_request_body_size), ("max_connections", self.max_connections)];
        let mut sound = none_is_zero("protocols.http", &limits, cx);
        sound &= is_offered("protocols.http", self.transport, self.include_metadata, cx);
        for (key, value) in [("idle_timeout", self.idle_timeout), ("read_header_timeout", self.read_header_timeout)] {
            sound &= is_long_enough("protocols.http", key, value, cx);
        }
        let paths = self.paths();
        for (index, (key, path)) in paths.iter().enumerate() {
            let place = format!("protocols.http.{key}");
            if !path.starts_with('/') {
                cx.error(&place, NoPath((*path).clone()));
                sound = false;
            } else if paths.iter().take(index).any(|(_, other)| other == path) {
                cx.error(&place, SamePath((*path).clone()));
                sound = false;
            }
        }
        sound
    }

    /// In the order of `Signal::ALL`.
    fn paths(&self) -> [(&'static str, &String); 3] {
        [
            ("logs_url_path", &self.logs_url_path),
            ("metrics_url_path", &self.metrics_url_path),
            ("traces_url_path", &self.traces_url_path),
        ]
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(self.open(cx)?))
    }
}

impl Plan {
    /// Loads certificates and opens the listeners.
    pub(super) fn open(self, cx: &BuildCx) -> Result<OtlpReceiver, BoxError> {
        let connections = ServerCounters::register(&cx.telemetry, &[("receiver", cx.id.as_str())]);
        let grpc = self.protocols.grpc.map(|config| config.open(cx, connections.clone())).transpose()?;
        let http = self.protocols.http.map(|config| config.open(cx, connections)).transpose()?;
        Ok(OtlpReceiver { grpc, http, counters: Counters::register(cx) })
    }
}

/// 0 is no limit.
fn some(limit: Duration) -> Option<std::time::Duration> {
    (!limit.0.is_zero()).then_some(limit.0)
}

impl GrpcConfig {
    fn open(self, cx: &BuildCx, counters: ServerCounters) -> Result<(HttpServer, GrpcDoor), BoxError> {
        let tls = self.tls.as_ref().map(|tls| tls.load(&[b"h2"])).transpose()?;
        let keepalive = self.keepalive.server_parameters;
        let limits = Limits {
            max_connections: self.max_connections as usize,
            max_concurrent_streams: self.max_concurrent_streams,
            idle_timeout: keepalive.max_connection_idle.0,
            max_connection_age: some(keepalive.max_connection_age),
            max_connection_age_grace: some(keepalive.max_connection_age_grace),
            ping_after: keepalive.time.0,
            ping_timeout: keepalive.timeout.0,
            h2c: true,
            ..Limits::default()
        };
        let server = cx.bind(&self.endpoint, tls, limits)?.with_counters(counters);
        let body = BodyLimits { max_size: (self.max_recv_msg_size_mib as usize) << 20, ..BodyLimits::default() };
        Ok((server, GrpcDoor::new(body, Auth::new(self.auth.as_ref()))))
    }
}

impl HttpConfig {
    fn open(self, cx: &BuildCx, counters: ServerCounters) -> Result<(HttpServer, HttpDoor), BoxError> {
        let tls = self.tls.as_ref().map(|tls| tls.load(&[b"h2", b"http/1.1"])).transpose()?;
        let limits = Limits {
            max_connections: self.max_connections as usize,
            idle_timeout: self.idle_timeout.0,
            header_timeout: self.read_header_timeout.0,
            ..Limits::default()
        };
        let server = cx.bind(&self.endpoint, tls, limits)?.with_counters(counters);
        let door = HttpDoor {
            limits: BodyLimits { max_size: self.max_request_body_size as usize, ..BodyLimits::default() },
            auth: Auth::new(self.auth.as_ref()),
            cors: Cors::new(&self.cors),
            paths: [self.logs_url_path, self.metrics_url_path, self.traces_url_path],
        };
        Ok((server, door))
    }
}
