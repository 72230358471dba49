//! Receivers and servers that are killed, and servers that are not as expected.

use super::{fill, is_settled, items, receiver, server, stuck, taken, texts, until};
use lanner_engine::testing::Mood;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;

/// Scenario: a receiver is killed while the pipelines have messages of it and have not answered; another one starts.
/// Guarantee: nothing was acknowledged for it; the server delivers every message again after its wait, and they are counted as such.
#[tokio::test]
async fn what_a_killed_receiver_had_comes_again() {
    let Some(server) = server().await else { return };
    let config = json!({"encoding": "text", "hold": "300ms", "ack_wait": "1s"});
    let mut killed = stuck(&server, config.clone()).await;
    fill(&server, texts(0..10)).await;
    timeout(super::SOON, killed.capture.waiting(1)).await.unwrap();
    killed.cut_off().await;
    assert!(killed.capture.batches().is_empty());
    let mut next = receiver(&server, config).await;
    items(&next, 10).await;
    let mut all = taken(&next);
    all.sort();
    assert_eq!(all, texts(0..10));
    until(&server, "all are acknowledged", |info| is_settled(info, 10)).await;
    assert!(next.metric("lanner.nats.redelivered", "") >= 1);
    next.stop().await;
}

/// Scenario: X7: the server is killed (-9) while it delivers, twice, and started again.
/// Guarantee: every message arrives once, although the server forgot what it had delivered; all are acknowledged in the end.
#[tokio::test]
async fn x7_killed_server_loses_nothing() {
    let Some(mut server) = server().await else { return };
    fill(&server, texts(0..300)).await;
    let mut running =
        receiver(&server, json!({"encoding": "text", "max_messages": 5, "ack_wait": "2s", "hold": "500ms"})).await;
    for enough in [50, 150] {
        items(&running, enough).await;
        server.kill().await;
        server.restart().await;
    }
    let all: BTreeSet<String> = texts(0..300).into_iter().collect();
    super::eventually("all arrive", || taken(&running).into_iter().collect::<BTreeSet<_>>() == all).await;
    until(&server, "all are acknowledged", |info| is_settled(info, 300)).await;
    assert_eq!((taken(&running).len(), running.capture.failed()), (300, Default::default()));
    running.stop().await;
}

/// Scenario: the stream is missing at first; later its consumer is deleted.
/// Guarantee: the receiver goes on by itself as soon as the stream is there, and makes the consumer again.
#[tokio::test]
async fn what_is_missing_is_waited_for() {
    let Some(server) = super::NatsServer::start().await else { return };
    let mut running = receiver(&server, json!({"encoding": "text"})).await;
    server.make_stream("FALCO", &["falco.>"], json!({})).await;
    fill(&server, ["one"]).await;
    items(&running, 1).await;
    until(&server, "it is acknowledged", |info| is_settled(info, 1)).await;
    super::server::ask(&server.client().await, "CONSUMER.DELETE.FALCO.lanner", &json!({})).await;
    fill(&server, ["two"]).await;
    super::eventually("the second one arrives", || taken(&running).contains(&"two".to_owned())).await;
    running.stop().await;
}

/// Scenario: the consumer is there and pushes its messages; or it acknowledges them all at once.
/// Guarantee: it is not used and not changed; the receiver waits and ends on drain.
#[tokio::test]
async fn a_consumer_of_another_kind_is_not_used() {
    let Some(server) = server().await else { return };
    for other in [json!({"deliver_subject": "push", "ack_policy": "explicit"}), json!({"ack_policy": "none"})] {
        let mut config = other.clone();
        config["durable_name"] = "lanner".into();
        let client = server.client().await;
        let body = json!({"stream_name": "FALCO", "config": config});
        let made = super::server::ask(&client, "CONSUMER.DURABLE.CREATE.FALCO.lanner", &body).await;
        assert!(made.get("error").is_none(), "{made}");
        fill(&server, ["one"]).await;
        let mut running = receiver(&server, json!({"encoding": "text"})).await;
        assert!(timeout(Duration::from_millis(500), running.capture.waiting(1)).await.is_err());
        assert_eq!(running.metric("lanner.nats.connected", ""), 0);
        running.stop().await;
        let kept = server.consumer("FALCO", "lanner").await;
        other.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&kept["config"][key], value, "{key}"));
        super::server::ask(&client, "CONSUMER.DELETE.FALCO.lanner", &json!({})).await;
    }
}

/// Scenario: the server wants a password, and the receiver has none or the right one.
/// Guarantee: without it nothing arrives and the receiver ends on drain; with it everything does.
#[tokio::test]
async fn a_login_is_needed() {
    let Some(mut server) = server().await else { return };
    fill(&server, ["one"]).await;
    server.stop().await;
    server.restart_with("authorization { user: lanner, password: s3cret }").await;
    let mut without = receiver(&server, json!({"encoding": "text"})).await;
    let auth = json!({"username": "lanner", "password": "s3cret"});
    let mut with = receiver(&server, json!({"encoding": "text", "auth": auth})).await;
    items(&with, 1).await;
    assert!(without.capture.batches().is_empty());
    without.capture.set(Mood::Draining);
    without.stop().await;
    with.stop().await;
}
