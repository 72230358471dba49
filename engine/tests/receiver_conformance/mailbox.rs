//! `mailbox`: the smallest receiver that keeps every promise, unless it is told to break one.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;
use hyper::body::Incoming;
use lanner_engine::{
    config::ListenAddress,
    net::{BodyError, BodyLimits, HttpServer, Limits, ReadBody, ServerCounters, read_body},
    prelude::*,
    testing::{
        log,
        receiver::{
            Place,
            push::{BODY_LIMIT, CONNECTIONS},
        },
    },
};
use std::{sync::Arc, time::Duration};

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Fault {
    #[default]
    None,
    AnswersEarly,
    KeepsRoom,
    CountsNothing,
    SaysTaken,
    MiscountsBroken,
    NoBodyLimit,
    NoUnpackedLimit,
    NoConnectionLimit,
    NoHeadLimit,
    NoBodyTime,
    EndlessDrain,
    CutsOff,
    Panics,
}

/// Hours, where minutes are allowed.
const FOR_EVER: Duration = Duration::from_secs(100 * 3600);

pub struct Mailbox;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    endpoint: ListenAddress,
    fault: Fault,
}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: ListenAddress::localhost(0), fault: Fault::None }
    }
}

/// The configuration for a place.
pub fn config(place: &Place, fault: Fault) -> String {
    format!("{{endpoint: 'localhost:{}', fault: {fault:?}}}", place.port)
}

impl Component for Mailbox {
    const TYPE: &'static str = "mailbox";
    const STABILITY: Stability = Stability::Development;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = "";
    type Config = Config;
    type Plan = Config;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Config> {
        cx.listens("endpoint", &config.endpoint);
        Some(config)
    }
}

#[async_trait]
impl ReceiverPlan for Config {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        let mut limits = Limits { max_connections: CONNECTIONS, ..Limits::default() };
        let mut body = BodyLimits { max_size: BODY_LIMIT, ..BodyLimits::default() };
        match self.fault {
            Fault::NoBodyLimit => body.max_size = usize::MAX / 4,
            Fault::NoConnectionLimit => limits.max_connections = 1000,
            Fault::NoHeadLimit => limits.header_timeout = FOR_EVER,
            Fault::NoBodyTime => body.grace = FOR_EVER,
            Fault::EndlessDrain => limits.drain = FOR_EVER,
            _ => {}
        }
        let counters = ServerCounters::register(&cx.telemetry, &[]);
        let server = HttpServer::bind(&self.endpoint, None, limits)?.with_counters(counters);
        let shared = Shared { body, fault: self.fault, cx: cx.clone() };
        Ok(Box::new(Running { server, shared: Arc::new(shared) }))
    }
}

struct Running {
    server: HttpServer,
    shared: Arc<Shared>,
}

struct Shared {
    body: BodyLimits,
    fault: Fault,
    cx: BuildCx,
}

#[async_trait]
impl Receiver for Running {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { server, shared } = *self;
        let cuts_off = shared.fault == Fault::CutsOff;
        let service = move |request| {
            let (shared, out) = (Arc::clone(&shared), out.clone());
            async move { shared.answer(request, out).await }
        };
        tokio::select! {
            biased;
            () = drain.requested(), if cuts_off => {}
            () = server.serve(service, drain.clone()) => {}
        }
        Ok(())
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, out: Consumer) -> Response<Full<Bytes>> {
        let mut gone = Gone { shared: self, out: &out, armed: true };
        let result = self.receive(request, &out).await;
        gone.armed = false;
        let Err(refused) = result else { return Response::default() };
        let (status, reason, failed) = match &refused {
            BodyError::Refused(Refused::Busy { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "busy", 0),
            BodyError::Refused(Refused::Draining) => (StatusCode::SERVICE_UNAVAILABLE, "draining", 0),
            BodyError::Refused(Refused::Invalid(_)) => (StatusCode::BAD_REQUEST, "invalid", 1),
            other => (other.status(), other.reason(), 1),
        };
        if self.fault != Fault::CountsNothing {
            let is_miscounted = refused == BodyError::Broken && self.fault == Fault::MiscountsBroken;
            self.lost(if is_miscounted { "busy" } else { reason });
            out.failed(failed, reason);
        }
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = if self.fault == Fault::SaysTaken { StatusCode::OK } else { status };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        answer
    }

    async fn receive(&self, request: Request<Incoming>, out: &Consumer) -> Result<(), BodyError> {
        let (head, body) = request.into_parts();
        let limits = match self.fault {
            Fault::NoUnpackedLimit if head.headers.contains_key("content-encoding") => {
                BodyLimits { max_size: usize::MAX / 4, ..self.body }
            }
            _ => self.body,
        };
        let body = read_body(&head.headers, body, &limits, |bytes| out.admit(bytes)).await?;
        let ReadBody { bytes, .. } = &body;
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.trim_end().lines().collect();
        assert!(self.fault != Fault::Panics || lines != ["!"], "as told");
        let mut logs = Logs::default();
        for line in lines.iter().filter(|line| **line != "!") {
            let (resource, scope) = (Arc::<Resource>::default(), Arc::<Scope>::default());
            logs.push(resource, scope, log().body(*line).build());
        }
        let invalid = lines.len() - logs.len();
        if logs.is_empty() {
            return Err(Refused::Invalid("nothing usable".into()).into());
        }
        if self.fault == Fault::AnswersEarly {
            let out = out.clone();
            tokio::spawn(async move { out.consume(Batch::logs(logs)).await });
        } else {
            out.consume(Batch::logs(logs)).await?;
        }
        if invalid > 0 {
            out.failed(invalid as u64, "invalid_line");
        }
        if self.fault == Fault::KeepsRoom {
            std::mem::forget(body);
        }
        Ok(())
    }

    fn lost(&self, reason: &'static str) {
        let labels = [("receiver", self.cx.id.as_str()), ("reason", reason)];
        self.cx.telemetry.counter("lanner_receiver_lost_requests", "Requests not kept.", "{request}", &labels).add(1);
    }
}

/// Counts a sender that left before its answer.
struct Gone<'s> {
    shared: &'s Shared,
    out: &'s Consumer,
    armed: bool,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.shared.lost("broken_body");
            self.out.failed(1, "broken_body");
        }
    }
}
