//! `k8s_audit` is the audit webhook of Kubernetes API servers.
//!
//! Promises
//! - 200 means that every queue behind the receiver has every event of the body. While the pipeline is full a request
//!   waits for at most `hold` in all, then 429 with `Retry-After: 3`; the API server sends the same bytes again, and events
//!   that had been taken come again with the same ids.
//! - Memory is bounded by one event and one batch of records per request, whatever the size of the body. Room for both is
//!   asked for in the memory budget.
//! - An item that cannot be used costs itself: it is kept as a plain log record and counted, and the answer stays 200,
//!   because a refused batch would be repeated and take its good events along. 400 is answered only when the body holds
//!   no JSON at all.
//! - Whatever is not kept is counted with its reason.
//!
//! Way of a request: path and token -> pieces of the body -> items -> records -> `consume` per batch -> answer, all on the
//! task of the request. Where nobody behind it looks at records, items become OTLP without them.

mod access;
mod answer;
mod collisions;
mod config;
mod intake;
pub(crate) mod pieces;
pub mod split;
#[cfg(test)]
mod tests;

use crate::{
    counters::ByReason,
    requests::{Answer, Losses, Lost},
};
use access::{Access, Verdict};
use collisions::Collisions;
use config::Config;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use intake::Intake;
use lanner_engine::{
    event::otlp::EncodedScope,
    net::{BodyLimits, HttpServer},
    prelude::*,
    semantics::{AuditMapper, scope},
};
use std::{sync::Arc, time::Duration};

/// How often token files are looked at: a rotated token is good soon enough to write it everywhere first.
const TOKEN_INTERVAL: Duration = Duration::from_secs(10);
/// Longest name of a cluster in a path.
const MAX_CLUSTER: usize = 253;

/// The component type.
pub struct K8sAudit;

impl Component for K8sAudit {
    const TYPE: &'static str = "k8s_audit";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = config::Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<config::Plan> {
        config.check(cx)
    }
}

/// A bound listener with everything a request needs.
struct AuditReceiver {
    server: HttpServer,
    /// How often token files are looked at.
    token_interval: Duration,
    shared: Arc<Shared>,
}

struct Shared {
    body: BodyLimits,
    max_event: usize,
    /// Longest time in all that a request waits for the pipeline.
    hold: Duration,
    access: Arc<Access>,
    collisions: Collisions,
    mapper: AuditMapper,
    scope: Arc<Scope>,
    encoded_scope: EncodedScope,
    degraded: ByReason,
    unusable: ByReason,
    losses: Losses,
}

impl AuditReceiver {
    fn new(
        server: HttpServer,
        body: BodyLimits,
        config: &Config,
        mapper: AuditMapper,
        cx: &BuildCx,
    ) -> Result<Self, BoxError> {
        let scope = scope("lanner.receiver.k8s_audit");
        let shared = Shared {
            body,
            max_event: config.max_event_size as usize,
            hold: config.hold.0,
            access: Arc::new(Access::open(&config.tokens, &cx.telemetry, cx.id.as_str())?),
            collisions: Collisions::new(&cx.telemetry, cx.id.as_str()),
            mapper,
            encoded_scope: EncodedScope::of(&scope),
            scope,
            degraded: ByReason::degraded(cx),
            unusable: ByReason::unusable(cx),
            losses: Losses::new(cx),
        };
        Ok(Self { server, token_interval: TOKEN_INTERVAL, shared: Arc::new(shared) })
    }
}

#[async_trait]
impl Receiver for AuditReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { server, token_interval, shared } = *self;
        let tokens = Arc::clone(&shared.access).watch(token_interval);
        let stopping = drain.clone();
        let service = move |request| {
            let (shared, out, stopping) = (Arc::clone(&shared), out.clone(), stopping.is_requested());
            async move { shared.answer(request, &out, stopping).await }
        };
        tokio::select! {
            () = server.serve(service, drain) => {}
            () = tokens => {}
        }
        Ok(())
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, out: &Consumer, stopping: bool) -> Answer {
        let path = request.uri().path().to_owned();
        let Some(cluster) = cluster_of(&path) else {
            return answer::refused(StatusCode::NOT_FOUND, &"audit events go to /k8s-audit or /k8s-audit/<cluster>");
        };
        if request.method() != Method::POST {
            return answer::not_post();
        }
        let open = self.losses.begin(out);
        open.end(self.receive(request, out, cluster, stopping).await)
    }

    async fn receive(
        &self,
        request: Request<Incoming>,
        out: &Consumer,
        cluster: Option<&str>,
        stopping: bool,
    ) -> Result<Answer, Lost> {
        match self.access.check(request.headers(), cluster) {
            Verdict::Unknown => return Err(Lost::unseen("unauthorized", answer::unauthorized())),
            Verdict::Elsewhere => {
                let answer = answer::refused(StatusCode::FORBIDDEN, &"the token is for another cluster");
                return Err(Lost::unseen("forbidden", answer));
            }
            Verdict::Granted => {}
        }
        if stopping {
            return Err(Lost::unseen("draining", answer::draining()));
        }
        if !is_json(request.headers()) {
            let answer = answer::refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, &"send application/json");
            return Err(Lost::unseen("unsupported_type", answer));
        }
        Intake::new(self, out, cluster).receive(request).await
    }
}

/// The cluster that a path names, if any; `None` for a path that is not ours.
fn cluster_of(path: &str) -> Option<Option<&str>> {
    let rest = path.strip_prefix("/k8s-audit")?;
    if rest.is_empty() || rest == "/" {
        return Some(None);
    }
    let name = rest.strip_prefix('/')?;
    let valid = name.len() <= MAX_CLUSTER
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    valid.then_some(Some(name))
}

/// Whether the body says that it is JSON, or says nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "application/x-ndjson" | "text/json") || essence.ends_with("+json")
}
