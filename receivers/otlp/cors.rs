//! Cross-origin requests: which web pages may send.
//!
//! Promises: without `allowed_origins` no answer carries a CORS header; an origin that is not allowed gets an answer
//! that its browser keeps from the page, and nothing else changes.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use lanner_engine::prelude::*;

/// Headers that OTLP clients in browsers need.
const IMPLICIT: &str = "accept, content-type, x-requested-with";

/// Which web pages may send, with the Collector's keys.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Origins such as `https://app.example.com`; one `*` in each stands for any text.
    pub allowed_origins: Vec<String>,
    /// Request headers beside accept, content-type and x-requested-with; `*` allows any.
    pub allowed_headers: Vec<String>,
    /// Response headers that pages may read.
    pub exposed_headers: Vec<String>,
    /// Seconds for which a browser may remember the permission; 0 leaves it to the browser.
    pub max_age: u32,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no origin; write for example `https://app.example.com` or `https://*.example.com`, with one `*` at most"
)]
struct NoOrigin(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no header name; write for example `authorization`")]
struct NoHeader(String);

impl CorsConfig {
    /// Reports what is wrong, at `path`.
    pub fn check(&self, path: &str, cx: &mut PlanCx<'_>) {
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            if origin.is_empty() || origin.matches('*').count() > 1 || !origin.bytes().all(|b| b.is_ascii_graphic()) {
                cx.error(&format!("{path}.allowed_origins[{index}]"), NoOrigin(origin.clone()));
            }
        }
        for (key, names) in [("allowed_headers", &self.allowed_headers), ("exposed_headers", &self.exposed_headers)] {
            for (index, name) in names.iter().enumerate() {
                if name != "*" && name.parse::<HeaderName>().is_err() {
                    cx.error(&format!("{path}.{key}[{index}]"), NoHeader(name.clone()));
                }
            }
        }
    }
}

/// The checked form.
#[derive(Default)]
pub struct Cors {
    /// In front of the `*` and behind it; no `*` is `None`. Lower case.
    origins: Vec<(String, Option<String>)>,
    /// `None`: any.
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

impl Cors {
    pub fn new(config: &CorsConfig) -> Self {
        let origins = config.allowed_origins.iter().map(|origin| {
            let origin = origin.to_ascii_lowercase();
            match origin.split_once('*') {
                Some((front, back)) => (front.to_owned(), Some(back.to_owned())),
                None => (origin, None),
            }
        });
        // Names were checked, so lists of them are header values.
        let list = |names: &[String]| HeaderValue::try_from(names.join(", ")).ok();
        let any = config.allowed_headers.iter().any(|name| name == "*");
        let headers: Vec<_> = std::iter::once(IMPLICIT.to_owned()).chain(config.allowed_headers.clone()).collect();
        Self {
            origins: origins.collect(),
            headers: if any { None } else { list(&headers) },
            exposed: list(&config.exposed_headers).filter(|_| !config.exposed_headers.is_empty()),
            max_age: (config.max_age > 0).then(|| config.max_age.into()),
        }
    }

    /// The origin of the request, when it is allowed.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?.to_ascii_lowercase();
        let matches = |(front, back): &(String, Option<String>)| match back {
            None => text == *front,
            Some(back) => text.strip_prefix(front.as_str()).is_some_and(|rest| rest.ends_with(back.as_str())),
        };
        self.origins.iter().any(matches).then(|| origin.clone())
    }

    /// The answer to a browser that asks before it sends; `None` for any other request.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if self.origins.is_empty() || !asks {
            return None;
        }
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let origin = self.allowed(request.headers());
        if origin.is_some() {
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            if let Some(allowed) = self.headers.as_ref().or(wanted) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
            }
            if let Some(max_age) = &self.max_age {
                headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.clone());
            }
        }
        self.mark(origin, &mut answer);
        Some(answer)
    }

    /// Tells the browser that the page may read the answer.
    pub fn mark(&self, origin: Option<HeaderValue>, answer: &mut Response<Full<Bytes>>) {
        if self.origins.is_empty() {
            return;
        }
        let headers = answer.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if let Some(exposed) = &self.exposed {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
        }
    }
}
