//! An OTLP/gRPC server that keeps the logs and spans it got.

use lanner_proto::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A log record as it arrived, with its resource's attributes.
#[derive(Clone, Debug)]
pub struct Received {
    pub record: LogRecord,
    pub attributes: BTreeMap<String, any_value::Value>,
    pub resource: BTreeMap<String, any_value::Value>,
    pub scope: String,
}

impl Received {
    /// The text of an attribute.
    pub fn text(&self, key: &str) -> &str {
        match self.attributes.get(key) {
            Some(any_value::Value::StringValue(text)) => text,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The body, which is text; empty when there is none.
    pub fn body(&self) -> &str {
        match self.record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => text,
            None => "",
            other => panic!("the body is {other:?}"),
        }
    }
}

/// A running sink.
pub struct OtlpSink {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    spans: Arc<Mutex<Vec<Span>>>,
    _runtime: tokio::runtime::Runtime,
}

struct Service(Arc<Mutex<Vec<Received>>>);

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap();
        for group in request.into_inner().resource_logs {
            let resource = map(group.resource.unwrap_or_default().attributes);
            for scope in group.scope_logs {
                let name = scope.scope.unwrap_or_default().name;
                for record in scope.log_records {
                    let attributes = map(record.attributes.clone());
                    received.push(Received { record, attributes, resource: resource.clone(), scope: name.clone() });
                }
            }
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

struct Traces(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let groups = request.into_inner().resource_spans.into_iter();
        let spans = groups.flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn map(pairs: Vec<KeyValue>) -> BTreeMap<String, any_value::Value> {
    let value = |value: Option<AnyValue>| value.and_then(|any| any.value);
    pairs.into_iter().filter_map(|pair| Some((pair.key, value(pair.value)?))).collect()
}

impl OtlpSink {
    /// Listens on a free port.
    pub fn start() -> Self {
        Self::listen(0)
    }

    /// Listens on this port.
    pub fn listen(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let service = LogsServiceServer::new(Service(Arc::clone(&received)))
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
        let spans = Arc::new(Mutex::new(Vec::new()));
        let traces = TraceServiceServer::new(Traces(Arc::clone(&spans)))
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
        let port = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tonic::transport::Server::builder().add_service(service).add_service(traces);
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
            port
        });
        Self { port, received, spans, _runtime: runtime }
    }

    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Everything so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Looks at everything so far, without a copy of it.
    pub fn look<T>(&self, look: impl FnOnce(&[Received]) -> T) -> T {
        look(&self.received.lock().unwrap())
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// Waits until at least `count` records came.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        super::wait::until(&format!("{count} records at the sink"), Duration::from_secs(60), || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
    }
}
