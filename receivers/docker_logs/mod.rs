//! `docker_logs` reads Falco alerts from the logs of containers, through the API of the Docker daemon.
//!
//! Promises: every line the daemon still has is delivered once while this process runs, whatever happens to
//! connections, containers or the daemon; with a `storage` the next process goes on where this one ended, and after a
//! crash at most the lines of the last second come again, with the same ids; a line that is no alert is kept or counted,
//! never silently dropped; a busy pipeline slows the reading down and loses nothing; memory is bounded.
//!
//! `watch` decides which containers are followed, `follow` keeps one of them connected. `read` opens its log (`engine_api`) and
//! makes lines of it (`framing`, `container::join`), leaving out those that came before (`cursor`); `deliver` makes log records
//! of them (`records`) and hands them on. `checkpoints` keep the cursors.

mod checkpoints;
mod config;
mod cursor;
mod daemon;
mod deliver;
mod engine_api;
mod follow;
pub(crate) mod framing;
mod metrics;
mod read;
mod records;
mod select;
#[cfg(test)]
pub(crate) mod tests;
mod watch;

pub use crate::formats::NonJson;
pub use config::{Checked, Config, Filter, StartAt, StreamName};

use engine_api::Endpoint;
use follow::Shared;
use lanner_engine::prelude::*;
use std::sync::Arc;

/// The component type.
pub struct DockerLogs;

impl Component for DockerLogs {
    const TYPE: &'static str = "docker_logs";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Checked;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Checked> {
        if let Some(storage) = &config.storage {
            cx.storage("storage", storage);
        }
        config.check(|path, problem| cx.error(path, problem))
    }
}

#[async_trait]
impl ReceiverPlan for Checked {
    /// Reads the environment, the own container's id and the checkpoints. A daemon that is away is no error: it is waited for.
    async fn build(mut self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        let endpoint = match self.endpoint.take() {
            Some(endpoint) => endpoint,
            None => match std::env::var("DOCKER_HOST") {
                Ok(host) if !host.is_empty() => host.parse()?,
                _ => Endpoint::Unix("/var/run/docker.sock".to_owned()),
            },
        };
        let mounts = tokio::fs::read_to_string("/proc/self/mountinfo").await.unwrap_or_default();
        self.selection.own = select::own_container(&mounts);
        let storage = self.storage.as_ref().map(|id| cx.storage(id)).transpose()?;
        let checkpoints = checkpoints::Checkpoints::load(storage, watch::now_nanos()).await?;
        Ok(Box::new(Built { plan: *self, endpoint, checkpoints, metrics: metrics::Metrics::new(cx) }))
    }
}

struct Built {
    plan: Checked,
    endpoint: Endpoint,
    checkpoints: checkpoints::Checkpoints,
    metrics: metrics::Metrics,
}

#[async_trait]
impl Receiver for Built {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { plan, endpoint, checkpoints, metrics } = *self;
        let mapping = records::Mapping::new(&plan.semantics, plan.non_json, plan.container_labels);
        let shared =
            Shared::new(daemon::Daemon::new(endpoint), plan.streams, mapping, metrics, out, plan.storage.is_some());
        let watch =
            watch::Watch::new(Arc::new(shared), checkpoints, plan.selection, plan.start_at, plan.max_containers);
        watch.run(drain).await;
        Ok(())
    }
}
