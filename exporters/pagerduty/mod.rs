//! `pagerduty` opens PagerDuty alerts through the Events API v2, and resolves them when they are quiet.
//!
//! Promises: a record counts as delivered once an event that shows or counts it was accepted; the same things always belong to
//! the same PagerDuty alert, so a repeated event opens nothing twice; the events of one alert leave in their order, over
//! retries too; PagerDuty is never called more often than it takes.
//!
//! An export call hands its records to the [`line`] and waits; the [`sender`] takes from there what is most urgent, makes an
//! [`event`] of it, calls PagerDuty ([`client`]) within its [`pace`], and answers for what it took. [`open`] knows when an
//! alert has been quiet for long enough.

mod client;
mod config;
mod event;
mod line;
mod open;
mod pace;
mod sender;
#[cfg(test)]
mod tests;

use crate::{
    alert_view::AlertView,
    handover::{self, Ticket},
    http::Client,
    pause::Pause,
};
use client::{Api, CALL_LIMIT, EventsApi};
use config::{Config, Plan};
use lanner_conditions::FieldList;
use lanner_engine::{event::LogGroup, prelude::*, semantics::event_names};
use line::{Action, Line};
use open::Open;
use sender::{Cells, Sender};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

/// The component type.
pub struct PagerDuty;

/// What this exporter starts from. The time limit is for all events of a request and their waiting; a single call has its
/// own.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(180) };

/// The state of an incident that is over.
const CLOSED: &str = "closed";
static INCIDENT_STATE: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.incident.state"));

impl Component for PagerDuty {
    const TYPE: &'static str = "pagerduty";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct PagerDutyExporter {
    sender: Sender,
    dedup_by: Option<FieldList>,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let client = Client::new(self.settings.clone(), Some(CALL_LIMIT))?;
        let api = EventsApi { client, url: self.url.clone(), veil: self.veil.clone() };
        Ok(Box::new(PagerDutyExporter::new(*self, Box::new(api), cx).await?))
    }
}

impl PagerDutyExporter {
    /// An exporter that calls `api`.
    async fn new(plan: Plan, api: Box<dyn Api>, cx: &BuildCx) -> Result<Self, BoxError> {
        let open = match plan.resolve_after {
            Some(quiet) => {
                let storage = plan.storage.map(|extension| cx.storage(&extension)).transpose()?;
                Some(Open::load(quiet, storage, open::Cells::new(cx)).await?)
            }
            None => None,
        };
        let sender = Sender {
            line: Line::default(),
            api,
            look: plan.look,
            open: tokio::sync::Mutex::new(open),
            max_per_minute: plan.max_per_minute,
            pause: Pause::default(),
            cells: Cells::new(cx),
        };
        Ok(Self { sender, dedup_by: plan.dedup_by })
    }

    /// Puts a record into the line.
    fn line_up(&self, resource: &Arc<Resource>, record: &LogRecord, ticket: Ticket) {
        let view = AlertView { resource, record };
        let key = event::dedup_key(self.dedup_by.as_ref(), view);
        let is_over = record.event_name == event_names::LANNER_INCIDENT && view.text(&INCIDENT_STATE) == Some(CLOSED);
        let action = if is_over { Action::Resolve } else { Action::Trigger };
        self.sender.line.add(key, action, resource, record, ticket);
    }
}

#[async_trait]
impl Exporter for PagerDutyExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let line_up = |group: &LogGroup, record: &LogRecord, ticket| self.line_up(&group.resource, record, ticket);
        handover::export(request, (&self.sender.pause, "PagerDuty"), line_up).await
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        handover::until_drained(self.sender.run(), drain).await
    }
}

impl Cells {
    fn new(cx: &BuildCx) -> Self {
        let id = ("exporter", cx.id.as_str());
        let events = |action| {
            let help = "Events that PagerDuty accepted, by action.";
            cx.telemetry.counter("lanner_pagerduty_events", help, "{event}", &[id, ("action", action)])
        };
        let joined = "Records that were counted in the event of another one of the same alert.";
        let limited = "Calls that PagerDuty answered with a request to wait.";
        let open = "Alerts that will be resolved when they are quiet.";
        Self {
            triggers: events("trigger"),
            resolves: events("resolve"),
            joined: cx.telemetry.counter("lanner_pagerduty_joined_alerts", joined, "{alert}", &[id]),
            limited: cx.telemetry.counter("lanner_pagerduty_rate_limited", limited, "{call}", &[id]),
            open: cx.telemetry.gauge("lanner_pagerduty_open_alerts", open, "{alert}", &[id]),
        }
    }
}

impl open::Cells {
    fn new(cx: &BuildCx) -> Self {
        let id = ("exporter", cx.id.as_str());
        let unnoted = "Events of alerts that nobody resolves by time, because too many are open.";
        let failures = "Changes of what is open that could not be stored.";
        Self {
            unnoted: cx.telemetry.counter("lanner_pagerduty_unnoted_events", unnoted, "{event}", &[id]),
            failures: cx.telemetry.counter("lanner_pagerduty_storage_failures", failures, "{change}", &[id]),
        }
    }
}
