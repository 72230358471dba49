//! An OTLP/gRPC server that keeps the requests of all three signals as they came.

use super::wait;
use lanner_proto::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::{Request, Response, Status, codec::CompressionEncoding, transport::server::TcpIncoming};

/// Requests of the three signals, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    pub logs: Vec<ExportLogsServiceRequest>,
    pub metrics: Vec<ExportMetricsServiceRequest>,
    pub traces: Vec<ExportTraceServiceRequest>,
}

/// A running sink.
pub struct RequestSink {
    port: u16,
    kept: Arc<Mutex<Requests>>,
    refuses: Refuses,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Service(Arc<Mutex<Requests>>, Refuses);

/// The text of logs that are refused.
type Refuses = Arc<Mutex<Option<&'static str>>>;

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let request = request.into_inner();
        if self.1.lock().unwrap().is_some_and(|text| format!("{request:?}").contains(text)) {
            return Err(Status::invalid_argument("poison"));
        }
        self.0.lock().unwrap().logs.push(request);
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().metrics.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().traces.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

impl RequestSink {
    /// Listens on a free port.
    pub fn start() -> Self {
        Self::listen(0)
    }

    /// Listens on this port.
    pub fn listen(port: u16) -> Self {
        Self::serve(port, None)
    }

    /// Listens on a free port, and refuses logs with this text in them.
    pub fn refusing(text: &'static str) -> Self {
        Self::serve(0, Some(text))
    }

    fn serve(port: u16, refuses: Option<&'static str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (kept, refuses) = (Arc::new(Mutex::new(Requests::default())), Arc::new(Mutex::new(refuses)));
        let service = Service(Arc::clone(&kept), Arc::clone(&refuses));
        const GZIP: CompressionEncoding = CompressionEncoding::Gzip;
        let router = tonic::transport::Server::builder()
            .add_service(LogsServiceServer::new(service.clone()).accept_compressed(GZIP))
            .add_service(MetricsServiceServer::new(service.clone()).accept_compressed(GZIP))
            .add_service(TraceServiceServer::new(service).accept_compressed(GZIP));
        let port = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
            port
        });
        Self { port, kept, refuses, _runtime: runtime }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Refuses nothing any more.
    pub fn take_everything(&self) {
        *self.refuses.lock().unwrap() = None;
    }

    /// Everything so far.
    pub fn requests(&self) -> Requests {
        self.kept.lock().unwrap().clone()
    }

    /// Waits until `enough` likes what came.
    pub fn wait_until(&self, what: &str, enough: impl Fn(&Requests) -> bool) -> Requests {
        wait::until(what, Duration::from_secs(60), || Some(self.requests()).filter(&enough))
    }
}
