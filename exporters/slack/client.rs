//! Calling Slack: an incoming webhook, or the Web API with a bot's token.
//!
//! Promises: only `ok` counts as success, in the words of either way; every other reply falls into one [`Verdict`], by
//! its error word first and its status second; a call ends within [`CALL_LIMIT`]; no verdict holds the webhook's URL or
//! the token.

use crate::http::{Client, Reply, Veil};
use http::StatusCode;
use lanner_engine::prelude::*;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value as Json;
use std::time::Duration;

/// Time for one call. A call that ends by it may have been heard: what it brought is posted again.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What is asked of Slack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Post,
    Update,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done; a webhook does not say where the message stands.
    Posted(Option<Posted>),
    /// Slack asks to wait.
    Limited { wait: Option<Duration>, reason: String },
    /// Nothing is known to have arrived.
    Later { reason: String },
    /// The thread or the message that was meant is not there any more.
    Gone,
    /// Slack will never take this.
    Refused { reason: String },
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub channel: String,
    pub ts: String,
}

/// Whoever takes messages.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// One call.
    async fn call(&self, method: Method, message: &Json) -> Verdict;
}

/// An incoming webhook.
pub struct Webhook {
    pub client: Client,
    /// Its path is a secret.
    pub url: Url,
    pub veil: Veil,
}

/// The Web API.
pub struct WebApi {
    /// Sends the token with every call.
    pub client: Client,
    pub post: Url,
    pub update: Url,
    pub veil: Veil,
}

#[async_trait]
impl Api for Webhook {
    async fn call(&self, _: Method, message: &Json) -> Verdict {
        match self.client.post_json(&self.url, message.to_string()).await {
            Ok(reply) => judge_webhook(&reply, &self.veil),
            Err(unanswered) => Verdict::Later { reason: unanswered.to_string() },
        }
    }
}

#[async_trait]
impl Api for WebApi {
    async fn call(&self, method: Method, message: &Json) -> Verdict {
        let url = match method {
            Method::Post => &self.post,
            Method::Update => &self.update,
        };
        match self.client.post_json(url, message.to_string()).await {
            Ok(reply) => judge_api(&reply, &self.veil),
            Err(unanswered) => Verdict::Later { reason: unanswered.to_string() },
        }
    }
}

fn judge_webhook(reply: &Reply, veil: &Veil) -> Verdict {
    let told = String::from_utf8_lossy(&reply.body);
    match told.trim() {
        "ok" if reply.status == StatusCode::OK => Verdict::Posted(None),
        word if is_word(word) => judge_word(word, reply, veil),
        _ => match serde_json::from_slice::<ApiReply>(&reply.body) {
            Ok(said) if !said.ok && is_word(&said.error) => judge_word(&said.error, reply, veil),
            _ => judge_status(reply, veil),
        },
    }
}

/// What the Web API answers.
#[derive(Deserialize)]
struct ApiReply {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

fn judge_api(reply: &Reply, veil: &Veil) -> Verdict {
    match serde_json::from_slice::<ApiReply>(&reply.body) {
        Ok(said) if said.ok && reply.status == StatusCode::OK => {
            Verdict::Posted(Some(Posted { channel: said.channel, ts: said.ts }))
        }
        Ok(said) if !said.ok && is_word(&said.error) => judge_word(&said.error, reply, veil),
        _ => judge_status(reply, veil),
    }
}

/// Slack's errors are words such as `channel_not_found`.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 80 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn judge_word(word: &str, reply: &Reply, veil: &Veil) -> Verdict {
    let reason = format!("HTTP {}: {}{}", reply.status.as_u16(), veil.peer_text(word.as_bytes()), remedy(word));
    match word {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            Verdict::Limited { wait: reply.retry_after(), reason }
        }
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "rollup_error" => Verdict::Later { reason },
        "message_not_found" | "thread_not_found" | "cant_update_message" | "edit_window_closed" => Verdict::Gone,
        // A word that is not known is still Slack's answer about this message.
        _ => match judge_status(reply, veil) {
            Verdict::Limited { wait, .. } => Verdict::Limited { wait, reason },
            Verdict::Later { .. } if !reply.status.is_success() => Verdict::Later { reason },
            _ => Verdict::Refused { reason },
        },
    }
}

/// What a person can do about it.
fn remedy(word: &str) -> &'static str {
    match word {
        "channel_not_found" => "; check `channel`, and invite the bot to it",
        "not_in_channel" => "; invite the bot to the channel",
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => "; renew `bot_token`",
        "missing_scope" => "; give the bot the scope `chat:write`",
        "no_service" | "no_team" | "invalid_token" | "action_prohibited" => {
            "; make a new webhook and set `webhook_url`"
        }
        "is_archived" | "channel_is_archived" => "; choose another channel",
        _ => "",
    }
}

fn judge_status(reply: &Reply, veil: &Veil) -> Verdict {
    match reply.status {
        StatusCode::TOO_MANY_REQUESTS => Verdict::Limited { wait: reply.retry_after(), reason: reply.reason(veil) },
        // Somebody in between answers: a proxy, a login page.
        status if status.is_success() => {
            let reason = format!("HTTP {status}, but this is no answer of Slack: {}", veil.peer_text(&reply.body));
            Verdict::Later { reason }
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Verdict::Later { reason: reply.reason(veil) }
        }
        _ => Verdict::Refused { reason: reply.reason(veil) },
    }
}
