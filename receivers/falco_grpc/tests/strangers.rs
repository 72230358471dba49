//! Servers that are not Falco, or a Falco that has no gRPC.

use super::{
    SOON,
    fake_falco::{FakeFalco, alert, unimplemented_answer},
    running::Running,
};
use crate::falco_grpc::{Address, failure::Failure};
use lanner_engine::telemetry::Status;
use lanner_proto::falco::version;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    task::JoinHandle,
};

/// What the health says once it says this.
async fn told(lanner: &Running, part: &str) -> Status {
    lanner.status(|status| status.error().is_some_and(|error| error.contains(part))).await
}

/// A server that answers every connection with these bytes, then waits; or closes at once when there are none.
fn server(falco: &FakeFalco, answer: &'static [u8]) -> JoinHandle<()> {
    let listener = UnixListener::bind(falco.endpoint().trim_start_matches("unix://")).unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut preface = [0; 24];
                if socket.read_exact(&mut preface).await.is_ok() && !answer.is_empty() {
                    let _ = socket.write_all(answer).await;
                    let _ = socket.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    })
}

/// Scenario: no socket, then a file that is no socket of a server, then Falco.
/// Guarantee: the message says what to do, Falco 0.44 included; when Falco comes, alerts arrive.
#[tokio::test]
async fn a_missing_socket_is_waited_for() {
    let falco = FakeFalco::new();
    let lanner = Running::of(&falco).await;
    let status = told(&lanner, "there is no socket").await;
    let text = status.error().unwrap();
    assert!(matches!(status, Status::Recoverable(_)));
    for part in ["grpc_output.enabled", "0.44", "http_output", "falco_http"] {
        assert!(text.contains(part), "{text}");
    }
    falco.listen();
    falco.push(alert(0));
    lanner.items(1).await;
    falco.kill();
    // Bound and not listened at any more: connections are refused.
    drop(UnixListener::bind(falco.endpoint().trim_start_matches("unix://")).unwrap());
    told(&lanner, "nothing listens at unix:///").await;
    lanner.stop().await;
}

/// Scenario: servers of HTTP/1, of TLS, of something else, and one that hangs up.
/// Guarantee: each is told for what it is, without a panic, and Lanner stays and tries on.
#[tokio::test]
async fn servers_of_other_protocols_are_told_apart() {
    for (answer, part) in [
        (&b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..], "speaks HTTP/1"),
        (&[21, 3, 3, 0, 2, 2, 70], "wants TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak gRPC"),
        (b"", "before it said anything"),
    ] {
        let falco = FakeFalco::new();
        let server = server(&falco, answer);
        let lanner = Running::of(&falco).await;
        told(&lanner, part).await;
        server.abort();
        let _ = server.await;
        falco.listen();
        falco.push(alert(0));
        lanner.items(1).await;
        lanner.stop().await;
    }
}

/// Scenario: a real HTTP/1 server.
/// Guarantee: as above.
#[tokio::test]
async fn a_web_server_is_no_falco() {
    let falco = FakeFalco::new();
    let listener = UnixListener::bind(falco.endpoint().trim_start_matches("unix://")).unwrap();
    let server = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
                });
                let socket = hyper_util::rt::TokioIo::new(socket);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(socket, service).await;
            });
        }
    });
    let lanner = Running::of(&falco).await;
    lanner
        .status(|status| {
            let text = status.error().unwrap_or_default();
            text.contains("speaks HTTP/1") || text.contains("before it said anything")
        })
        .await;
    lanner.stop().await;
    server.abort();
}

/// Scenario: a gRPC server with neither service, Falco 0.44.0 with the version only, and Falco 0.43 with its output off.
/// Guarantee: the first and the last are told to be no Falco with `grpc_output`, the second that 0.44 removed it and what to
/// use instead; all are for somebody to change.
#[tokio::test]
async fn a_server_without_the_service_is_told() {
    let of = |minor: u32| version::Response { version: format!("0.{minor}.0"), minor, ..version::Response::default() };
    for (version, part) in [
        (None, "does not have the service"),
        (Some(of(44)), "Falco 0.44.0 has no gRPC output"),
        (Some(of(43)), "does not have the service"),
    ] {
        let falco = FakeFalco::listening();
        falco.set_version(version);
        falco.hook(|path| path.contains("outputs").then(unimplemented_answer));
        let lanner = Running::of(&falco).await;
        let status = told(&lanner, part).await;
        assert!(matches!(status, Status::Permanent(_)), "{status:?}");
        assert_eq!(lanner.metric("lanner.falco_grpc.gaps", ""), 0);
        lanner.stop().await;
    }
}

/// Scenario: a server that has the alerts but not the version.
/// Guarantee: the alerts arrive.
#[tokio::test]
async fn the_version_is_not_needed() {
    let falco = FakeFalco::listening();
    falco.set_version(None);
    falco.push(alert(0));
    let lanner = Running::of(&falco).await;
    lanner.items(1).await;
    lanner.status(|status| *status == Status::Ok).await;
    lanner.stop().await;
}

/// Scenario: a server that accepts and says nothing, on a clock that runs when everybody waits.
/// Guarantee: Lanner gives it up, says so, and tries again; a stop does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let falco = FakeFalco::new();
    let listener = UnixListener::bind(falco.endpoint().trim_start_matches("unix://")).unwrap();
    let lanner = Running::of(&falco).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(tokio::time::timeout(SOON * 10, listener.accept()).await.unwrap().unwrap());
    }
    told(&lanner, "no answer of Falco about its version within 4s").await;
    let start = tokio::time::Instant::now();
    lanner.stop().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Scenario: a socket that Lanner's user may not use.
/// Guarantee: the message says so, and that somebody must change it.
#[test]
fn a_forbidden_socket_is_told() {
    let address = Address::Unix("/run/falco/falco.sock".into());
    let failure = Failure::of_connecting(&address, &io::Error::from(io::ErrorKind::PermissionDenied));
    assert!(failure.is_permanent() && failure.to_string().contains("no permission to use the socket /run/falco"));
}
