//! `slack` posts alerts to a channel, through an incoming webhook or as a bot.
//!
//! Promises: an alert counts as delivered once a message that shows it, or a digest that counts it, was answered with
//! success, and never before; a channel gets at most one message per `message_interval`; what would wait longer than
//! `digest_after` is told in a digest, urgent alerts before others; nothing from an event is markup, a mention or a link.
//!
//! An export call hands its records to the [`line`] and waits; the [`sender`] takes from there what is most urgent, makes a
//! [`message`] or a [`digest`] of it, calls Slack ([`client`]) and answers for what it took. With a bot, [`threads`] keeps
//! which message began what.

mod client;
mod config;
mod digest;
mod line;
mod message;
mod sender;
#[cfg(test)]
mod tests;
mod text;
mod threads;

use crate::{
    handover::{self, Ticket},
    http::Client,
    pause::Pause,
};
use client::{Api, CALL_LIMIT, WebApi, Webhook};
use config::{Config, Plan, Target};
use lanner_conditions::{Field, Seen};
use lanner_engine::{event::LogGroup, prelude::*, semantics::event_names};
use line::{Line, Notice};
use sender::{Cells, Sender};
use std::{sync::Arc, time::Duration};
use threads::Threads;
use tokio::time::Instant;

/// The component type.
pub struct Slack;

/// What this exporter starts from. The time limit is for all messages of a request and their waiting; a single call has
/// its own.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(180) };

impl Component for Slack {
    const TYPE: &'static str = "slack";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct SlackExporter {
    sender: Sender,
    thread_by: Option<Field>,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let client = Client::new(self.settings.clone(), Some(CALL_LIMIT))?;
        let veil = self.veil.clone();
        let api: Box<dyn Api> = match &self.target {
            Target::Webhook(url) => Box::new(Webhook { client, url: url.clone(), veil }),
            Target::Bot(bot) => Box::new(WebApi { client, post: bot.post.clone(), update: bot.update.clone(), veil }),
        };
        Ok(Box::new(SlackExporter::new(*self, api, cx).await?))
    }
}

impl SlackExporter {
    /// An exporter that calls `api`.
    async fn new(plan: Plan, api: Box<dyn Api>, cx: &BuildCx) -> Result<Self, BoxError> {
        let (channel, thread_by, storage) = match plan.target {
            Target::Webhook(_) => (None, None, None),
            Target::Bot(bot) => (Some(bot.channel), bot.thread_by, bot.storage),
        };
        let storage = storage.map(|extension| cx.storage(&extension)).transpose()?;
        let failures = cx.telemetry.counter(
            "lanner_slack_storage_failures",
            "Threads that could not be stored; they begin anew after a restart.",
            "{thread}",
            &[("exporter", cx.id.as_str())],
        );
        let sender = Sender {
            line: Line::new(plan.capacity),
            api,
            channel,
            threads: tokio::sync::Mutex::new(Threads::load(storage, failures).await?),
            look: plan.look,
            interval: plan.interval,
            cells: Cells::new(cx),
            pause: Pause::default(),
        };
        Ok(Self { sender, thread_by })
    }

    /// Puts a record into the line.
    fn line_up(&self, resource: &Arc<Resource>, record: &LogRecord, ticket: Ticket) {
        let is_report = record.event_name == event_names::LANNER_INCIDENT;
        self.sender.line.add(record, is_report, ticket, |ticket| Notice {
            resource: Arc::clone(resource),
            record: record.clone(),
            arrived: Instant::now(),
            thread: self.thread_by.as_ref().and_then(|field| field.text(Seen { resource, record })),
            is_report,
            tickets: vec![ticket],
        });
    }
}

#[async_trait]
impl Exporter for SlackExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let line_up = |group: &LogGroup, record: &LogRecord, ticket| self.line_up(&group.resource, record, ticket);
        handover::export(request, (&self.sender.pause, "Slack"), line_up).await
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        handover::until_drained(self.sender.run(), drain).await
    }
}

impl Cells {
    fn new(cx: &BuildCx) -> Self {
        let id = ("exporter", cx.id.as_str());
        let messages = Self::KINDS.map(|kind| {
            let help = "Messages that Slack took, by kind.";
            cx.telemetry.counter("lanner_slack_messages", help, "{message}", &[id, ("kind", kind)])
        });
        let folded = "Alerts that were told in a digest.";
        let limited = "Calls that Slack answered with a request to wait.";
        Self {
            messages,
            folded: cx.telemetry.counter("lanner_slack_folded_alerts", folded, "{alert}", &[id]),
            limited: cx.telemetry.counter("lanner_slack_rate_limited", limited, "{call}", &[id]),
        }
    }
}
