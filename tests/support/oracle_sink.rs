//! An OTLP/gRPC sink that keeps books for the oracle, and can be told how to answer.

use super::oracle::{Books, Oracle};
use lanner_proto::{
    collector::logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    common::v1::any_value::Value,
    logs::v1::LogRecord,
};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tonic::{Request, Response, Status, codec::CompressionEncoding, transport::server::TcpIncoming};

/// Larger than any request of these tests.
const LARGEST: usize = 64 << 20;

/// How the sink answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    #[default]
    Takes,
    /// Takes nothing and asks to be tried again.
    Unavailable,
    /// Takes nothing and never answers.
    Silent,
}

/// A running sink.
pub struct OracleSink {
    pub port: u16,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    oracle: Arc<Oracle>,
    books: Books,
    mood: Mutex<Mood>,
    now: AtomicUsize,
    most: AtomicUsize,
    requests: AtomicUsize,
}

struct Service(Arc<Shared>);

/// Counts a call as in progress until it is dropped.
struct Call(Arc<Shared>);

impl Call {
    fn begin(shared: &Arc<Shared>) -> Self {
        let now = shared.now.fetch_add(1, SeqCst) + 1;
        shared.most.fetch_max(now, SeqCst);
        shared.requests.fetch_add(1, SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let _call = Call::begin(&self.0);
        let mood = *self.0.mood.lock().unwrap();
        match mood {
            Mood::Takes => {}
            Mood::Unavailable => return Err(Status::unavailable("not now")),
            Mood::Silent => std::future::pending().await,
        }
        let groups = request.into_inner().resource_logs.into_iter();
        for record in groups.flat_map(|group| group.scope_logs).flat_map(|scope| scope.log_records) {
            self.0.books.note(&self.0.oracle, &body(&record), &id(&record));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn body(record: &LogRecord) -> String {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn id(record: &LogRecord) -> String {
    let attribute = record.attributes.iter().find(|attribute| attribute.key == "log.record.uid");
    format!("{:?}", attribute.and_then(|attribute| attribute.value.as_ref()))
}

impl OracleSink {
    /// Listens on this port; 0 is a free one.
    pub fn listen(port: u16, oracle: &Arc<Oracle>, books: &Books) -> Self {
        Self::listen_at(Ipv4Addr::LOCALHOST, port, oracle, books)
    }

    /// The same at another address of this machine.
    pub fn listen_at(address: Ipv4Addr, port: u16, oracle: &Arc<Oracle>, books: &Books) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared {
            oracle: Arc::clone(oracle),
            books: books.clone(),
            mood: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let service = LogsServiceServer::new(Service(Arc::clone(&shared)))
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(LARGEST);
        let port = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((address, port)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tonic::transport::Server::builder().add_service(service);
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
            port
        });
        Self { port, shared, _runtime: runtime }
    }

    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// How many requests were being answered at the same time, at most.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(SeqCst)
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }
}
