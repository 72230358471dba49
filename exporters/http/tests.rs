use super::{Addresses, Client, Settings};
use crate::testing::{
    Authority, Sink, answer,
    fault_proxy::{Fault, FaultProxy},
};
use http::{HeaderMap, Version};
use lanner_engine::{
    net::tls::{ClientTls, ClientTlsConfig},
    testing::planning,
};
use reqwest::Url;
use std::time::Duration;

/// Long enough for a new connection on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's TLS that trusts this authority.
fn trusting(authority: &Authority) -> ClientTls {
    let config: ClientTlsConfig = serde_json::from_value(serde_json::json!({"ca_pem": authority.pem})).unwrap();
    planning(|cx| config.check("tls", cx)).0.unwrap().required()
}

fn client(tls: ClientTls, limit: Option<Duration>) -> Client {
    let settings = Settings { tls, headers: HeaderMap::new(), proxy: None, addresses: Addresses::default() };
    Client::new(settings, limit).unwrap()
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
