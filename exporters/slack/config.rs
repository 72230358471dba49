//! The configuration of `slack`.

use super::message::Look;
use crate::http::{Addresses, Settings, Veil, client_settings, join, target_url};
use http::{HeaderMap, HeaderValue, header};
use lanner_conditions::{Field, FieldConfig, TemplateConfig};
use lanner_engine::{
    config::{Duration, Secret},
    net::tls::ClientTlsConfig,
    prelude::*,
};
use reqwest::Url;

/// Keys of falcosidekick that have no counterpart here, and what to do instead.
const NOT_OFFERED: [(&str, &str); 11] = [
    ("webhookurl", "it is spelled `webhook_url`"),
    ("footer", "messages have none; remove the key"),
    ("icon", "the app's settings at Slack have the icon; remove the key"),
    ("username", "the app's settings at Slack have the name; remove the key"),
    ("outputformat", "`fields` says which fields are shown; `fields: []` shows none"),
    ("messageformat", "write a `text` with fields in it, for example `text: \"%rule on %k8s.pod.name\"`"),
    ("minimumpriority", "put the processor `filter` in front"),
    ("maxconcurrentrequests", "one message is sent at a time, as Slack wants it; remove the key"),
    ("mutualtls", "set `tls.cert_file` and `tls.key_file`"),
    ("checkcert", "certificates are checked unless `tls.insecure_skip_verify` is set"),
    ("headers", "Slack wants none; remove the key"),
];

/// Sends alerts to a Slack channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// URL of an incoming webhook, which is a secret. Either this or `bot_token`.
    pub webhook_url: Secret,
    /// Token of a bot with the scope `chat:write`. With it alerts of one incident share a thread.
    pub bot_token: Secret,
    /// Channel that the bot posts to: its id, or its name with `#`.
    pub channel: String,
    /// Base URL of the Web API.
    pub endpoint: String,
    /// The line in front of an alert's card, with fields in it as in outputs of Falco. By default, and where a field is
    /// missing, priority, rule and place; begin it with `*` to have `<NA>` for a missing field.
    pub text: Option<TemplateConfig>,
    /// Fields to show; all that the alert has by default.
    pub fields: Option<Vec<FieldConfig>>,
    /// Alerts with the same value of this field share a thread; empty for no threads.
    pub thread_by: FieldConfig,
    /// Extension that keeps the threads over restarts, such as `file_storage`.
    pub storage: Option<ComponentId>,
    /// Time between two messages, 1s to 1m; Slack takes one a second.
    pub message_interval: Duration,
    /// Alerts that would wait longer than this, 0s to 1m, are told together in one message.
    pub digest_after: Duration,
    pub tls: ClientTlsConfig,
    /// Proxy to go through; the environment's proxy variables are not looked at. May hold credentials.
    pub proxy_url: Option<Secret>,
    /// Which addresses may be connected to, after the name is resolved.
    pub allow_addresses: Addresses,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            webhook_url: Secret::default(),
            bot_token: Secret::default(),
            channel: String::new(),
            endpoint: "https://slack.com/api".to_owned(),
            text: None,
            fields: None,
            thread_by: "incident.id".into(),
            storage: None,
            message_interval: Duration::from_secs(1),
            digest_after: Duration::from_secs(5),
            tls: ClientTlsConfig::default(),
            proxy_url: None,
            allow_addresses: Addresses::default(),
        }
    }
}

/// Where messages go.
pub enum Target {
    Webhook(Url),
    Bot(Box<Bot>),
}

/// A bot in a channel.
pub struct Bot {
    pub post: Url,
    pub update: Url,
    pub channel: String,
    pub thread_by: Option<Field>,
    pub storage: Option<ComponentId>,
}

/// The checked configuration.
pub struct Plan {
    pub target: Target,
    pub settings: Settings,
    pub veil: Veil,
    pub look: Look,
    pub interval: std::time::Duration,
    /// How many alerts wait for a message of their own.
    pub capacity: usize,
}

/// Nowhere to send to, or two places.
#[derive(Debug, thiserror::Error)]
#[error("{0}; set either `webhook_url`, or `bot_token` and `channel`")]
pub struct Destination(&'static str);

/// A key that the other way of sending has.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` belongs to `bot_token`, a webhook has no use for it; remove it, or use a bot")]
pub struct OnlyForBots(&'static str);

/// A bot posts to a channel.
#[derive(Debug, thiserror::Error)]
#[error("`channel` is missing; write its id, for example `channel: C0123456789`")]
pub struct NoChannel;

/// The token is a secret, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("`bot_token` holds a line break or another control character; is there a newline at its end?")]
pub struct InvalidToken;

/// A time out of its range.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; it can be {range}")]
pub struct OutOfRange {
    key: &'static str,
    value: Duration,
    range: &'static str,
}

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let times = self.check_times(cx);
        let target = self.check_target(cx);
        let headers = self.headers(cx);
        let line = self.text.as_ref().map(|text| text.compile("text", cx));
        let fields = self.fields.as_ref().map(|fields| FieldConfig::compile_list(fields, "fields", cx));
        let veil = Veil::of([&self.bot_token].into_iter().chain(&self.proxy_url));
        let settings = client_settings(self.tls, self.proxy_url.as_ref(), self.allow_addresses, headers, cx);
        let look = Look {
            line: line.map_or(Some(None), |line| line.map(Some))?,
            fields: match fields {
                Some(fields) => Some(fields?),
                None => None,
            },
        };
        let (interval, capacity) = times?;
        let target = target?;
        let mut veil = veil;
        if let Target::Webhook(url) = &target {
            veil.hide_url(url);
        }
        Some(Plan { target, settings: settings?, veil, look, interval, capacity })
    }

    fn check_times(&self, cx: &mut PlanCx<'_>) -> Option<(std::time::Duration, usize)> {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let (interval, after) = (self.message_interval, self.digest_after);
        let (sound_interval, sound_after) = ((second..=minute).contains(&interval), after <= minute);
        if !sound_interval {
            cx.error("message_interval", OutOfRange { key: "message_interval", value: interval, range: "1s to 1m" });
        }
        if !sound_after {
            cx.error("digest_after", OutOfRange { key: "digest_after", value: after, range: "0s to 1m" });
        }
        let capacity = after.0.as_secs_f64() / interval.0.as_secs_f64();
        (sound_interval && sound_after).then_some((interval.0, capacity as usize))
    }

    fn check_target(&self, cx: &mut PlanCx<'_>) -> Option<Target> {
        let (webhook, bot) = (self.webhook_url.expose(), self.bot_token.expose());
        match (webhook.is_empty(), bot.is_empty()) {
            (true, true) => cx.error("", Destination("there is nowhere to send to")),
            (false, false) => cx.error("", Destination("there are two places to send to")),
            (false, true) => return self.check_webhook(webhook, cx),
            (true, false) => return self.check_bot(cx),
        }
        None
    }

    fn check_webhook(&self, webhook: &str, cx: &mut PlanCx<'_>) -> Option<Target> {
        const EXAMPLE: &str = "https://hooks.slack.com/services/...";
        let url = target_url("webhook_url", webhook, EXAMPLE, self.allow_addresses, cx);
        let unused = [("channel", !self.channel.is_empty()), ("storage", self.storage.is_some())];
        let mut sound = true;
        for (key, _) in unused.into_iter().filter(|(_, is_set)| *is_set) {
            cx.error(key, OnlyForBots(key));
            sound = false;
        }
        url.filter(|_| sound).map(Target::Webhook)
    }

    fn check_bot(&self, cx: &mut PlanCx<'_>) -> Option<Target> {
        if self.channel.is_empty() {
            cx.error("channel", NoChannel);
        }
        if let Some(storage) = &self.storage {
            cx.storage("storage", storage);
        }
        let base = target_url("endpoint", &self.endpoint, "https://slack.com/api", self.allow_addresses, cx);
        let thread_by = match self.thread_by.0.is_empty() {
            true => None,
            false => Some(self.thread_by.compile("thread_by", cx)?),
        };
        let base = base?;
        let (post, update) = (join(&base, "chat.postMessage"), join(&base, "chat.update"));
        let bot = Bot { post, update, channel: self.channel.clone(), thread_by, storage: self.storage.clone() };
        (!bot.channel.is_empty()).then(|| Target::Bot(Box::new(bot)))
    }

    fn headers(&self, cx: &mut PlanCx<'_>) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        if !self.bot_token.expose().is_empty() {
            let Ok(mut token) = HeaderValue::from_str(&format!("Bearer {}", self.bot_token.expose())) else {
                cx.error("bot_token", InvalidToken);
                return None;
            };
            token.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, token);
        }
        Some(headers)
    }
}
