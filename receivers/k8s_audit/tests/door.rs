//! `Door`: a running receiver with a capture behind it, and an HTTP/2 connection to it.

use super::*;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lanner_engine::{telemetry::Telemetry, testing::Capture};
use std::net::SocketAddr;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

pub const EVENT: &str = r#"{"level":"Request","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods","verb":"create","user":{"username":"jane","groups":["dev"]},"sourceIPs":["10.0.0.1"],"objectRef":{"resource":"pods","namespace":"web","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Pod","spec":{"containers":[{"name":"a"},{"name":"b"}]}},"requestReceivedTimestamp":"2025-06-01T00:00:00.000001Z","stageTimestamp":"2025-06-01T00:00:00.250001Z"}"#;

/// An EventList of these items.
pub fn list(items: &[&str]) -> String {
    format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#, items.join(","))
}

pub struct Door {
    pub address: SocketAddr,
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub drain: Drain,
    pub running: JoinHandle<Result<(), BoxError>>,
    client: http2::SendRequest<Full<Bytes>>,
}

impl Door {
    /// Runs a receiver of this config on a free port and connects to it.
    pub async fn open(config: Config) -> Self {
        let capture = Capture::new();
        let out = capture.consumer();
        Self::open_to(config, capture, out).await
    }

    /// The same with another consumer, that may be one in front of the capture.
    pub async fn open_to(config: Config, capture: Capture, out: Consumer) -> Self {
        let config = Config { endpoint: lanner_engine::config::ListenAddress::localhost(0), ..config };
        let (telemetry, drain) = (Telemetry::default(), Drain::new());
        let cx = BuildCx::new(Kind::Receiver, "k8s_audit".parse().unwrap(), telemetry.clone(), Default::default());
        let mapper = AuditMapper::new(&config.semantics).unwrap();
        let mut receiver = config::Plan { config, mapper }.open(&cx).unwrap();
        receiver.token_interval = Duration::from_millis(10);
        let address = receiver.server.local_addr().unwrap();
        let running = tokio::spawn(Box::new(receiver).run(out, drain.clone()));
        // Behind TLS nothing is sent on this connection.
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { address, capture, telemetry, drain, running, client }
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> (u16, HeaderMap, String) {
        self.send("POST", path, &[("content-type", "application/json; charset=utf-8")], body).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let answer =
            timeout(SOON, self.client.clone().send_request(request)).await.expect("an answer in time").unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The series of a counter with this reason.
    pub fn counted(&self, metric: &str, reason: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        let series = metrics.iter().filter(|found| found.name == metric).flat_map(|found| &found.series);
        series.filter(|(labels, _)| labels.iter().any(|(_, value)| value == reason)).map(|(_, value)| value).sum()
    }

    /// Stops the receiver.
    pub async fn close(self) {
        self.drain.request();
        drop(self.client);
        timeout(SOON, self.running).await.expect("ends on drain").unwrap().unwrap();
    }
}
