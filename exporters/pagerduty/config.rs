//! The configuration of `pagerduty`.

use super::event::Look;
use crate::http::{Addresses, Settings, Veil, client_settings, join, target_url};
use http::HeaderMap;
use lanner_conditions::{FieldConfig, FieldList, TemplateConfig};
use lanner_engine::{
    config::{Duration, Secret},
    net::tls::ClientTlsConfig,
    prelude::*,
};
use reqwest::Url;

/// Keys of falcosidekick that have no counterpart here, and what to do instead.
const NOT_OFFERED: [(&str, &str); 5] = [
    ("routingkey", "it is spelled `routing_key`"),
    ("minimumpriority", "put the processor `filter` in front"),
    ("maxconcurrentrequests", "events are sent one after another, so that their order holds; remove the key"),
    ("mutualtls", "set `tls.cert_file` and `tls.key_file`"),
    ("checkcert", "certificates are checked unless `tls.insecure_skip_verify` is set"),
];

/// Opens and resolves PagerDuty alerts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Integration key of an Events API v2 integration, 32 characters.
    pub routing_key: Secret,
    pub region: Region,
    /// Base URL, when it is not that of the region.
    pub endpoint: Option<String>,
    /// Fields whose values make one PagerDuty alert; by default the incident when there is one, else rule, cluster, and
    /// pod, container or host.
    pub dedup_by: Option<Vec<FieldConfig>>,
    /// Resolve when nothing came for so long, at least 1m; `0s` never resolves.
    pub resolve_after: Duration,
    /// The summary, with fields in it as in outputs of Falco. By default, and where a field is missing, the alert's output;
    /// begin it with `*` to have `<NA>` for a missing field.
    pub summary: Option<TemplateConfig>,
    /// Fields for the custom details; all that the alert has by default.
    pub fields: Option<Vec<FieldConfig>>,
    /// Links to show with every alert, such as a runbook.
    pub links: Vec<Link>,
    /// Where the alert's `client` leads to, for example a dashboard.
    pub client_url: Option<String>,
    /// Calls in every 60 seconds, 1 to 10000; PagerDuty takes 120 for an integration.
    pub max_per_minute: usize,
    /// Extension that keeps what is open over restarts, such as `file_storage`.
    pub storage: Option<ComponentId>,
    pub tls: ClientTlsConfig,
    /// Proxy to go through; the environment's proxy variables are not looked at. May hold credentials.
    pub proxy_url: Option<Secret>,
    /// Which addresses may be connected to, after the name is resolved.
    pub allow_addresses: Addresses,
}

/// Where the account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    #[default]
    Us,
    Eu,
}

/// A link.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Where it leads to.
    pub href: String,
    /// What it is called.
    pub text: String,
}

impl Region {
    const fn base(self) -> &'static str {
        match self {
            Self::Us => "https://events.pagerduty.com",
            Self::Eu => "https://events.eu.pagerduty.com",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            routing_key: Secret::default(),
            region: Region::default(),
            endpoint: None,
            dedup_by: None,
            resolve_after: Duration::from_secs(300),
            summary: None,
            fields: None,
            links: Vec::new(),
            client_url: None,
            max_per_minute: 120,
            storage: None,
            tls: ClientTlsConfig::default(),
            proxy_url: None,
            allow_addresses: Addresses::default(),
        }
    }
}

/// The checked configuration.
pub struct Plan {
    pub url: Url,
    pub settings: Settings,
    pub veil: Veil,
    pub look: Look,
    pub dedup_by: Option<FieldList>,
    /// `None` never resolves.
    pub resolve_after: Option<std::time::Duration>,
    pub max_per_minute: usize,
    pub storage: Option<ComponentId>,
}

/// No key.
#[derive(Debug, thiserror::Error)]
#[error("`routing_key` is missing; write the integration key of an Events API v2 integration")]
pub struct NoRoutingKey;

/// The key is a secret, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("`routing_key` has {0} characters; an integration key of the Events API v2 has 32, letters and digits")]
pub struct OddRoutingKey(usize);

/// A link that leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no URL; write for example `https://example.com/runbook`")]
pub struct InvalidLink(String);

/// An alert that opens and closes all the time.
#[derive(Debug, thiserror::Error)]
#[error("`resolve_after` is {0}; it can be 1m or more, or `0s` to leave alerts open")]
pub struct TooShort(Duration);

/// A number of calls that nobody takes.
#[derive(Debug, thiserror::Error)]
#[error("`max_per_minute` is {0}; it can be 1 to 10000")]
pub struct MaxPerMinute(usize);

/// Alerts would all be one.
#[derive(Debug, thiserror::Error)]
#[error("`dedup_by` is empty, which would make one alert of everything; name a field, for example `rule`")]
pub struct NoDedupFields;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let key = self.check_key(cx);
        let base = self.endpoint.as_deref().unwrap_or(self.region.base());
        let base = target_url("endpoint", base, Region::default().base(), self.allow_addresses, cx);
        let mut sound = true;
        let links = self.links.iter().enumerate().map(|(place, link)| (format!("links[{place}].href"), &link.href));
        let client_url = self.client_url.iter().map(|url| ("client_url".to_owned(), url));
        for (path, shown) in links.chain(client_url) {
            sound &= check_link(&path, shown, cx);
        }
        if !self.resolve_after.0.is_zero() && self.resolve_after < Duration::from_secs(60) {
            cx.error("resolve_after", TooShort(self.resolve_after));
            sound = false;
        }
        if !(1..=10_000).contains(&self.max_per_minute) {
            cx.error("max_per_minute", MaxPerMinute(self.max_per_minute));
            sound = false;
        }
        if let Some(storage) = &self.storage {
            cx.storage("storage", storage);
        }
        if self.dedup_by.as_ref().is_some_and(Vec::is_empty) {
            cx.error("dedup_by", NoDedupFields);
            sound = false;
        }
        let summary = self.summary.as_ref().map(|summary| summary.compile("summary", cx));
        let fields = self.fields.as_ref().map(|fields| FieldConfig::compile_list(fields, "fields", cx));
        let dedup_by = self.dedup_by.as_ref().map(|fields| FieldConfig::compile_list(fields, "dedup_by", cx));
        let veil = Veil::of([&self.routing_key].into_iter().chain(&self.proxy_url));
        let headers = Some(HeaderMap::new());
        let settings = client_settings(self.tls, self.proxy_url.as_ref(), self.allow_addresses, headers, cx);
        let look = Look {
            routing_key: key?,
            summary: given(summary)?,
            fields: given(fields)?,
            links: self.links,
            client_url: self.client_url,
        };
        sound.then_some(Plan {
            url: join(&base?, "v2/enqueue"),
            settings: settings?,
            veil,
            look,
            dedup_by: given(dedup_by)?,
            resolve_after: Some(self.resolve_after.0).filter(|after| !after.is_zero()),
            max_per_minute: self.max_per_minute,
            storage: self.storage,
        })
    }

    fn check_key(&self, cx: &mut PlanCx<'_>) -> Option<Secret> {
        let key = self.routing_key.expose();
        match key.len() {
            0 => cx.error("routing_key", NoRoutingKey),
            32 if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return Some(self.routing_key.clone()),
            length => cx.error("routing_key", OddRoutingKey(length)),
        }
        None
    }
}

/// What was not written is no problem; what was written wrong is.
fn given<T>(compiled: Option<Option<T>>) -> Option<Option<T>> {
    match compiled {
        Some(Some(sound)) => Some(Some(sound)),
        Some(None) => None,
        None => Some(None),
    }
}

/// What alerts link to is for people; nothing is sent there.
fn check_link(path: &str, text: &str, cx: &mut PlanCx<'_>) -> bool {
    let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        cx.error(path, InvalidLink(text.to_owned()));
    }
    url.is_some()
}
