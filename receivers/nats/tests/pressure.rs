//! Pipelines that are busy, stuck or stopping.

use super::{fill, items, receiver, server, stuck, taken, texts, until};
use lanner_engine::testing::Mood;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// Scenario: the pipelines have a message and have not answered; then they take it.
/// Guarantee: it is not acknowledged before that, and it is afterwards.
#[tokio::test]
async fn it_is_acknowledged_after_it_was_taken() {
    let Some(server) = server().await else { return };
    let mut running = stuck(&server, json!({"encoding": "text"})).await;
    fill(&server, ["one"]).await;
    timeout(super::SOON, running.capture.waiting(1)).await.unwrap();
    let info = server.consumer("FALCO", "lanner").await;
    assert_eq!((&info["num_ack_pending"], &info["ack_floor"]["stream_seq"]), (&json!(1), &json!(0)));
    running.capture.set(Mood::Taking);
    until(&server, "it is acknowledged", |info| super::is_settled(info, 1)).await;
    running.stop().await;
}

/// Scenario: the pipelines hold a message for several times the server's wait.
/// Guarantee: the server does not deliver it again meanwhile, to nobody.
#[tokio::test]
async fn a_held_message_is_not_delivered_again() {
    let Some(server) = server().await else { return };
    let mut running = stuck(&server, json!({"encoding": "text", "hold": "300ms", "ack_wait": "4s"})).await;
    fill(&server, ["one"]).await;
    timeout(super::SOON, running.capture.waiting(1)).await.unwrap();
    // Another member of the consumer waits 13 seconds for it. The receiver has over two seconds to show that it lives, which
    // is longer than a host keeps a processor from it.
    let client = server.client().await;
    let body = json!({"batch": 1, "expires": 13_000_000_000u64}).to_string();
    let request = async_nats::Request::new().payload(body.into()).timeout(Some(super::SOON));
    let answer = client.send_request("$JS.API.CONSUMER.MSG.NEXT.FALCO.lanner", request).await.unwrap();
    assert_eq!(answer.status.map(|status| status.as_u16()), Some(408), "{answer:?}");
    running.capture.set(Mood::Taking);
    items(&running, 1).await;
    assert_eq!(until(&server, "it is acknowledged", |info| super::is_settled(info, 1)).await["num_redelivered"], 0);
    running.stop().await;
}

/// Scenario: the pipelines are full for longer than `hold`, several times over; then there is room.
/// Guarantee: messages are given back and counted, nothing is given up, and in the end each was taken once and acknowledged.
#[tokio::test]
async fn a_full_pipeline_gives_back() {
    let Some(server) = server().await else { return };
    let mut running = receiver(&server, json!({"encoding": "text", "hold": "20ms"})).await;
    running.capture.set(Mood::Busy);
    fill(&server, texts(0..5)).await;
    super::eventually("they are given back", || running.metric("lanner.nats.returned", "busy") >= 10).await;
    assert_eq!((running.capture.failed(), running.capture.batches().len()), (Default::default(), 0));
    running.capture.set(Mood::Taking);
    items(&running, 5).await;
    until(&server, "all are acknowledged", |info| super::is_settled(info, 5)).await;
    let mut all = taken(&running);
    all.sort();
    assert_eq!(all, texts(0..5));
    assert!(running.metric("lanner.nats.redelivered", "") >= 5);
    running.stop().await;
}

/// Scenario: Lanner stops while the pipelines hold messages and take nothing any more.
/// Guarantee: they are given back at once, so that another receiver has them long before the server's wait is over.
#[tokio::test]
async fn stopping_gives_back_at_once() {
    let Some(server) = server().await else { return };
    let config = json!({"encoding": "text", "ack_wait": "10m", "max_messages": 2});
    let mut running = stuck(&server, config.clone()).await;
    fill(&server, texts(0..6)).await;
    timeout(super::SOON, running.capture.waiting(1)).await.unwrap();
    running.drain.request();
    running.capture.set(Mood::Draining);
    running.ended().await;
    assert_eq!(running.capture.batches().len(), 0);
    let mut next = receiver(&server, config).await;
    items(&next, 6).await;
    let mut all = taken(&next);
    all.sort();
    assert_eq!(all, texts(0..6));
    assert!(running.metric("lanner.nats.returned", "stopping") >= 1);
    tokio::time::timeout(Duration::from_secs(10), next.stop()).await.unwrap();
}
