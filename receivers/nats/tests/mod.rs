//! Against a real server.

mod config;
mod encodings;
mod giving_up;
mod pressure;
mod restart;
#[path = "../../../tests/support/nats.rs"]
pub(crate) mod server;

use super::Nats;
use crate::testing::port;
use lanner_engine::{
    component::Factory,
    testing::{Mood, receiver::Running},
};
use serde_json::{Value as Json, json};
use server::{NatsServer, publish};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longer than anything takes that is not broken.
const SOON: Duration = Duration::from_secs(60);

/// A server with the stream `FALCO`, which has the subjects below `falco`.
async fn server() -> Option<NatsServer> {
    let server = NatsServer::start().await?;
    server.make_stream("FALCO", &["falco.>"], json!({})).await;
    Some(server)
}

/// A receiver of that stream with these further keys.
async fn receiver(server: &NatsServer, more: Json) -> Running {
    let mut config = json!({"servers": [server.url()], "stream": "FALCO"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Running::start(&Factory::receiver::<Nats>(), SOON, |_| config.to_string()).await
}

/// Publishes messages to the stream.
async fn fill(server: &NatsServer, payloads: impl IntoIterator<Item = impl Into<Vec<u8>>>) {
    let client = server.client().await;
    for payload in payloads {
        publish(&client, "falco.test", payload).await;
    }
}

fn texts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("line {number}")).collect()
}

/// What the pipelines took, as text.
fn taken(running: &Running) -> Vec<String> {
    let records = running.capture.records();
    records.iter().map(|record| record.body.as_str().unwrap_or_default().to_owned()).collect()
}

async fn items(running: &Running, count: usize) {
    let came = timeout(SOON, running.capture.items(count)).await;
    assert!(came.is_ok(), "{} of {count} items came", running.capture.records().len());
}

/// Asks what JetStream knows of the consumer until `done`.
async fn until(server: &NatsServer, what: &str, done: impl Fn(&Json) -> bool) -> Json {
    let ask = async {
        loop {
            let info = server.consumer("FALCO", "lanner").await;
            if done(&info) {
                return info;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, ask).await.unwrap_or_else(|_| panic!("{what}"))
}

/// Polls until `done`.
async fn eventually(what: &str, done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(SOON, look).await.is_ok(), "{what}");
}

/// Whether every message was answered for good.
fn is_settled(info: &Json, messages: u64) -> bool {
    info["ack_floor"]["stream_seq"] == messages && info["num_ack_pending"] == 0
}

/// Starts a receiver in front of a pipeline that never answers, and waits until it holds a message.
async fn stuck(server: &NatsServer, more: Json) -> Running {
    let running = receiver(server, more).await;
    running.capture.set(Mood::Stuck);
    running
}
