//! `otlp` takes logs, metrics and traces over OTLP/gRPC and OTLP/HTTP.
//!
//! Promises
//! - Success means that every queue behind the receiver has the request. Everything else is answered with the status
//!   that makes an OTLP client do the right thing: send again later (busy, stopping, slow), or give up (damaged, too
//!   large, unknown); see [`refusal`].
//! - When a component looks into the logs, records that cannot be read do not take their neighbours along: the rest is
//!   taken and the sender is told how many are missing (partial success).
//! - A protobuf request goes on as the bytes that came in: items are counted, nothing is decoded.
//! - At most the configured size of a request is held, packed or unpacked, and room in the memory budget is asked for
//!   before its bytes are read.
//! - Senders are slowed down to the pace of the sinks, a little for each request, before a budget is used up and they must be
//!   refused.
//! - A signal that no pipeline takes is refused before its body is read, so a sender learns that it talks to the
//!   wrong place.
//! - Every request that was not taken is counted with its reason, also when its sender left before the answer.
//!
//! Way of a request: head ([`grpc`] or [`http`]) -> credentials -> room -> body -> [`entrance`] -> answer, all on the
//! task of the stream. Hyper is used directly: a unary call is one frame in and one out, and tonic would copy it.

mod auth;
mod config;
mod cors;
mod deadline;
mod entrance;
mod grpc;
mod http;
pub(crate) mod json;
mod json_scalar;
mod not_offered;
mod refusal;
mod rpc_status;
mod taken;
#[cfg(test)]
mod tests;

use config::{Config, Plan};
use entrance::Entrance;
use grpc::GrpcDoor;
use http::HttpDoor;
use lanner_engine::{net::HttpServer, prelude::*};
use std::sync::Arc;

/// The component type.
pub struct Otlp;

impl Component for Otlp {
    const TYPE: &'static str = "otlp";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// The bound listeners.
struct OtlpReceiver {
    grpc: Option<(HttpServer, GrpcDoor)>,
    http: Option<(HttpServer, HttpDoor)>,
    counters: entrance::Counters,
}

#[async_trait]
impl Receiver for OtlpReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { grpc, http, counters } = *self;
        let entrance = Arc::new(Entrance::new(out, drain.clone(), counters));
        let grpc = async {
            let Some((server, door)) = grpc else { return };
            let (door, entrance) = (Arc::new(door), Arc::clone(&entrance));
            let service = move |request| {
                let (door, entrance) = (Arc::clone(&door), Arc::clone(&entrance));
                async move { door.answer(request, &entrance).await }
            };
            server.serve(service, drain.clone()).await;
        };
        let http = async {
            let Some((server, door)) = http else { return };
            let (door, entrance) = (Arc::new(door), Arc::clone(&entrance));
            let service = move |request| {
                let (door, entrance) = (Arc::clone(&door), Arc::clone(&entrance));
                async move { door.answer(request, &entrance).await }
            };
            server.serve(service, drain.clone()).await;
        };
        tokio::join!(grpc, http);
        Ok(())
    }
}
