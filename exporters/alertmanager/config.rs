//! The configuration of `alertmanager`.

use super::alerts::{Alerts, DEFAULT_LABELS, RESOLVE_AFTER, is_label_name};
use crate::http::{
    Addresses, RetryStatuses, Settings, Veil, check_statuses, client_settings, is_reserved, join, target_url,
};
use lanner_conditions::{FieldConfig, TemplateConfig};
use lanner_engine::{
    config::{Duration, Secret},
    event::Priority,
    net::{client::HeadersConfig, tls::ClientTlsConfig},
    prelude::*,
};
use reqwest::Url;
use std::{collections::BTreeMap, sync::Arc};

/// Sends alerts to Alertmanager.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// URLs of all members of the cluster, each on its own and not behind a load balancer; `/api/v2/alerts` is added.
    pub endpoints: Vec<String>,
    /// Labels and the fields they come from, beside `alertname` (the rule), `severity` and `priority`. An empty field removes a
    /// default one.
    pub labels: BTreeMap<String, FieldConfig>,
    /// Labels with a fixed value.
    pub fixed_labels: BTreeMap<String, String>,
    /// Annotations and their templates, beside `summary`, `description`, `tags` and `uid`.
    pub annotations: BTreeMap<String, TemplateConfig>,
    /// Whether output fields become annotations.
    pub field_annotations: bool,
    /// The label `severity` of a priority, for example `error: critical`.
    pub severities: BTreeMap<String, String>,
    /// How long an alert fires after its last event; at least 10s. Longer than Alertmanager's `group_interval`, or a new alert of
    /// a group may end before anybody is told.
    pub resolve_after: Duration,
    /// How often what fires is sent again; 0s is never.
    pub resend_interval: Duration,
    /// Where the alert's own link leads.
    pub generator_url: String,
    /// Headers to send with every request; their values are never shown.
    pub headers: HeadersConfig,
    /// Statuses after which a request is sent again.
    pub retry_statuses: RetryStatuses,
    pub tls: ClientTlsConfig,
    /// Proxy to go through; the environment's proxy variables are not looked at. May hold credentials.
    pub proxy_url: Option<Secret>,
    /// Which addresses may be connected to, after the name is resolved.
    pub allow_addresses: Addresses,
}

impl Default for Config {
    fn default() -> Self {
        let labels = DEFAULT_LABELS.iter().map(|(name, field)| ((*name).to_owned(), FieldConfig::from(*field)));
        Self {
            endpoints: Vec::new(),
            labels: labels.collect(),
            fixed_labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            field_annotations: true,
            severities: BTreeMap::new(),
            resolve_after: Duration(RESOLVE_AFTER),
            resend_interval: Duration::from_secs(60),
            generator_url: String::new(),
            headers: HeadersConfig::default(),
            retry_statuses: RetryStatuses::default(),
            tls: ClientTlsConfig::default(),
            proxy_url: None,
            allow_addresses: Addresses::default(),
        }
    }
}

/// The checked configuration.
pub struct Plan {
    pub peers: Vec<Url>,
    pub settings: Settings,
    pub alerts: Alerts,
    pub resend: std::time::Duration,
    pub retry: RetryStatuses,
    pub veil: Veil,
}

/// Nobody to send to.
#[derive(Debug, thiserror::Error)]
#[error("`endpoints` is empty; write for example `endpoints: [\"http://alertmanager:9093\"]`")]
struct NoEndpoints;

/// A name Prometheus does not allow.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no name of a label; write letters, digits and `_`, and no digit first")]
struct InvalidLabel(String);

/// A label that the exporter makes.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is made by the exporter; choose another name, or `severities` for the severity")]
struct OwnLabel(String);

/// A word that is no priority.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no priority; write emergency, alert, critical, error, warning, notice, informational or debug")]
struct InvalidPriority(String);

/// An alert that ends before it is seen.
#[derive(Debug, thiserror::Error)]
#[error("`resolve_after` must be between 10s and 720h; 15m suits Alertmanager's defaults")]
struct InvalidResolveAfter;

/// Alerts would end between two rounds.
#[derive(Debug, thiserror::Error)]
#[error("`resend_interval` must be 0s, or at least 1s and shorter than `resolve_after`; 1m suits most")]
struct InvalidResend;

/// The longest time that an alert may fire without a new event.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(720 * 3600);

impl Config {
    /// Reports every problem.
    pub fn check(mut self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        // A map of the configuration replaces the default one, so what it does not name is put back.
        for (name, field) in DEFAULT_LABELS {
            self.labels.entry(name.to_owned()).or_insert_with(|| field.into());
        }
        let mut peers = Vec::new();
        for (index, text) in self.endpoints.iter().enumerate() {
            let key = format!("endpoints[{index}]");
            if let Some(url) = target_url(&key, text, "http://alertmanager:9093", self.allow_addresses, cx) {
                let is_whole = url.path().ends_with("/api/v2/alerts");
                peers.push(if is_whole { url } else { join(&url, "api/v2/alerts") });
            }
        }
        if self.endpoints.is_empty() {
            cx.error("endpoints", NoEndpoints);
        }
        let (resolve_after, resend) = (self.resolve_after.0, self.resend_interval.0);
        if !(std::time::Duration::from_secs(10)..=LONGEST).contains(&resolve_after) {
            cx.error("resolve_after", InvalidResolveAfter);
        }
        if !resend.is_zero() && (resend < std::time::Duration::from_secs(1) || resend >= resolve_after) {
            cx.error("resend_interval", InvalidResend);
        }
        let alerts = self.alerts(cx);
        let veil = Veil::of(self.proxy_url.iter().chain(self.headers.0.values()));
        check_statuses(&self.retry_statuses, cx);
        let headers = self.headers.check("headers", is_reserved, cx);
        let settings = client_settings(self.tls, self.proxy_url.as_ref(), self.allow_addresses, headers, cx)?;
        Some(Plan { peers, settings, alerts: alerts?, resend, retry: self.retry_statuses, veil })
    }

    fn alerts(&self, cx: &mut PlanCx<'_>) -> Option<Alerts> {
        let mut sound = true;
        let mut name = |section: &str, name: &str, cx: &mut PlanCx<'_>| {
            let path = format!("{section}.{name}");
            if !is_label_name(name) {
                cx.error(&path, InvalidLabel(name.to_owned()));
                sound = false;
            } else if section != "annotations" && matches!(name, "alertname" | "severity" | "priority") {
                cx.error(&path, OwnLabel(name.to_owned()));
                sound = false;
            }
            path
        };
        let mut labels = Vec::new();
        for (label, field) in self.labels.iter().filter(|(_, field)| !field.0.is_empty()) {
            let path = name("labels", label, cx);
            labels.push((label.clone(), field.compile(&path, cx)));
        }
        let mut annotations = Vec::new();
        for (annotation, template) in &self.annotations {
            let path = name("annotations", annotation, cx);
            annotations.push((annotation.clone(), template.compile(&path, cx)));
        }
        for label in self.fixed_labels.keys() {
            name("fixed_labels", label, cx);
        }
        let mut severities = BTreeMap::new();
        for (word, severity) in &self.severities {
            match Priority::parse(word) {
                Some(priority) => drop(severities.insert(priority.lower().to_owned(), severity.clone())),
                None => {
                    cx.error(&format!("severities.{word}"), InvalidPriority(word.clone()));
                    sound = false;
                }
            }
        }
        let alerts = Alerts {
            labels: labels.into_iter().map(|(name, made)| Some((name, made?))).collect::<Option<_>>()?,
            annotations: annotations.into_iter().map(|(name, made)| Some((name, made?))).collect::<Option<_>>()?,
            fixed_labels: self.fixed_labels.clone(),
            fields: self.field_annotations,
            severities,
            resolve_after: self.resolve_after.0,
            generator_url: Arc::from(self.generator_url.as_str()),
        };
        sound.then_some(alerts)
    }
}
