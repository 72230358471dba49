//! `alertmanager` keeps alerts firing in every Alertmanager of a cluster, over API v2.
//!
//! Promises
//! - A request is delivered once at least one peer has it; every peer is sent everything, and each failure is counted.
//! - What makes an alert one is bounded: labels come from the configuration, never per-event values, so that a storm of one
//!   rule is one alert that goes on.
//! - An alert ends by itself `resolve_after` its last event. Until then it is sent again every `resend_interval`, because an
//!   Alertmanager keeps alerts in memory only: one that restarts, or was away, has them again.
//! - The table of what fires is bounded ([`table::MAX_FIRING`]); what has no room is sent once and counted.
//!
//! Why no order of events: alerts are states. Sending the newest state of a label set makes older ones superfluous, so those of
//! one request are folded.

mod alerts;
mod config;
mod peers;
mod table;
#[cfg(test)]
mod tests;

pub use alerts::Alerts;

use crate::http::Verdict;
use config::{Config, Plan};
use jiff::Timestamp;
use lanner_conditions::Seen;
use lanner_engine::{component::Settled, prelude::*};
use peers::Peers;
use std::time::Duration;
use table::Table;

/// The component type.
pub struct Alertmanager;

impl Component for Alertmanager {
    const TYPE: &'static str = "alertmanager";
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct AlertmanagerExporter {
    alerts: Alerts,
    peers: Peers,
    table: Table,
    resend: Duration,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(Box::new(AlertmanagerExporter {
            peers: Peers::new(self.peers, self.settings, self.retry, self.veil, cx)?,
            table: Table::new(cx),
            alerts: self.alerts,
            resend: self.resend,
        }))
    }
}

#[async_trait]
impl Exporter for AlertmanagerExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let logs = match request.logs() {
            Ok(logs) => logs,
            Err(error) => return Outcome::Reject { reason: error.to_string() },
        };
        let now = Timestamp::now();
        let mut open = request.progress().open().into_iter().peekable();
        let mut folded = table::Folded::default();
        let records = logs.groups.iter().flat_map(|group| group.records.iter().map(move |record| (group, record)));
        for (item, (group, record)) in records.enumerate() {
            if open.next_if_eq(&item).is_some() {
                folded.add(item, self.alerts.alert(Seen { resource: &group.resource, record }, now));
            }
        }
        let alerts = folded.into_alerts();
        for part in alerts.chunks(peers::MAX_ALERTS) {
            let bodies: Vec<_> = part.iter().map(|(alert, _)| self.table.current(alert)).collect();
            let verdicts = self.peers.send(&bodies).await;
            let mut again = None;
            for (((_, items), alert), verdict) in part.iter().zip(bodies).zip(verdicts) {
                let settled = match verdict {
                    Verdict::Delivered => Settled::Delivered,
                    Verdict::Retry { after, reason } => {
                        again = again.or(Some(Outcome::Retry { after, reason }));
                        continue;
                    }
                    Verdict::TooLarge { reason } | Verdict::Reject { reason } | Verdict::Refuse { reason } => {
                        Settled::Rejected { reason }
                    }
                };
                if settled == Settled::Delivered {
                    self.table.fires(alert, now);
                }
                items.iter().for_each(|item| request.progress().settle(*item, settled.clone()));
            }
            if let Some(again) = again {
                return again;
            }
        }
        request.progress().outcome().unwrap_or(Outcome::Delivered)
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        if self.resend.is_zero() {
            drain.requested().await;
            return Ok(());
        }
        loop {
            tokio::select! {
                () = drain.requested() => return Ok(()),
                () = tokio::time::sleep(self.resend) => {}
            }
            let firing = self.table.firing(Timestamp::now());
            for part in firing.chunks(peers::MAX_ALERTS) {
                tokio::select! {
                    () = drain.requested() => return Ok(()),
                    () = self.peers.resend(part) => {}
                }
            }
        }
    }
}
