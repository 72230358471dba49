use super::{Addresses, Client, End, Settings};
use crate::testing::{
    Authority, Sink, answer,
    fault_proxy::{Fault, FaultProxy},
};
use http::{HeaderMap, HeaderValue, Version, header};
use lanner_engine::{
    net::tls::{ClientTls, ClientTlsConfig},
    testing::planning,
};
use reqwest::Url;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Long enough for a new connection on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's TLS that trusts this authority.
fn trusting(authority: &Authority) -> ClientTls {
    let config: ClientTlsConfig = serde_json::from_value(serde_json::json!({"ca_pem": authority.pem})).unwrap();
    planning(|cx| config.check("tls", cx)).0.unwrap().required()
}

fn settings(tls: ClientTls) -> Settings {
    Settings { tls, headers: HeaderMap::new(), proxy: None, addresses: Addresses::default() }
}

fn client(tls: ClientTls, limit: Option<Duration>) -> Client {
    Client::new(settings(tls), limit).unwrap()
}

/// Scenario: a name whose only addresses are of this machine, for a client that may go to public ones only.
/// Guarantee: nothing is sent, and the failure says which key to change.
#[tokio::test]
async fn a_name_leads_to_allowed_addresses_only() {
    let sink = Sink::start(|_| answer(200, "ok")).await;
    let public = Settings { addresses: Addresses::Public, ..settings(trusting(&Authority::new())) };
    let url = format!("http://localhost:{}/", sink.address.port()).parse().unwrap();
    let failure = Client::new(public, None).unwrap().post_json(&url, "{}").await.err().unwrap().to_string();
    assert!(failure.contains("`allow_addresses: public` forbids every address of this host"), "{failure}");
    assert!(sink.seen().is_empty());
}

/// Scenario: configured headers, one in the place of Lanner's name and one that the request has itself.
/// Guarantee: each header is sent once; the request's own wins.
#[tokio::test]
async fn configured_headers_go_with_every_request() {
    let sink = Sink::start(|_| answer(200, "ok")).await;
    let mut settings = settings(trusting(&Authority::new()));
    for (name, value) in [(header::USER_AGENT, "mine"), (header::CONTENT_TYPE, "text/plain"), (header::VIA, "here")] {
        settings.headers.insert(name, HeaderValue::from_static(value));
    }
    let url = format!("http://{}/path?query", sink.address).parse().unwrap();
    Client::new(settings, None).unwrap().post_json(&url, "{}").await.unwrap();
    let seen = sink.seen();
    let sent = |name| seen[0].headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((sent(header::USER_AGENT), sent(header::VIA)), (vec!["mine"], vec!["here"]));
    assert_eq!((sent(header::CONTENT_TYPE), sent(header::ACCEPT)), (vec!["application/json"], vec!["*/*"]));
    assert_eq!((sent(header::HOST), sent(header::CONTENT_LENGTH)), (vec![&*sink.address.to_string()], vec!["2"]));
    assert_eq!(seen[0].uri().to_string(), "/path?query");
}

/// Scenario: a server that stops in the middle of its reply, until the time is over.
/// Guarantee: the status counts, and the part that came is there.
#[tokio::test]
async fn a_reply_that_does_not_end_is_a_reply() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0, "the request");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\nno").await.unwrap();
        std::future::pending::<()>().await
    };
    let client = client(trusting(&Authority::new()), Some(Duration::from_secs(2)));
    let reply = tokio::select! {
        reply = client.post_json(&url, "{}") => reply.unwrap(),
        () = server => unreachable!("it never ends"),
    };
    assert_eq!((reply.status.as_u16(), &*reply.body), (400, &b"no"[..]));
    assert_eq!(reply.end, End::Cut("no answer within 2s".to_owned()));
}

/// Scenario: D12: HTTP/1 and HTTP/2 over a connection on which, after a request, nothing comes through any more; the time limit
/// is the client's, or that of the engine, which drops the attempt.
/// Guarantee: the request that finds out ends in its time; the next one goes out over a new connection at once; the dead one is
/// closed.
#[test]
fn d12_a_dead_connection_is_replaced() {
    let cases =
        [(Version::HTTP_11, true), (Version::HTTP_2, true), (Version::HTTP_11, false), (Version::HTTP_2, false)];
    std::thread::scope(|scope| {
        for (version, own_limit) in cases {
            scope.spawn(move || dead_connection(version, own_limit));
        }
    });
}

fn dead_connection(version: Version, own_limit: bool) {
    // With one thread, what is ready has run after a few turns.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (authority, encrypted) = (Authority::new(), version == Version::HTTP_2);
    let server = encrypted.then(|| authority.server("localhost", false));
    let sink = runtime.block_on(Sink::start_at("127.0.0.1:0", server, |_| answer(200, "ok")));
    let proxy = FaultProxy::before(sink.address.port());
    let scheme = if encrypted { "https" } else { "http" };
    let url: Url = format!("{scheme}://localhost:{}/", proxy.port).parse().unwrap();
    let limit = Duration::from_secs(3);
    let client = client(trusting(&authority), own_limit.then_some(limit));
    runtime.block_on(async {
        let post = || tokio::time::timeout(if own_limit { PATIENCE } else { limit }, client.post_json(&url, "{}"));
        for _ in 0..2 {
            assert_eq!(post().await.unwrap().unwrap().status, 200);
            // The connection goes back to the others of its client.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!((proxy.connections(), proxy.open()), (1, 1), "{version:?}: one connection for both");
        proxy.set(Fault::Blackhole);
        match post().await {
            Ok(ended) => assert!(own_limit && ended.is_err(), "{version:?}"),
            Err(_) => assert!(!own_limit, "{version:?}: it ends in its time"),
        }
        assert_eq!(post().await.unwrap().unwrap().status, 200, "{version:?}");
        assert_eq!(proxy.connections(), 2);
        let closed = tokio::time::timeout(PATIENCE, async {
            while proxy.open() > 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        closed.await.unwrap_or_else(|_| panic!("{version:?}: {} connections are open", proxy.open()));
        assert!(sink.seen().iter().all(|request| request.version() == version));
        drop(sink);
    });
}
