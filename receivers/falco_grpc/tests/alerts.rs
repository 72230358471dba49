//! Alerts over a real socket.

use super::{
    SOON,
    fake_falco::{FakeFalco, alert, ready_now},
    running::{Running, config},
};
use crate::{
    falco_grpc::{Config, Method, client::Client, stream::Stream},
    testing::data,
};
use futures_util::{StreamExt, stream};
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, is_alert, is_internal, keys, scope},
};
use lanner_proto::falco::outputs::{Request, Response};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{net::UnixStream, sync::mpsc, time::timeout};

/// Scenario: alerts before Lanner starts, and more after the first were taken.
/// Guarantee: all arrive, once, in order, because Lanner keeps asking; nothing is counted as lost.
#[tokio::test]
async fn alerts_arrive_before_and_after_the_first_burst() {
    let falco = FakeFalco::listening();
    (0..3).for_each(|number| falco.push(alert(number)));
    let lanner = Running::of(&falco).await;
    lanner.items(3).await;
    let asked = falco.requests();
    for number in 3..6 {
        falco.push(alert(number));
        lanner.items(number + 1).await;
    }
    assert!(falco.requests() >= asked + 3, "one burst for one request");
    let capture = lanner.stop().await;
    let times: Vec<u64> = capture.records().iter().map(|record| record.time_unix_nano % 1_000_000_000).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 5]);
    assert!(capture.records().iter().all(is_alert));
    assert!(capture.failed().is_empty());
}

/// Scenario: a client that asks once and then only listens, as one would with other APIs.
/// Guarantee: it gets one burst and starves, so the test above shows that Lanner's requests are what makes alerts come.
#[tokio::test]
async fn a_client_that_asks_once_starves() {
    let falco = FakeFalco::listening();
    falco.push(alert(0));
    let socket = UnixStream::connect(falco.endpoint().trim_start_matches("unix://")).await.unwrap();
    let mut client = Client::open(Stream::new(socket), false, 4 << 20).await.unwrap();
    let (ask, mut asked) = mpsc::channel::<Request>(1);
    ask.send(Request {}).await.unwrap();
    let mut alerts = client.sub(stream::poll_fn(move |cx| asked.poll_recv(cx))).await.unwrap();
    timeout(SOON, alerts.next()).await.unwrap().unwrap().unwrap();
    timeout(SOON, falco.awaiting_requests(1)).await.unwrap();
    falco.push(alert(1));
    assert!(ready_now(&mut alerts).is_none());
    assert_eq!(falco.queued(), 1, "the server waits for a request");
    ask.send(Request {}).await.unwrap();
    timeout(SOON, alerts.next()).await.unwrap().unwrap().unwrap();
}

/// Scenario: `method: get`.
/// Guarantee: alerts arrive, call by call, over one connection.
#[tokio::test]
async fn get_polls() {
    let falco = FakeFalco::listening();
    falco.push(alert(0));
    let lanner = Running::start(Config { method: Method::Get, ..config(falco.endpoint()) }).await;
    for number in 1..4 {
        lanner.items(number).await;
        falco.push(alert(number));
    }
    lanner.items(4).await;
    assert_eq!(lanner.metric("lanner.falco_grpc.reconnects", ""), 0);
    assert!(lanner.metric("lanner.falco_grpc.requests", "") >= 4);
    assert_eq!(lanner.numbers(), (0..4).collect());
    lanner.stop().await;
}

/// Scenario: two Lanners at one Falco.
/// Guarantee: each alert reaches one of them; together they have all.
#[tokio::test]
async fn two_clients_share_the_alerts() {
    let falco = FakeFalco::listening();
    let (one, other) = (Running::of(&falco).await, Running::of(&falco).await);
    timeout(SOON, falco.awaiting_requests(2)).await.unwrap();
    for number in 0..500 {
        falco.push(alert(number));
        if number % 50 == 0 {
            timeout(SOON, falco.requested(falco.requests() + 2)).await.unwrap();
        }
    }
    for _ in 0..3000 {
        if one.capture.records().len() + other.capture.records().len() == 500 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let (one, other) = (one.numbers(), other.numbers());
    assert!(one.is_disjoint(&other));
    assert_eq!(one.union(&other).count(), 500);
}

/// Scenario: Falco with `json_output: true`, real alerts.
/// Guarantee: each record and resource is, with its id, the one that `falco_http` makes of the same JSON.
#[tokio::test]
async fn json_output_is_the_alert() {
    let lines = data::lines("dev/falco_alerts.jsonl").unwrap_or_default();
    let falco = FakeFalco::listening();
    for line in &lines {
        falco.push(Response { output: line.clone().into(), ..alert(7) });
    }
    let lanner = Running::of(&falco).await;
    lanner.items(lines.len()).await;
    let batches = lanner.stop().await.batches();
    let mut logs = Logs::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let body: Arc<str> = lines.join("\n").into();
    FalcoMapper::new(&MappingOptions::default()).map_body(&body, now, &scope("lanner.receiver.falco"), &mut logs);
    let all = |logs: &Logs| -> Vec<(Arc<Resource>, LogRecord)> {
        let groups = logs.groups.iter();
        groups
            .flat_map(|group| group.records.iter().map(|record| (Arc::clone(&group.resource), record.clone())))
            .collect()
    };
    let mut got: Vec<_> = batches.iter().flat_map(|batch| all(batch.as_logs().expect("logs"))).collect();
    let mut expected = all(&logs);
    for (_, record) in got.iter_mut().chain(&mut expected) {
        record.observed_time_unix_nano = 0;
    }
    // Groups of equal resources are made in each batch by itself.
    let order = |pair: &(Arc<Resource>, LogRecord)| format!("{pair:?}");
    got.sort_by_key(order);
    expected.sort_by_key(order);
    assert_eq!(got.len(), lines.len());
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected);
    }
}

/// Scenario: alerts as Falco 0.24 (no source name, no tags), 0.27 (source by number) and a message of Falco about itself.
/// Guarantee: each source is known; Falco's own message is no alert.
#[tokio::test]
async fn old_falcos_are_understood() {
    let falco = FakeFalco::listening();
    let old = Response { source: "".into(), tags: Vec::new(), ..alert(0) };
    falco.push(Response { hostname: "".into(), ..old.clone() });
    falco.push(Response { source_deprecated: 1, ..old.clone() });
    falco.push(Response { source_deprecated: 2, rule: "Falco internal: syscall event drop".into(), ..old.clone() });
    falco.push(Response { source_deprecated: 3, source: "github".into(), ..old });
    let lanner = Running::of(&falco).await;
    lanner.items(4).await;
    let records = lanner.stop().await.records();
    let sources: Vec<_> = records.iter().map(|record| record.attrs.get_str(&keys::SOURCE).unwrap()).collect();
    assert_eq!(sources, ["syscall", "k8s_audit", "internal", "github"]);
    assert_eq!(records.iter().map(is_internal).collect::<Vec<_>>(), [false, false, true, false]);
}
