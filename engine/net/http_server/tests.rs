//! Real sockets on the loopback interface; time limits on an in-memory connection with a paused clock.

use super::{connection::Connection, watch::Watch, *};
use crate::net::tls::ServerTlsConfig;
use bytes::Bytes;
use http_body_util::Full;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    time::timeout,
};

const SOON: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn hello(_: Request<Incoming>) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"hello")))
}

fn bind(limits: Limits) -> (HttpServer, SocketAddr, crate::telemetry::Telemetry) {
    let telemetry = crate::telemetry::Telemetry::default();
    let server = HttpServer::bind(&ListenAddress::localhost(0), None, limits)
        .unwrap()
        .with_counters(ServerCounters::register(&telemetry, &[]));
    let address = server.local_addr().unwrap();
    (server, address, telemetry)
}

fn cut(telemetry: &crate::telemetry::Telemetry, reason: &str) -> i64 {
    let metrics = telemetry.snapshot();
    let family = metrics.iter().find(|metric| metric.name == "lanner_http_server_connections_cut").unwrap();
    family.series.iter().find(|(labels, _)| labels.iter().any(|(_, value)| value == reason)).unwrap().1
}

/// Reads until the connection is closed, or broken off by a reset.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection must end");
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads one answer of `hello`.
async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"hello") {
        let read = timeout(SOON, stream.read_buf(&mut all)).await.expect("an answer").expect("an answer");
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&all));
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Scenario: the port is taken.
/// Guarantee: the error names the address and what to do.
#[tokio::test]
async fn a_taken_port_is_an_error_with_a_remedy() {
    let (_server, address, _) = bind(Limits::default());
    let error = HttpServer::bind(&ListenAddress(address), None, Limits::default()).err().expect("the port is taken");
    let text = error.to_string();
    assert!(text.contains(&address.port().to_string()) && text.contains("another port"), "{text}");
}

/// Scenario: a request panics in its handler, then another client comes.
/// Guarantee: only the first connection ends; the panic is counted.
#[tokio::test]
async fn a_panic_ends_one_connection() {
    let (server, address, telemetry) = bind(Limits::default());
    let service = |request: Request<Incoming>| async move {
        assert_ne!(request.uri().path(), "/panic", "as asked for");
        hello(request).await
    };
    let client = async {
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(rest(&mut first).await, "");
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(GET).await.unwrap();
        answer(&mut second).await;
    };
    tokio::select! {
        () = server.serve(service, Drain::new()) => unreachable!("serves until drained"),
        () = client => {}
    }
    assert_eq!(cut(&telemetry, "panic"), 1);
}

/// Scenario: one connection more than allowed.
/// Guarantee: it is closed and counted; the others go on.
#[tokio::test]
async fn connections_are_capped() {
    let (server, address, telemetry) = bind(Limits { max_connections: 1, ..Limits::default() });
    let client = async {
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(GET).await.unwrap();
        answer(&mut first).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(rest(&mut second).await, "");
        first.write_all(GET).await.unwrap();
        answer(&mut first).await;
    };
    tokio::select! {
        () = server.serve(hello, Drain::new()) => unreachable!("serves until drained"),
        () = client => {}
    }
    assert_eq!(cut(&telemetry, "max_connections"), 1);
}

/// Scenario: drain with one request in service, one idle keep-alive connection and one without any request.
/// Guarantee: the request is answered, the others are closed, the port refuses, and `serve` returns.
#[tokio::test]
async fn drain_finishes_what_is_in_flight() {
    let (server, address, _) = bind(Limits::default());
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (in_service, until) = (Arc::clone(&entered), Arc::clone(&release));
    let service = move |request: Request<Incoming>| {
        let (in_service, until) = (Arc::clone(&in_service), Arc::clone(&until));
        async move {
            if request.uri().path() == "/slow" {
                in_service.notify_one();
                until.notified().await;
            }
            hello(request).await
        }
    };
    let drain = Drain::new();
    let serving = server.serve(service, drain.clone());
    let client = async {
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(GET).await.unwrap();
        answer(&mut idle).await;
        let mut fresh = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        timeout(SOON, entered.notified()).await.unwrap();
        drain.request();
        assert_eq!(rest(&mut idle).await, "");
        assert_eq!(rest(&mut fresh).await, "");
        assert!(TcpStream::connect(address).await.is_err(), "the port must be free");
        release.notify_one();
        let last = rest(&mut slow).await;
        assert!(last.ends_with("hello") && last.contains("connection: close"), "{last}");
    };
    let ((), ()) = timeout(SOON, async { tokio::join!(serving, client) }).await.unwrap();
}

/// Scenario: a handler that never ends, and drain.
/// Guarantee: the server returns after its drain time, and the handler is gone.
#[tokio::test]
async fn drain_is_bounded() {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let (server, address, _) = bind(Limits { drain: Duration::from_millis(50), ..Limits::default() });
    let gone = Arc::new(AtomicUsize::new(0));
    let drain = Drain::new();
    let (stop, count) = (drain.clone(), Arc::clone(&gone));
    let service = move |_| {
        let (stop, gone) = (stop.clone(), Gone(Arc::clone(&count)));
        async move {
            stop.request();
            std::future::pending::<()>().await;
            drop(gone);
            Response::new(Full::<Bytes>::default())
        }
    };
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET).await.unwrap();
        rest(&mut stream).await
    };
    let ((), text) = timeout(SOON, async { tokio::join!(server.serve(service, drain), client) }).await.unwrap();
    assert_eq!(text, "");
    assert_eq!(gone.load(SeqCst), 1);
}

/// Scenario: a request head above 16 KiB.
/// Guarantee: 431, and the handler is not called.
#[tokio::test]
async fn a_large_head_is_refused() {
    let (server, address, _) = bind(Limits::default());
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(17 << 10));
        stream.write_all(head.as_bytes()).await.unwrap();
        let text = rest(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    };
    tokio::select! {
        () = server.serve(|_| async { unreachable!("refused") as Response<Full<Bytes>> }, Drain::new()) => {}
        () = client => {}
    }
}

/// Serves one in-memory connection; the sender is how the test learns when it ended.
fn in_memory(limits: Limits) -> (tokio::io::DuplexStream, oneshot::Receiver<Duration>) {
    let (client, server) = tokio::io::duplex(4096);
    let (ended, after) = oneshot::channel();
    tokio::spawn(async move {
        let start = tokio::time::Instant::now();
        Connection::new(limits, ServerCounters::default(), Drain::new(), CancellationToken::new())
            .serve_h1(server, hello)
            .await;
        let _ = ended.send(start.elapsed());
    });
    (client, after)
}

/// Scenario: S6: a client sends one byte of its request head every 5 s, on a paused clock.
/// Guarantee: cut between one and two header timeouts.
#[tokio::test(start_paused = true)]
async fn a_dripping_head_is_cut_off() {
    let (mut client, after) = in_memory(Limits::default());
    let drip = async {
        for byte in GET {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let ((), after) = tokio::join!(drip, after);
    let after = after.unwrap();
    assert!(after >= Duration::from_secs(15) && after <= Duration::from_secs(30), "{after:?}");
}

/// Scenario: Falco is silent for nine minutes between two alerts, then for eleven.
/// Guarantee: the connection serves the second alert; after the idle timeout it is closed.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_minutes() {
    let (mut client, after) = in_memory(Limits::default());
    for _ in 0..2 {
        client.write_all(GET).await.unwrap();
        let mut text = vec![0; 4096];
        let read = client.read(&mut text).await.unwrap();
        assert!(text[..read].ends_with(b"hello"));
        tokio::time::sleep(Duration::from_secs(9 * 60)).await;
    }
    tokio::time::sleep(Duration::from_secs(2 * 60)).await;
    assert!(after.await.unwrap() <= Duration::from_secs(20 * 60));
}

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// Certificate and key as PEM.
    fn issue(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

async fn over_tls(
    address: SocketAddr,
    authority: &Authority,
    client: Option<(String, String)>,
) -> std::io::Result<String> {
    use crate::net::tls::Pem;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Pem::inline(&authority.pem, "ca").authorities().unwrap());
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                Pem::inline(&certificate, "cert").certificates().unwrap(),
                Pem::inline(&key, "key").private_key().unwrap(),
            )
            .unwrap(),
    };
    let stream = TcpStream::connect(address).await?;
    let name = "localhost".try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(GET).await?;
    let mut text = Vec::new();
    while !text.ends_with(b"hello") {
        if timeout(SOON, stream.read_buf(&mut text)).await.expect("an answer or an end")? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Scenario: S7: mTLS; clients with the right certificate, none, and one of another authority.
/// Guarantee: only the first is served; the others are counted.
#[tokio::test]
async fn mutual_tls_lets_only_its_clients_in() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (certificate, key) = ours.issue();
    let folder = std::env::temp_dir().join(format!("lanner-mtls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, &ours.pem).unwrap();
    let config = ServerTlsConfig {
        cert_pem: Some(certificate),
        key_pem: Some(key.into()),
        client_ca_file: Some(ca),
        ..ServerTlsConfig::default()
    };
    let tls = config.load(&[b"http/1.1"]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let telemetry = crate::telemetry::Telemetry::default();
    let server = HttpServer::bind(&ListenAddress::localhost(0), Some(tls), Limits::default())
        .unwrap()
        .with_counters(ServerCounters::register(&telemetry, &[]));
    let address = server.local_addr().unwrap();
    let client = async {
        assert!(over_tls(address, &ours, Some(ours.issue())).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(over_tls(address, &ours, None).await.is_err());
        assert!(over_tls(address, &ours, Some(other.issue())).await.is_err());
    };
    tokio::select! {
        () = server.serve(hello, Drain::new()) => unreachable!("serves until drained"),
        () = client => {}
    }
    assert_eq!(cut(&telemetry, "tls_handshake"), 2);
}

/// Scenario: a key that belongs to another certificate, a file without a key, a missing file.
/// Guarantee: errors that name the place and the remedy, and never show the key.
#[test]
fn bad_certificates_are_explained() {
    let authority = Authority::new();
    let (certificate, _) = authority.issue();
    let (_, other_key) = authority.issue();
    let load = |key: String| {
        ServerTlsConfig { cert_pem: Some(certificate.clone()), key_pem: Some(key.into()), ..Default::default() }
            .load(&[])
            .unwrap_err()
            .to_string()
    };
    assert!(load(other_key).contains("belong to each other"));
    assert!(load(certificate.clone()).contains("`key_pem` holds no private key"));
    let missing = ServerTlsConfig { cert_file: Some("no/such.pem".into()), ..Default::default() };
    assert!(missing.load(&[]).unwrap_err().to_string().contains("no/such.pem"));
}

/// Scenario: HTTP/2 without TLS, with the flag for it, and an HTTP/1 client beside it.
/// Guarantee: both are served.
#[tokio::test]
async fn h2c_is_served_when_asked_for() {
    let (server, address, _) = bind(Limits { h2c: true, ..Limits::default() });
    let client = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(
            hyper_util::rt::TokioExecutor::new(),
            hyper_util::rt::TokioIo::new(stream),
        )
        .await
        .unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get(format!("http://{address}/")).body(Full::<Bytes>::default()).unwrap();
        let answer_h2 = sender.send_request(request).await.unwrap();
        assert_eq!(answer_h2.version(), http::Version::HTTP_2);
        connection.abort();
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(GET).await.unwrap();
        answer(&mut first).await;
    };
    tokio::select! {
        () = server.serve(hello, Drain::new()) => unreachable!("serves until drained"),
        result = timeout(SOON, client) => result.unwrap(),
    }
}

/// Scenario: a client of HTTP/2 sends its preface, then a frame every ten seconds and never a request, on a paused clock.
/// Guarantee: the connection ends after the idle timeout all the same; one with an unfinished preface ends sooner.
#[tokio::test(start_paused = true)]
async fn frames_without_requests_do_not_keep_a_connection() {
    let (limits, preface) = (Limits::default(), 24);
    for (first, within, reason) in
        [(preface, limits.idle_timeout, "idle_timeout"), (preface - 1, limits.header_timeout, "header_timeout")]
    {
        let watch = Watch::new(true);
        watch.received(first);
        let start = tokio::time::Instant::now();
        let frames = async {
            loop {
                tokio::time::sleep(Duration::from_secs(10)).await;
                watch.received(if first == preface { 17 } else { 0 });
            }
        };
        tokio::select! {
            found = watch.expired(&limits, false) => assert_eq!(found, reason),
            () = frames => unreachable!("goes on for ever"),
        }
        assert!(start.elapsed() <= within * 2, "{reason}: {:?}", start.elapsed());
    }
}
