//! From the configuration of `webhook` to its plan.

use super::{
    config::{Batch, Config, HttpMethod},
    plain::{Content, Plain},
    preset::IndexPattern,
    shape::Shape,
    sign::Signer,
    template::{Template, is_json},
};
use crate::http::{RetryStatuses, Settings, Veil, check_statuses, client_settings, is_reserved, target_url};
use http::{HeaderMap, HeaderValue};
use lanner_engine::{config::Secret, net::client::Compression, prelude::*};
use reqwest::{Method, Url};

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

/// The template would not be used.
#[derive(Debug, thiserror::Error)]
#[error("`original` has no effect with `body`; remove one of them")]
struct WithBody;

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

/// A token that HTTP does not allow.
#[derive(Debug, thiserror::Error)]
#[error("the token holds a line break or another control character; is there a newline at its end?")]
struct InvalidToken;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let url = self.target(cx);
        let shape = self.shape(cx);
        let signer = match &self.sign {
            Some(sign) => sign.check("sign", cx).map(Some),
            None => Some(None),
        };
        check_statuses(&self.retry_statuses, cx);
        let mut headers = self.headers.check("headers", is_reserved, cx);
        if let (Some(token), Some(headers), Some(shape)) = (&self.token, &mut headers, &shape) {
            insert_token(token, shape.as_ref(), headers, cx)?;
        }
        let signing = self.sign.as_ref().map(|sign| &sign.secret);
        let secrets = [self.token.as_ref(), self.proxy_url.as_ref(), signing].into_iter().flatten();
        let mut veil = Veil::of(secrets.chain(self.headers.0.values()));
        if let Some(url) = &url {
            veil.hide_url(url);
        }
        let settings = client_settings(self.tls, self.proxy_url.as_ref(), self.allow_addresses, headers, cx);
        let method = match self.method {
            HttpMethod::Post => Method::POST,
            HttpMethod::Put => Method::PUT,
            HttpMethod::Patch => Method::PATCH,
        };
        Some(Plan {
            settings: settings?,
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
