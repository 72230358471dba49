//! The `tracing` subscriber: lines, OTLP log records and OTLP spans, each a layer.
//!
//! Libraries that carry the telemetry itself (HTTP, gRPC, the SDK) are heard at `warn` in the lines and never over
//! OTLP, so that sending a record cannot make another one.

use super::{
    config::{LogLevel, LogsPlan, OtlpPlan},
    lines::Lines,
    otlp,
};
use crate::component::BoxError;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, trace::SdkTracerProvider};
use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _};

/// Crates below Lanner's telemetry.
const CARRIERS: [&str; 10] = [
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
    "opentelemetry_http",
    "hyper",
    "hyper_util",
    "h2",
    "tonic",
    "tower",
    "rustls",
];

/// A subscriber and what must be shut down with it.
pub struct Subscriber {
    pub dispatch: Dispatch,
    pub logs: Option<SdkLoggerProvider>,
    pub traces: Option<SdkTracerProvider>,
}

/// Opens files and senders. Installs nothing.
///
/// # Errors
/// A log file cannot be opened, or TLS cannot be set up.
pub fn build(plan: &LogsPlan, traces: &[OtlpPlan], resource: &Resource) -> Result<Subscriber, BoxError> {
    let level = match plan.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let lines = Lines::open(plan.encoding, &plan.outputs, plan.initial_fields.clone())?;
    let logs = logger(&plan.otlp, resource)?;
    let traces = tracer(traces, resource)?;
    let bridge = logs.as_ref().map(OpenTelemetryTracingBridge::new);
    let spans = traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("lanner")));
    let subscriber = tracing_subscriber::registry()
        .with(lines.with_filter(targets(level, level.min(LevelFilter::WARN))))
        .with(bridge.with_filter(targets(level, LevelFilter::OFF)))
        .with(spans.with_filter(targets(LevelFilter::INFO, LevelFilter::OFF)));
    Ok(Subscriber { dispatch: Dispatch::new(subscriber), logs, traces })
}

fn targets(level: LevelFilter, carriers: LevelFilter) -> Targets {
    let targets = Targets::new().with_default(level).with_targets(CARRIERS.map(|name| (name, carriers)));
    // It tells every attempt to connect anew, and at its lowest levels what it sends; the components say what is wrong, once.
    targets.with_target("async_nats", LevelFilter::OFF)
}

fn logger(plans: &[OtlpPlan], resource: &Resource) -> Result<Option<SdkLoggerProvider>, BoxError> {
    let mut provider = SdkLoggerProvider::builder().with_resource(resource.clone());
    for plan in plans {
        provider = provider.with_batch_exporter(otlp::logs(plan)?);
    }
    Ok((!plans.is_empty()).then(|| provider.build()))
}

fn tracer(plans: &[OtlpPlan], resource: &Resource) -> Result<Option<SdkTracerProvider>, BoxError> {
    let mut provider = SdkTracerProvider::builder().with_resource(resource.clone());
    for plan in plans {
        provider = provider.with_batch_exporter(otlp::spans(plan)?);
    }
    Ok((!plans.is_empty()).then(|| provider.build()))
}
