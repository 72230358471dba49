//! `sqlite` keeps events in a database that people and the console can ask.
//!
//! Promises
//! - A request is delivered once its transaction is committed and, unless `synchronous: normal`, on disk; all of it is
//!   there or nothing.
//! - An event is there once, whatever is repeated: its `log.record.uid` is unique. What is counted by container and day
//!   agrees with the events that were added.
//! - Files are bounded: the oldest go, by age and by size, and each deletion is counted.
//! - A damaged file is never made anew; what waits stays in the queue.
//!
//! Flow: an export takes the [`store`], which one writer at a time can have, to a thread that may wait for the disk. There
//! records become rows ([`event`]), counts ([`tally`]), incidents ([`incident`]) and spans ([`span`]) in one transaction.
//! Beside it a task deletes what is old ([`ages`], [`retention`]), in steps between which exports go on.

mod ages;
mod cells;
mod config;
mod event;
mod fault;
mod file;
mod incident;
mod retention;
mod schema;
mod span;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod upkeep;

use cells::Cells;
use config::{Config, Plan};
use lanner_engine::{prelude::*, stage::Clock};
use lanner_proto::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{sync::Arc, time::Duration};
use store::{Content, Store};
use tokio::sync::Mutex;

/// How often it is looked for what is to be done beside exports.
const TICK: Duration = Duration::from_secs(1);

/// What this exporter starts from. The time limit is above every wait for somebody else that has the database.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(180) };

/// The component type.
pub struct Sqlite;

impl Component for Sqlite {
    const TYPE: &'static str = "sqlite";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS.and(Signals::TRACES);
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(Box::new(SqliteExporter::new(*self, Clock::system(), cx)?))
    }
}

struct SqliteExporter {
    /// Fair: exports and maintenance take turns.
    store: Arc<Mutex<Store>>,
}

impl SqliteExporter {
    fn new(plan: Plan, clock: Clock, cx: &BuildCx) -> Result<Self, BoxError> {
        let store = Store::open(plan, clock, Cells::new(cx))?;
        Ok(Self { store: Arc::new(Mutex::new(store)) })
    }

    /// Does something with the store on a thread that may wait. It goes on to its end when the caller gives up.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, BoxError> {
        let mut store = Arc::clone(&self.store).lock_owned().await;
        Ok(tokio::task::spawn_blocking(move || work(&mut store)).await?)
    }
}

#[async_trait]
impl Exporter for SqliteExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let bytes = request.bytes().len();
        let written = match request.signal() {
            Signal::Traces => match ExportTraceServiceRequest::decode(request.bytes().clone()) {
                Ok(traces) => self.with(move |store| store.write(&Content::Traces(&traces), bytes)).await,
                Err(error) => return Outcome::Reject { reason: error.to_string() },
            },
            _ => match request.logs() {
                // Attributes and bodies are shared with the request, not copied.
                Ok(logs) => {
                    let logs = logs.clone();
                    self.with(move |store| store.write(&Content::Logs(&logs), bytes)).await
                }
                Err(error) => return Outcome::Reject { reason: error.to_string() },
            },
        };
        written.unwrap_or_else(|error| Outcome::Retry { after: None, reason: error.to_string() })
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        loop {
            if self.with(Store::maintain).await? && !drain.is_requested() {
                continue;
            }
            if tokio::time::timeout(TICK, drain.requested()).await.is_ok() {
                return self.with(Store::close).await;
            }
        }
    }
}
