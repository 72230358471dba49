//! The configuration of `webhook` as it is written; `check` makes a plan of it.

use super::{preset::Preset, sign::SignConfig};
use crate::http::{Addresses, RetryStatuses};
use lanner_engine::{
    config::Secret,
    net::{
        client::{Compression, HeadersConfig},
        tls::ClientTlsConfig,
    },
    prelude::*,
};

/// Posts records to an HTTP endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to post to, `http://` or `https://`; required unless the preset knows. Never shown, since it may hold a token. A
    /// preset adds its path to a URL without one.
    pub url: Secret,
    pub method: HttpMethod,
    /// The form of a known sink; Falco's JSON, or what `body` makes, unless given.
    pub preset: Option<Preset>,
    /// How records are put into bodies; presets have their own way.
    pub batch: Option<Batch>,
    /// A template (minijinja) for the body of one record, see below.
    pub body: Option<String>,
    /// The type of the bodies, for a body of your own; `application/json` unless given, and `application/x-ndjson` with
    /// `batch: ndjson`.
    pub content_type: Option<String>,
    /// Send the alert's own text where the receiver kept it (`semantics.keep_original`), instead of JSON made from the record.
    /// What processors changed in the record is then not in it.
    pub original: bool,
    /// Elasticsearch and Splunk: the index, with parts of the date if wanted; `falco-%Y.%m.%d` for Elasticsearch unless given.
    pub index: Option<String>,
    /// Goes into the header in which the preset wants its key or token; without a preset, `authorization: Bearer <token>`.
    pub token: Option<Secret>,
    /// Headers to send with every request; their values are never shown.
    pub headers: HeadersConfig,
    /// Sign every body.
    pub sign: Option<SignConfig>,
    /// Statuses after which a request is sent again; every other one from 300 on refuses what the body holds.
    pub retry_statuses: RetryStatuses,
    /// How bodies are compressed.
    pub compression: Compression,
    pub tls: ClientTlsConfig,
    /// Proxy to go through; the environment's proxy variables are not looked at. May hold credentials.
    pub proxy_url: Option<Secret>,
    /// Which addresses may be connected to, after the name is resolved.
    pub allow_addresses: Addresses,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            method: HttpMethod::default(),
            preset: None,
            batch: None,
            body: None,
            content_type: None,
            original: false,
            index: None,
            token: None,
            headers: HeadersConfig::default(),
            sign: None,
            retry_statuses: RetryStatuses::default(),
            compression: Compression::None,
            tls: ClientTlsConfig::default(),
            proxy_url: None,
            allow_addresses: Addresses::default(),
        }
    }
}

/// The method of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    #[default]
    #[serde(alias = "post")]
    Post,
    #[serde(alias = "put")]
    Put,
    #[serde(alias = "patch")]
    Patch,
}

/// How records are put into bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// A request for each record.
    #[default]
    Event,
    /// A JSON array.
    Array,
    /// A line of JSON for each record.
    Ndjson,
}
