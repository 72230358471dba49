//! The configuration of `webhook`.

use super::{
    plain::{Content, Plain},
    preset::{IndexPattern, Preset},
    shape::Shape,
    sign::{SignConfig, Signer},
    template::{Template, is_json},
};
use crate::http::{Addresses, RetryStatuses, Settings, Veil, is_reserved, target_url};
use http::{HeaderMap, HeaderValue};
use lanner_engine::{
    config::Secret,
    net::{
        client::{Compression, HeadersConfig},
        tls::ClientTlsConfig,
    },
    prelude::*,
};
use reqwest::{Method, Url};

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
    /// Statuses after which a request is sent again; 413 halves the batch, every other one from 300 on rejects.
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

/// The checked configuration.
pub struct Plan {
    pub settings: Settings,
    pub url: Url,
    pub method: Method,
    pub shape: Box<dyn Shape>,
    pub signer: Option<Signer>,
    pub retry: RetryStatuses,
    pub compression: Compression,
    pub veil: Veil,
}

/// Two ways to make a body.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` has no effect with `preset`, which makes the bodies; remove one of them")]
struct WithPreset {
    key: &'static str,
}

/// An index for a sink without.
#[derive(Debug, thiserror::Error)]
#[error("`index` is for the presets `elasticsearch` and `splunk_hec`; remove it")]
struct NoIndex;

/// Bodies that cannot be put together.
#[derive(Debug, thiserror::Error)]
#[error("several records in a body are put together as JSON only; write `batch: event`, or a `content_type` of JSON")]
struct BatchOfText;

/// No media type.
#[derive(Debug, thiserror::Error)]
#[error("this is no content type; write for example `application/json`")]
struct InvalidContentType;

/// A status that says nothing went wrong.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status of an error; list statuses from 400 to 599, other than 413")]
struct InvalidStatus(u16);

/// A token that HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the token holds a line break or another control character; is there a newline at its end?")]
struct InvalidToken;

/// A proxy that is none. The URL may hold a password, so it is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("`proxy_url` is no URL of a proxy; write for example `http://proxy:3128`")]
struct InvalidProxy;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let url = self.target(cx);
        let shape = self.shape(cx);
        let signer = match &self.sign {
            Some(sign) => sign.check("sign", cx).map(Some),
            None => Some(None),
        };
        for status in &self.retry_statuses.0 {
            if !(400..600).contains(status) || *status == 413 {
                cx.error("retry_statuses", InvalidStatus(*status));
            }
        }
        let proxy = match &self.proxy_url {
            Some(url) => match reqwest::Proxy::all(url.expose()) {
                Ok(proxy) => Some(Some(proxy)),
                Err(_) => {
                    cx.error("proxy_url", InvalidProxy);
                    None
                }
            },
            None => Some(None),
        };
        // The content type is a key of its own, because it decides how values are written.
        let reserved = |name: &str| is_reserved(name) || name == "content-type";
        let mut headers = self.headers.check("headers", reserved, cx);
        if let (Some(token), Some(headers), Some(shape)) = (&self.token, &mut headers, &shape) {
            insert_token(token, shape.as_ref(), headers, cx)?;
        }
        let mut veil = Veil::default();
        let secrets = [&self.token, &self.proxy_url].into_iter().flatten().chain(self.headers.0.values());
        secrets.for_each(|secret| veil.hide(secret.expose()));
        if let Some(url) = &url {
            veil.hide_url(url);
        }
        if let Some(sign) = &self.sign {
            veil.hide(sign.secret.expose());
        }
        // The scheme decides about TLS; `insecure` only says what a bare `host:port` of gRPC would mean.
        let tls = self.tls.check("tls", cx)?.required();
        let settings = Settings { tls, headers: headers?, proxy: proxy?, addresses: self.allow_addresses };
        let method = match self.method {
            HttpMethod::Post => Method::POST,
            HttpMethod::Put => Method::PUT,
            HttpMethod::Patch => Method::PATCH,
        };
        Some(Plan {
            settings,
            url: url?,
            method,
            shape: shape?,
            signer: signer?,
            retry: self.retry_statuses,
            compression: self.compression,
            veil,
        })
    }

    fn target(&self, cx: &mut PlanCx<'_>) -> Option<Url> {
        const EXAMPLE: &str = "https://hooks.example.com/falco";
        let written = self.url.expose();
        let text = match self.preset {
            Some(preset) if written.is_empty() => preset.default_url(),
            _ => written,
        };
        let mut url = target_url("url", text, EXAMPLE, self.allow_addresses, cx)?;
        if let Some(preset) = self.preset {
            if url.path() == "/" && !preset.path().is_empty() {
                url.set_path(preset.path());
            }
            if url.query().is_none() {
                url.set_query(preset.query());
            }
        }
        Some(url)
    }

    fn shape(&self, cx: &mut PlanCx<'_>) -> Option<Box<dyn Shape>> {
        let Some(preset) = self.preset else { return self.plain(cx) };
        let unused = [
            ("batch", self.batch.is_some()),
            ("body", self.body.is_some()),
            ("content_type", self.content_type.is_some()),
            ("original", self.original),
        ];
        for (key, _) in unused.into_iter().filter(|(_, used)| *used) {
            cx.error(key, WithPreset { key });
        }
        let index = match &self.index {
            Some(_) if !preset.takes_index() => {
                cx.error("index", NoIndex);
                None
            }
            Some(text) => Some(IndexPattern::parse(text).map_err(|error| cx.error("index", error)).ok()?),
            None => None,
        };
        Some(preset.shape(index))
    }

    fn plain(&self, cx: &mut PlanCx<'_>) -> Option<Box<dyn Shape>> {
        if self.index.is_some() {
            cx.error("index", NoIndex);
        }
        let batch = self.batch.unwrap_or_default();
        let content_type = self.content_type.clone().unwrap_or_else(|| match batch {
            Batch::Ndjson => "application/x-ndjson".to_owned(),
            Batch::Event | Batch::Array => "application/json".to_owned(),
        });
        if HeaderValue::from_str(&content_type).is_err() || !content_type.contains('/') {
            cx.error("content_type", InvalidContentType);
            return None;
        }
        if batch != Batch::Event && !is_json(&content_type) {
            cx.error("batch", BatchOfText);
        }
        let content = match &self.body {
            None => Content::Event { original: self.original },
            Some(body) => {
                if self.original {
                    cx.error("original", WithBody);
                }
                let template = Template::compile(body, &content_type).map_err(|problem| cx.error("body", problem));
                Content::Template(Box::new(template.ok()?))
            }
        };
        Some(Box::new(Plain { content, batch, content_type }))
    }
}

/// Two ways to make a body.
#[derive(Debug, thiserror::Error)]
#[error("`original` has no effect with `body`; remove one of them")]
struct WithBody;

fn insert_token(token: &Secret, shape: &dyn Shape, headers: &mut HeaderMap, cx: &mut PlanCx<'_>) -> Option<()> {
    let header = shape.token();
    match HeaderValue::try_from(format!("{}{}", header.prefix, token.expose())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            headers.insert(header.name, value);
            Some(())
        }
        Err(_) => {
            cx.error("token", InvalidToken);
            None
        }
    }
}
