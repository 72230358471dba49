//! A client of an OTLP/gRPC port, which keeps what was taken from it.

use crate::support::request_sink::Requests;
use lanner_proto::collector::{
    logs::v1::logs_service_client::LogsServiceClient, metrics::v1::metrics_service_client::MetricsServiceClient,
    trace::v1::trace_service_client::TraceServiceClient,
};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

/// Sends one request after the other.
pub struct Sender {
    runtime: Runtime,
    channel: Channel,
    /// What was answered with success.
    pub taken: Requests,
}

impl Sender {
    /// A client of this port of this machine.
    pub fn to(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        Self { runtime, channel, taken: Requests::default() }
    }

    /// Sends them and notes what was taken.
    ///
    /// # Panics
    /// With the status when a request is not taken.
    pub fn send(&mut self, requests: Requests) {
        let channel = || self.channel.clone();
        self.runtime.block_on(async {
            for request in &requests.logs {
                LogsServiceClient::new(channel()).export(request.clone()).await.unwrap();
            }
            for request in &requests.metrics {
                MetricsServiceClient::new(channel()).export(request.clone()).await.unwrap();
            }
            for request in &requests.traces {
                TraceServiceClient::new(channel()).export(request.clone()).await.unwrap();
            }
        });
        self.taken.logs.extend(requests.logs);
        self.taken.metrics.extend(requests.metrics);
        self.taken.traces.extend(requests.traces);
    }
}
