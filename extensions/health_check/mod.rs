//! `health_check` answers probes of Kubernetes, load balancers and people.
//!
//! Promises: reads state, changes nothing; an answer never waits for a component; while stopping it still answers,
//! with 503, because extensions stop last; error texts of components are shown on `/status` and `/healthz?verbose`,
//! so it listens on localhost unless told otherwise.

mod config;
mod report;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use config::{Config, Plan};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use lanner_engine::{
    net::HttpServer,
    prelude::*,
    telemetry::{Health, Phase},
};
use std::sync::Arc;

/// Paths beside the configurable one.
const PATHS: [&str; 4] = ["/livez", "/readyz", "/healthz", "/status"];

/// The component type.
pub struct HealthCheck;

impl Component for HealthCheck {
    const TYPE: &'static str = "health_check";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::NONE;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// A bound endpoint.
struct Endpoint {
    server: HttpServer,
    path: Arc<str>,
    health: Health,
}

#[async_trait]
impl Extension for Endpoint {
    async fn run(self: Box<Self>, drain: Drain) -> Result<(), BoxError> {
        let Self { server, path, health } = *self;
        let service = move |request| std::future::ready(answer(&request, &path, &health));
        server.serve(service, drain).await;
        Ok(())
    }
}

fn answer<B>(request: &Request<B>, path: &str, health: &Health) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n");
    }
    let ready = health.phase() == Phase::Ready;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = request.uri().query().is_some_and(|query| query.split('&').any(|key| key.starts_with("verbose")));
    match request.uri().path() {
        asked if asked == path => respond(status, JSON, report::summary(health)),
        // Alive as long as it can answer at all: a restart would help neither starting nor stopping.
        "/livez" => respond(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => respond(status, TEXT, report::word(health)),
        "/healthz" if verbose => respond(status, TEXT, report::verbose(health)),
        "/healthz" => respond(status, TEXT, report::word(health)),
        "/status" => respond(status, JSON, report::status(health)),
        _ => respond(StatusCode::NOT_FOUND, TEXT, "not found\n"),
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn respond(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}
