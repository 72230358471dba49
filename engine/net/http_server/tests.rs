//! Real sockets on the loopback interface; time limits on an in-memory connection with a paused clock.

mod tls;

use super::{connection::Connection, watch::Watch, *};
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
async fn s6_connections_are_capped() {
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
async fn s6_a_dripping_head_is_cut_off() {
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

/// Scenario: HTTP/2 connections that may get 30 s old with a grace of 5 s: an idle one, and one on which a request is served
/// that takes 3 s, or for ever, when the time comes; on a paused clock.
/// Guarantee: each ends after its age, at most a tenth later; a request that ends within the grace is answered, one that does
/// not is cut and counted; without an age the connection stays.
#[tokio::test(start_paused = true)]
async fn a_connection_ends_when_it_is_old_enough() {
    let age = Duration::from_secs(30);
    let grace = Duration::from_secs(5);
    let seconds = Duration::from_secs;
    // How long the request takes that starts at 29 s, whether it is answered, when the connection ends, what is counted.
    let cases = [
        (Some(age), None, true, 30..=33, 0),
        (Some(age), Some(seconds(6)), true, 35..=35, 0),
        (Some(age), Some(Duration::MAX), false, 35..=38, 1),
        (None, Some(seconds(6)), true, 100..=100, 0),
    ];
    for (max_connection_age, takes, answered, ends, counted) in cases {
        let limits = Limits { max_connection_age, max_connection_age_grace: Some(grace), ..Limits::default() };
        let (client, server) = tokio::io::duplex(1 << 16);
        let telemetry = crate::telemetry::Telemetry::default();
        let counters = ServerCounters::register(&telemetry, &[]);
        let start = tokio::time::Instant::now();
        let serving = tokio::spawn(async move {
            let connection = Connection::new(limits, counters, Drain::new(), CancellationToken::new());
            let slow = move |request| async move {
                tokio::time::sleep(takes.unwrap_or_default()).await;
                hello(request).await
            };
            connection.serve_h2(server, slow).await;
            start.elapsed()
        });
        let io = hyper_util::rt::TokioIo::new(client);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        let connection = tokio::spawn(connection);
        if takes.is_some() {
            tokio::time::sleep(seconds(29)).await;
            let request = Request::get("http://x/").body(Full::<Bytes>::default()).unwrap();
            assert_eq!(sender.send_request(request).await.is_ok(), answered, "{takes:?}");
        }
        if max_connection_age.is_none() {
            tokio::time::sleep(seconds(65)).await;
            connection.abort();
        }
        let ended = serving.await.unwrap();
        assert!(ends.contains(&ended.as_secs()), "{takes:?}: {ended:?}");
        assert_eq!(cut(&telemetry, "max_connection_age"), counted, "{takes:?}");
    }
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
