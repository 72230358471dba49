//! A pipeline in this process, on one thread: batches go in by hand, what comes out is counted and dropped.
//!
//! Promises: everything between is what users run, planned from YAML; a round is over when what it put in has come out,
//! so that rounds do not run into each other.

use crate::Error;
use lanner_connectors::event_metrics::EventMetrics;
use lanner_engine::{
    component::Registry,
    config::{self, Inputs},
    delivery::{budget::Budget, ledger::Ledger},
    graph::{Blueprint, Service, Surroundings},
    prelude::*,
    telemetry::{Health, Telemetry},
};
use lanner_exporters::webhook::Webhook;
use lanner_processors::{
    aggregate::Aggregate, attributes::AttributesProcessor, falco_rules::FalcoRules, filter::Filter, redact::Redact,
};
use lanner_receivers::{falco_http::FalcoHttp, k8s_audit::K8sAudit};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{runtime::Runtime, sync::Notify};

/// The components that functions use, and both ends.
const COMPONENTS: &[Factory] = &[
    Factory::receiver::<Entrance>(),
    Factory::receiver::<FalcoHttp>(),
    Factory::receiver::<K8sAudit>(),
    Factory::stage::<Aggregate>(),
    Factory::transform::<AttributesProcessor>(),
    Factory::built_transform::<FalcoRules>(),
    Factory::transform::<Filter>(),
    Factory::transform::<Redact>(),
    Factory::connector::<EventMetrics>(),
    Factory::exporter::<Nothing>(DeliveryDefaults::LOCAL),
    Factory::exporter::<Webhook>(DeliveryDefaults::LOCAL),
];

/// Long enough for any stop.
const STOP: Duration = Duration::from_secs(5);

/// A runtime of one thread, so that the order of things is the same in every run.
pub fn runtime() -> Result<Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A pipeline that runs as long as its runtime does something.
pub struct Pipeline {
    /// Kept so that it goes on.
    _service: Service,
    consumer: Option<Consumer>,
}

impl Pipeline {
    /// Starts the configuration `yaml`.
    pub async fn start(yaml: &str) -> Result<Self, Error> {
        let embedded = Some(("instructions".to_owned(), yaml.to_owned()));
        let loaded = config::load(&Inputs { embedded, ..Inputs::default() });
        let mut findings = loaded.findings;
        let blueprint = loaded
            .document
            .and_then(|document| Blueprint::new(document, &Registry::new([COMPONENTS]), &mut findings))
            .ok_or_else(|| format!("the configuration is invalid: {findings:?}"))?;
        let around = Surroundings {
            telemetry: Telemetry::default(),
            health: Health::default(),
            ledger: Ledger::default(),
            budget: Budget::new(0),
        };
        let mut service = Service::new(around, STOP);
        service.swap(blueprint).await?;
        // The receiver puts its way in there as soon as it runs.
        tokio::task::yield_now().await;
        let consumer = ENTRANCE.lock().ok().and_then(|mut entrance| entrance.take());
        Ok(Self { _service: service, consumer })
    }

    /// Puts a batch in by the receiver `entrance`; returns when it is acknowledged.
    pub async fn consume(&self, batch: Batch) -> Result<(), Error> {
        let consumer = self.consumer.as_ref().ok_or("the pipeline has no receiver `entrance`")?;
        Ok(consumer.consume(batch).await?)
    }

    /// Waits until so many items have come out at the exporter `nothing` since the start of the process.
    pub async fn wait_for(&self, items: usize) {
        while OUT.load(Relaxed) < items {
            CAME.notified().await;
        }
    }
}

/// The way in: one per process.
static ENTRANCE: Mutex<Option<Consumer>> = Mutex::new(None);
/// Items that came out.
static OUT: AtomicUsize = AtomicUsize::new(0);
static CAME: Notify = Notify::const_new();

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NoConfig {}

/// A receiver that gives its way in away.
struct Entrance;

impl Component for Entrance {
    const TYPE: &'static str = "entrance";
    const STABILITY: Stability = Stability::Development;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = "";
    type Config = NoConfig;
    type Plan = Self;

    fn plan(NoConfig {}: NoConfig, _: &mut PlanCx<'_>) -> Option<Self> {
        Some(Self)
    }
}

#[async_trait]
impl ReceiverPlan for Entrance {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(self)
    }
}

#[async_trait]
impl Receiver for Entrance {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        if let Ok(mut entrance) = ENTRANCE.lock() {
            *entrance = Some(out);
        }
        drain.requested().await;
        Ok(())
    }
}

/// An exporter that counts.
struct Nothing;

impl Component for Nothing {
    const TYPE: &'static str = "nothing";
    const STABILITY: Stability = Stability::Development;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = "";
    type Config = NoConfig;
    type Plan = Self;

    fn plan(NoConfig {}: NoConfig, _: &mut PlanCx<'_>) -> Option<Self> {
        Some(Self)
    }
}

#[async_trait]
impl ExporterPlan for Nothing {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(self)
    }
}

#[async_trait]
impl Exporter for Nothing {
    async fn export(&self, request: &Request) -> Outcome {
        OUT.fetch_add(request.items(), Relaxed);
        CAME.notify_one();
        Outcome::Delivered
    }
}
