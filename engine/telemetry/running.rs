//! `start` and `Running`: own telemetry from the first line to the last flush.
//!
//! Promises: an address that cannot be opened or a log file that cannot be written is an error before anything
//! runs; `shutdown` sends what is gathered and returns within [`FLUSH`], whatever the destinations do.

use super::{
    Telemetry,
    config::TelemetryPlan,
    metrics::{self, Instruments},
    process,
    subscriber::{self, Subscriber},
};
use crate::{
    component::{BoxError, Drain},
    exposition::{Labels, names},
};
use opentelemetry::KeyValue;
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::task::JoinSet;

/// How long the last flush may take.
pub const FLUSH: Duration = Duration::from_secs(5);

/// Running telemetry. Dropping it ends its tasks without a flush.
pub struct Running {
    drain: Drain,
    tasks: JoinSet<()>,
    meters: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
    traces: Option<SdkTracerProvider>,
    addresses: Vec<SocketAddr>,
}

/// Starts what `plan` says and installs the log for the whole process. Must be called inside a tokio runtime.
///
/// # Errors
/// An address is in use, a log file cannot be opened, TLS cannot be set up.
pub async fn start(plan: TelemetryPlan, telemetry: &Telemetry) -> Result<Running, BoxError> {
    let (running, dispatch) = Running::launch(&plan, telemetry)?;
    if tracing::dispatcher::set_global_default(dispatch).is_err() {
        tracing::warn!(
            "the program has a tracing subscriber already: service.telemetry.logs and traces have no effect"
        );
    }
    for address in &running.addresses {
        tracing::info!(%address, "own metrics at /metrics");
    }
    Ok(running)
}

impl Running {
    /// As [`start`], but leaves it to the caller for whom the log is.
    pub(super) fn launch(plan: &TelemetryPlan, telemetry: &Telemetry) -> Result<(Self, tracing::Dispatch), BoxError> {
        process::started();
        let attributes = resource_attributes(plan);
        let pairs = attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = Resource::builder_empty().with_attributes(pairs).build();
        let Subscriber { dispatch, logs, traces } = subscriber::build(&plan.logs, &plan.traces, &resource)?;
        let (drain, mut tasks) = (Drain::new(), JoinSet::new());
        let (mut addresses, mut meters) = (Vec::new(), None);
        if let Some(metrics_plan) = &plan.metrics {
            for pull in &metrics_plan.pull {
                let server = metrics::bind(pull)?;
                addresses.push(server.local_addr()?);
                tasks.spawn(metrics::serve(server, telemetry.clone(), target(&attributes), drain.clone()));
            }
            if let Some(instruments) = Instruments::start(metrics_plan, telemetry.clone(), resource)? {
                meters = Some(instruments.provider());
                tasks.spawn(instruments.run(drain.clone()));
            }
        }
        Ok((Self { drain, tasks, meters, logs, traces, addresses }, dispatch))
    }

    /// Where own metrics are served; with port 0 in the configuration, the port that was free.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops serving and sends what is gathered, for at most [`FLUSH`].
    pub async fn shutdown(mut self) {
        self.drain.request();
        let end = async {
            while self.tasks.join_next().await.is_some() {}
            let (meters, logs, traces) = (self.meters.take(), self.logs.take(), self.traces.take());
            // The SDK's shutdowns wait for their threads, so each has one of its own meanwhile.
            let blocking = [
                meters.map(|meters| tokio::task::spawn_blocking(move || meters.shutdown_with_timeout(FLUSH).is_ok())),
                traces.map(|traces| tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(FLUSH).is_ok())),
                logs.map(|logs| tokio::task::spawn_blocking(move || logs.shutdown_with_timeout(FLUSH).is_ok())),
            ];
            for flush in blocking.into_iter().flatten() {
                if !flush.await.unwrap_or(false) {
                    tracing::warn!("own telemetry was not flushed completely");
                }
            }
        };
        if tokio::time::timeout(FLUSH, end).await.is_err() {
            tracing::warn!("own telemetry was not flushed in time");
        }
    }
}

/// The defaults, as the configuration changes them.
fn resource_attributes(plan: &TelemetryPlan) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([
        ("service.name".to_owned(), "lanner".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id".to_owned(), format!("{:032x}", fastrand::u128(..))),
    ]);
    for (name, value) in &plan.resource {
        match value {
            Some(value) => attributes.insert(name.clone(), value.clone()),
            None => attributes.remove(name),
        };
    }
    attributes
}

/// The labels of `target_info`.
fn target(attributes: &BTreeMap<String, String>) -> Labels {
    let labels: BTreeMap<String, String> =
        attributes.iter().map(|(name, value)| (names::label(name).into_owned(), value.clone())).collect();
    labels.into_iter().collect()
}
