//! Calling the Events API.
//!
//! Promises: only 202, or what says `success` in words, counts as accepted; 400 and its likes are final, 429, 5xx and
//! failures of the connection are not; a call ends within [`CALL_LIMIT`]; no verdict holds the routing key.

use crate::http::{Client, Reply, Veil};
use http::StatusCode;
use lanner_engine::prelude::*;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value as Json;
use std::time::Duration;

/// Time for one call. One that ends by it may have been heard; it is repeated with the same key, so nothing doubles.
pub const CALL_LIMIT: Duration = Duration::from_secs(15);

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// PagerDuty asks to wait.
    Limited {
        wait: Option<Duration>,
        reason: String,
    },
    /// Nothing is known to have arrived.
    Later {
        reason: String,
    },
    /// PagerDuty will never take this.
    Refused {
        reason: String,
    },
}

/// Whoever takes events.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// One call.
    async fn call(&self, event: &Json) -> Verdict;
}

/// The Events API v2.
pub struct EventsApi {
    pub client: Client,
    pub url: Url,
    pub veil: Veil,
}

/// What PagerDuty answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    status: String,
    message: String,
    errors: Vec<String>,
}

#[async_trait]
impl Api for EventsApi {
    async fn call(&self, event: &Json) -> Verdict {
        match self.client.post_json(&self.url, event.to_string()).await {
            Ok(reply) => judge(&reply, &self.veil),
            Err(unanswered) => Verdict::Later { reason: unanswered.to_string() },
        }
    }
}

fn judge(reply: &Reply, veil: &Veil) -> Verdict {
    let answer = serde_json::from_slice::<Answer>(&reply.body).unwrap_or_default();
    let reason = || match answer.message.is_empty() {
        true => reply.reason(veil),
        false => {
            let told = format!("{}: {}", answer.message, answer.errors.join(", "));
            reply.reason_with(&veil.peer_text(told.trim_end_matches([':', ' ']).as_bytes()))
        }
    };
    match reply.status {
        StatusCode::ACCEPTED => Verdict::Accepted,
        status if status.is_success() && answer.status == "success" => Verdict::Accepted,
        // Somebody in between answers: a proxy, a login page.
        status if status.is_success() => {
            let reason = format!("HTTP {status}, but this is no answer of PagerDuty: {}", veil.peer_text(&reply.body));
            Verdict::Later { reason }
        }
        StatusCode::TOO_MANY_REQUESTS => Verdict::Limited { wait: reply.retry_after(), reason: reason() },
        StatusCode::REQUEST_TIMEOUT => Verdict::Later { reason: reason() },
        status if status.is_server_error() => Verdict::Later { reason: reason() },
        _ => Verdict::Refused { reason: reason() },
    }
}
