//! X7: the server is killed under load.

use super::{NatsServer, alert, built, to};
use crate::testing::{alert_request, build_cx};
use lanner_engine::{prelude::*, semantics::keys};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(120);
const SENDERS: usize = 4;
const REQUESTS: usize = 30;
const EVENTS: usize = 20;

/// Scenario: four senders publish 2400 events, each trying a request again until it is delivered; in the middle of it the server
/// is killed (-9) and started again.
/// Guarantee: every event is stored, none twice within the stream's window, none that was not sent; attempts did fail meanwhile; a
/// fresh event passes at the end.
#[tokio::test]
async fn x7_jetstream_killed_and_restarted() {
    let Some(mut server) = NatsServer::start().await else { return };
    server.make_stream("FALCO", &["falco.>"], json!({})).await;
    let config = to(&server, json!({"encoding": "falco_json", "ack_timeout": "2s", "max_in_flight": 32}));
    let exporter: Arc<dyn Exporter> = built(config, &build_cx()).await.into();
    let (failed, delivered) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let requests: Vec<Request> = (0..REQUESTS)
            .map(|request| {
                let first = (sender * REQUESTS + request) * EVENTS;
                alert_request(
                    &(first..first + EVENTS).map(|number| alert("Terminal shell", number)).collect::<Vec<_>>(),
                )
            })
            .collect();
        for record in requests.iter().flat_map(|request| request.logs().unwrap().records()) {
            expected.insert(record.attrs.get_str(&keys::UID).unwrap().to_owned(), 1);
        }
        let (exporter, failed, delivered) = (Arc::clone(&exporter), Arc::clone(&failed), Arc::clone(&delivered));
        senders.spawn(async move {
            for request in requests {
                loop {
                    match exporter.export(&request).await {
                        Outcome::Delivered => break,
                        Outcome::Retry { .. } => failed.fetch_add(1, Relaxed),
                        other => panic!("{other:?}"),
                    };
                    sleep(Duration::from_millis(20)).await;
                }
                delivered.fetch_add(1, Relaxed);
            }
        });
    }
    let until = async |what: &str, done: &dyn Fn() -> bool| {
        let look = async {
            while !done() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LIMIT, look).await.unwrap_or_else(|_| panic!("{what}"));
    };
    until("a quarter is delivered", &|| delivered.load(Relaxed) >= SENDERS * REQUESTS / 4).await;
    server.kill().await;
    until("attempts fail", &|| failed.load(Relaxed) > 0).await;
    assert!(delivered.load(Relaxed) < SENDERS * REQUESTS, "it was killed in the middle");
    server.restart().await;
    let ended = async { while senders.join_next().await.transpose().unwrap().is_some() {} };
    timeout(LIMIT, ended).await.expect("everything is delivered after the restart");

    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for message in server.stored("FALCO").await {
        *stored.entry(message.header("Nats-Msg-Id").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(stored.len(), SENDERS * REQUESTS * EVENTS);
    assert!(stored == expected, "lost, stored twice or never sent");
    assert_eq!(exporter.export(&alert_request(&[alert("Fresh", 999_999)])).await, Outcome::Delivered);
}
