//! A registry of pretended components with realistic configs, for the tests of configuration.

use async_trait::async_trait;
use lanner_engine::{
    component::{
        BoxError, BuildCx, Component, ComponentId, Emitter, Exporter, ExporterPlan, Extension, ExtensionPlan, Factory,
        PipelineId, Receiver, ReceiverPlan, Registry, Router, Routes, Stability, Stage, StagePlan, Transform,
    },
    config::{DeliveryDefaults, Duration, ListenAddress, Pattern, PlanCx, Secret},
    event::{Batch, LogRecord, Resource, Signals},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All pretended types.
pub const ALL: &[Factory] = &[
    Factory::receiver::<FalcoHttp>(),
    Factory::receiver::<K8sAudit>(),
    Factory::receiver::<DockerLogs>(),
    Factory::receiver::<Otlp>(),
    Factory::transform::<Filter>(),
    Factory::transform::<Stamp>(),
    Factory::connector::<EventMetrics>(),
    Factory::connector::<Forward>(),
    Factory::router::<Routing>(),
    Factory::exporter::<OtlpGrpc>(DeliveryDefaults::REMOTE),
    Factory::exporter::<Slack>(DeliveryDefaults::REMOTE),
    Factory::exporter::<Prometheus>(DeliveryDefaults::LOCAL),
    Factory::exporter::<Debug>(DeliveryDefaults::LOCAL),
    Factory::extension::<HealthCheck>(),
    Factory::extension::<FileStorage>(),
];

/// The registry of them.
pub fn registry() -> Registry {
    Registry::new([ALL])
}

/// The plan of every pretended component: it is never built.
pub struct Planned;

const NOT_BUILT: &str = "pretended components are not built";

#[async_trait]
impl ReceiverPlan for Planned {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Err(NOT_BUILT.into())
    }
}

#[async_trait]
impl StagePlan for Planned {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Stage>, BoxError> {
        Err(NOT_BUILT.into())
    }
}

#[async_trait]
impl ExporterPlan for Planned {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Err(NOT_BUILT.into())
    }
}

#[async_trait]
impl ExtensionPlan for Planned {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Extension>, BoxError> {
        Err(NOT_BUILT.into())
    }
}

impl Transform for Planned {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit(batch);
    }
}

impl Router for Planned {
    fn route(&self, _: &Resource, _: &LogRecord, _: &mut Routes) {}

    fn route_unread(&self, _: &mut Routes) {}
}

macro_rules! component {
    ($name:ident, $type:literal, $aliases:expr, $signals:ident -> $produces:ident, $config:ident, $plan:expr) => {
        component!($name, $type, $aliases, $signals -> $produces, $config, $plan, false);
    };
    ($name:ident, $type:literal, $aliases:expr, $signals:ident -> $produces:ident, $config:ident, $plan:expr,
     $storage:literal) => {
        pub struct $name;

        impl Component for $name {
            const TYPE: &'static str = $type;
            const ALIASES: &'static [&'static str] = $aliases;
            const STABILITY: Stability = Stability::Alpha;
            const SIGNALS: Signals = Signals::$signals;
            const PRODUCES: Signals = Signals::$produces;
            const STORAGE: bool = $storage;
            const README: &'static str = "";
            type Config = $config;
            type Plan = Planned;

            fn plan(config: $config, cx: &mut PlanCx<'_>) -> Option<Planned> {
                let check: fn($config, &mut PlanCx<'_>) = $plan;
                check(config, cx);
                Some(Planned)
            }
        }
    };
}

component!(FalcoHttp, "falco_http", &[], LOGS -> NONE, FalcoHttpConfig, |config, cx| {
    cx.listens("endpoint", &config.endpoint);
});
component!(K8sAudit, "k8s_audit", &[], LOGS -> NONE, K8sAuditConfig, |config, cx| {
    cx.listens("endpoint", &config.endpoint);
});
component!(DockerLogs, "docker_logs", &[], LOGS -> NONE, DockerLogsConfig, |config, cx| {
    if let Some(storage) = &config.storage {
        cx.storage("storage", storage);
    }
});
component!(Otlp, "otlp", &[], ALL -> NONE, OtlpConfig, |config, cx| {
    let Protocols { grpc, http } = config.protocols;
    let doors = [("grpc", grpc.map(|door| door.endpoint)), ("http", http.map(|door| door.endpoint))];
    for (name, endpoint) in doors {
        if let Some(endpoint) = endpoint {
            cx.listens(&format!("protocols.{name}.endpoint"), &endpoint);
        }
    }
});
component!(Filter, "filter", &[], LOGS -> NONE, FilterConfig, |config, cx| {
    if config.min_priority.is_none() && config.require_tags.is_empty() && config.rule.is_none() {
        cx.warning("", KeepsAll);
    }
    if config.rule.is_some_and(|rule| rule.0.as_str().is_empty()) {
        cx.warning("rule", MatchesAll);
    }
});
component!(Stamp, "stamp", &[], ALL -> NONE, StampConfig, |config, cx| {
    if config.key.is_empty() {
        cx.error("key", EmptyKey);
    }
});
component!(EventMetrics, "event_metrics", &[], LOGS -> METRICS, EventMetricsConfig, |_, _| {});
component!(Forward, "forward", &[], ALL -> ALL, NoConfig, |_, _| {});
component!(Routing, "routing", &[], ALL -> ALL, RoutingConfig, |config, cx| {
    for (index, id) in config.default_pipelines.iter().enumerate() {
        cx.routes_to(&format!("default_pipelines[{index}]"), id);
    }
});
component!(OtlpGrpc, "otlp_grpc", &["otlp"], ALL -> NONE, OtlpGrpcConfig, |config, cx| {
    if config.endpoint.is_empty() {
        cx.error("endpoint", NoEndpoint);
    }
});
component!(Slack, "slack", &[], LOGS -> NONE, SlackConfig, |config, cx| {
    if config.webhook_url.expose().is_empty() {
        cx.error("webhook_url", NoEndpoint);
    }
});
component!(Prometheus, "prometheus", &[], METRICS -> NONE, PrometheusConfig, |config, cx| {
    cx.listens("endpoint", &config.endpoint);
});
component!(Debug, "debug", &[], ALL -> NONE, DebugConfig, |_, _| {});
component!(FileStorage, "file_storage", &[], NONE -> NONE, NoConfig, |_, _| {}, true);
component!(HealthCheck, "health_check", &[], NONE -> NONE, HealthCheckConfig, |config, cx| {
    cx.listens("endpoint", &config.endpoint);
});

#[derive(Debug, thiserror::Error)]
#[error("`key` is empty; write for example `key: deployment.environment.name`")]
struct EmptyKey;

#[derive(Debug, thiserror::Error)]
#[error("`rule` is empty and matches everything; remove it, or write a pattern")]
struct MatchesAll;

#[derive(Debug, thiserror::Error)]
#[error("no key is set, so everything is kept; set one, or remove the filter")]
struct KeepsAll;

#[derive(Debug, thiserror::Error)]
#[error("there is no address to send to; write for example `endpoint: localhost:4317`")]
struct NoEndpoint;

macro_rules! config {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty = $default:expr),* $(,)? }) => {
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$attribute])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

config!(NoConfig {});
config!(RoutingConfig { default_pipelines: Vec<PipelineId> = Vec::new() });
config!(FalcoHttpConfig {
    /// Where to listen.
    endpoint: ListenAddress = ListenAddress::localhost(2801),
    /// How long a request may be held.
    hold: Duration = Duration::from_millis(1500),
    tls: Option<ServerTls> = None,
});
config!(ServerTls { cert_file: String = String::new(), key_file: String = String::new() });
config!(K8sAuditConfig { endpoint: ListenAddress = ListenAddress::localhost(9765) });
config!(DockerLogsConfig {
    containers: Vec<Container> = Vec::new(),
    start_at: StartAt = StartAt::End,
    max_line_size: usize = 65536,
    storage: Option<ComponentId> = None,
});
config!(OtlpConfig { protocols: Protocols = Protocols::default() });
config!(Protocols {
    grpc: Option<Grpc> = None,
    http: Option<Http> = None,
});
config!(Grpc { endpoint: ListenAddress = ListenAddress::localhost(4317) });
config!(Http { endpoint: ListenAddress = ListenAddress::localhost(4318) });
config!(FilterConfig {
    min_priority: Option<Priority> = None,
    require_tags: Vec<String> = Vec::new(),
    rule: Option<Pattern> = None,
});
config!(StampConfig {
    key: String = "stamp".into(),
    value: String = String::new(),
    overwrite: bool = false,
    weight: i32 = 0,
});
config!(EventMetricsConfig {
    max_series: u32 = 2000,
    /// Part of the series that may idle.
    #[schemars(range(min = 0.0, max = 1.0))]
    idle_share: f64 = 0.5,
});
config!(OtlpGrpcConfig {
    endpoint: String = String::new(),
    headers: BTreeMap<String, Secret> = BTreeMap::new(),
    compression: Compression = Compression::Gzip,
    tls: Option<ClientTls> = None,
});
config!(ClientTls {
    insecure: bool = false,
    ca_file: Option<String> = None,
});
config!(SlackConfig {
    webhook_url: Secret = Secret::default(),
    channel: Option<String> = None,
});
config!(PrometheusConfig { endpoint: ListenAddress = ListenAddress::localhost(9464) });
config!(DebugConfig { verbosity: Verbosity = Verbosity::Basic });
config!(HealthCheckConfig { endpoint: ListenAddress = ListenAddress::localhost(13133) });

/// A container to read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Container {
    pub name: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    Beginning,
    End,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// The worst.
    Critical,
    Warning,
    Notice,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verbosity {
    Basic,
    Normal,
    Detailed,
}
