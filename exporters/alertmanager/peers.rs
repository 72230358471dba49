//! `Peers`: every Alertmanager gets everything.
//!
//! What one peer has is delivered. A peer that refuses a body with 400 has stored the valid alerts of it and not the others,
//! without saying which: the body is halved until the refused ones stand alone; storing an alert again changes nothing.

use super::alerts::Alert;
use crate::http::{Client, RetryStatuses, Settings, Veil, Verdict};
use futures_util::future::join_all;
use http::StatusCode;
use lanner_engine::{prelude::*, telemetry::Counter};
use reqwest::Url;
use std::time::Duration;

/// Most alerts of one body.
pub const MAX_ALERTS: usize = 64;
/// Time for one body.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// The configured Alertmanagers.
pub struct Peers {
    client: Client,
    peers: Vec<Peer>,
    retry: RetryStatuses,
    veil: Veil,
}

struct Peer {
    url: Url,
    sent: Counter,
    failed: Counter,
}

impl Peers {
    /// Makes the client; connects to nobody.
    ///
    /// # Errors
    /// A certificate or key cannot be read.
    pub fn new(
        urls: Vec<Url>,
        settings: Settings,
        retry: RetryStatuses,
        veil: Veil,
        cx: &BuildCx,
    ) -> Result<Self, BoxError> {
        let peer = |url: Url| {
            let port = url.port_or_known_default().unwrap_or_default();
            let name = format!("{}:{port}", url.host_str().unwrap_or_default());
            let label = [("exporter", cx.id.as_str()), ("peer", name.as_str())];
            let (sent, failed) = ("lanner_alertmanager_sent_alerts", "lanner_alertmanager_failed_alerts");
            Peer {
                sent: cx.telemetry.counter(sent, "Alerts that the peer took, repetitions included.", "{alert}", &label),
                failed: cx.telemetry.counter(failed, "Alerts that the peer did not take.", "{alert}", &label),
                url,
            }
        };
        Ok(Self {
            client: Client::new(settings, Some(CALL_LIMIT))?,
            peers: urls.into_iter().map(peer).collect(),
            retry,
            veil,
        })
    }

    /// Sends alerts to all peers; for each alert the best that a peer said about it.
    pub async fn send(&self, alerts: &[Alert]) -> Vec<Verdict> {
        let said = join_all(self.peers.iter().map(|peer| self.send_to(peer, alerts))).await;
        let mut best: Vec<Option<Verdict>> = vec![None; alerts.len()];
        for verdict in said {
            for (best, new) in best.iter_mut().zip(verdict) {
                if best.as_ref().is_none_or(|known| rank(&new) < rank(known)) {
                    *best = Some(new);
                }
            }
        }
        let nobody = || Verdict::Reject { reason: "no peers".to_owned() };
        best.into_iter().map(|verdict| verdict.unwrap_or_else(nobody)).collect()
    }

    /// Sends again what fires. Failures are counted; the next round comes anyway.
    pub async fn resend(&self, alerts: &[Alert]) {
        self.send(alerts).await;
    }

    async fn send_to(&self, peer: &Peer, alerts: &[Alert]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(alerts.len());
        // The next part last.
        let mut waiting = vec![alerts];
        while let Some(part) = waiting.pop() {
            let verdict = self.post(peer, part).await;
            let counter = if verdict == Verdict::Delivered { &peer.sent } else { &peer.failed };
            match verdict {
                Verdict::TooLarge { .. } if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    waiting.extend([second, first]);
                    continue;
                }
                // Whoever does not answer now does not answer the rest either.
                Verdict::Retry { .. } => {
                    let left = alerts.len() - verdicts.len();
                    peer.failed.add(left as u64);
                    verdicts.resize(alerts.len(), verdict);
                    break;
                }
                verdict => verdicts.extend(std::iter::repeat_n(verdict, part.len())),
            }
            counter.add(part.len() as u64);
        }
        verdicts
    }

    async fn post(&self, peer: &Peer, alerts: &[Alert]) -> Verdict {
        let body = match serde_json::to_vec(alerts) {
            Ok(body) => body,
            Err(error) => return Verdict::Reject { reason: error.to_string() },
        };
        match self.client.post_json(&peer.url, body).await {
            // Some of them are bad; halved like what is too large.
            Ok(reply) if reply.status == StatusCode::BAD_REQUEST => {
                Verdict::TooLarge { reason: reply.reason(&self.veil) }
            }
            Ok(reply) => reply.verdict(&self.retry, &self.veil),
            Err(unanswered) => unanswered.into(),
        }
    }
}

/// Better is lower.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Delivered => 0,
        Verdict::Retry { .. } => 1,
        Verdict::TooLarge { .. } | Verdict::Reject { .. } | Verdict::Refuse { .. } => 2,
    }
}
