//! The configuration of `otlp_http`: the Collector's HTTP client keys.

use crate::http::{Addresses, Settings, Veil, client_settings, is_reserved, join};
use lanner_engine::{
    config::Secret,
    net::{
        client::{Compression, HeadersConfig},
        tls::ClientTlsConfig,
    },
    prelude::*,
};
use reqwest::Url;

/// Keys of the Collector that have no counterpart here, and what to do instead.
const NOT_OFFERED: [(&str, &str); 15] = [
    ("read_buffer_size", "buffers grow as they are needed; remove the key"),
    ("write_buffer_size", "requests are sent from where they lie in memory; remove the key"),
    (
        "auth",
        "there are no extensions that sign requests; write the credentials into `headers`, for example `authorization`",
    ),
    ("compression_params", "each compression has one level, the fast one; remove the key"),
    ("max_idle_conns", "there are as many connections as `sending_queue.num_consumers`; remove the key"),
    ("max_idle_conns_per_host", "there are as many connections as `sending_queue.num_consumers`; remove the key"),
    ("max_conns_per_host", "there are as many connections as requests in flight; set `sending_queue.num_consumers`"),
    ("idle_conn_timeout", "idle connections are closed after 90s; remove the key"),
    ("disable_keep_alives", "connections are kept for the next request; remove the key"),
    ("http2_read_idle_timeout", "a silent peer is found by TCP within 30s; remove the key"),
    ("http2_ping_timeout", "a silent peer is found by TCP within 30s; remove the key"),
    ("cookies", "cookies of the server are not kept; remove the key"),
    ("force_attempt_http2", "HTTP/2 is spoken whenever the server offers it by TLS; remove the key"),
    ("middlewares", "there are no extensions that change requests; remove the key"),
    ("profiles_endpoint", "there are no profiles; remove the key"),
];

/// Sends OTLP over HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Base URL, to which `/v1/logs`, `/v1/metrics` or `/v1/traces` is added; required unless each signal has its own.
    /// `https://` turns TLS on.
    pub endpoint: String,
    /// URL for logs, used as it is.
    pub logs_endpoint: Option<String>,
    /// URL for metrics, used as it is.
    pub metrics_endpoint: Option<String>,
    /// URL for traces, used as it is.
    pub traces_endpoint: Option<String>,
    /// Only `proto` is offered.
    pub encoding: Encoding,
    pub tls: ClientTlsConfig,
    /// How requests are compressed.
    pub compression: Compression,
    /// Headers to send with every request; their values are never shown.
    pub headers: HeadersConfig,
    /// Proxy to go through; the environment's proxy variables are not looked at. May hold credentials.
    pub proxy_url: Option<Secret>,
}

/// How requests are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    #[default]
    Proto,
    Json,
}

/// The checked configuration.
pub struct Plan {
    /// In the order of `Signal::ALL`; `None` where there is no endpoint for the signal.
    pub urls: [Option<Url>; 3],
    pub settings: Settings,
    pub compression: Compression,
    pub veil: Veil,
}

/// No endpoint at all.
#[derive(Debug, thiserror::Error)]
#[error("`endpoint` is missing; write for example `endpoint: http://localhost:4318`")]
pub struct NoEndpoint;

/// A text that is no URL to post to.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no URL; write `http://host:port` or `https://host:port`")]
pub struct InvalidUrl(String);

/// Credentials in a URL end up in logs.
#[derive(Debug, thiserror::Error)]
#[error("the URL holds a user name; put credentials into `headers`, whose values are never shown")]
pub struct UserInUrl;

/// A base URL to which no path can be added.
#[derive(Debug, thiserror::Error)]
#[error("`endpoint` has a query or a fragment, to which no path can be added; use `logs_endpoint` and its likes")]
pub struct QueryInBase;

/// JSON is not offered.
#[derive(Debug, thiserror::Error)]
#[error("`encoding: json` is not offered; every OTLP server takes `proto`, which is smaller and faster")]
pub struct JsonNotOffered;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let mut url = |key: &str, text: &str| {
            let checked = check_url(key, text, cx);
            sound &= checked.is_some();
            checked
        };
        let base = (!self.endpoint.is_empty()).then(|| url("endpoint", &self.endpoint)).flatten();
        let own = [
            ("logs_endpoint", &self.logs_endpoint, "v1/logs"),
            ("metrics_endpoint", &self.metrics_endpoint, "v1/metrics"),
            ("traces_endpoint", &self.traces_endpoint, "v1/traces"),
        ];
        let urls = own.map(|(key, verbatim, path)| match verbatim {
            Some(verbatim) => url(key, verbatim),
            None => base.as_ref().map(|base| join(base, path)),
        });
        if base.as_ref().is_some_and(|base| base.query().is_some() || base.fragment().is_some()) {
            cx.error("endpoint", QueryInBase);
            sound = false;
        }
        if sound && urls.iter().all(Option::is_none) {
            cx.error("endpoint", NoEndpoint);
            sound = false;
        }
        if self.encoding == Encoding::Json {
            cx.error("encoding", JsonNotOffered);
            sound = false;
        }
        let mut veil = Veil::of(self.proxy_url.iter().chain(self.headers.0.values()));
        urls.iter().flatten().for_each(|url| veil.hide_url(url));
        let headers = self.headers.check("headers", is_reserved, cx);
        let settings = client_settings(self.tls, self.proxy_url.as_ref(), Addresses::Any, headers, cx)?;
        sound.then_some(Plan { urls, settings, compression: self.compression, veil })
    }
}

fn check_url(key: &str, text: &str, cx: &mut PlanCx<'_>) -> Option<Url> {
    match text.parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => cx.error(key, UserInUrl),
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => return Some(url),
        _ => cx.error(key, InvalidUrl(text.to_owned())),
    }
    None
}
