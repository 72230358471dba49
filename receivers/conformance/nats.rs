//! `nats`: a real server with a stream, which keeps what it has while it is away. These tests need Debian's `nats-server`, which
//! `make test` installs.

use crate::nats::{
    Nats,
    tests::server::{NatsServer, publish},
};
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};
use serde_json::json;

struct Stream {
    server: NatsServer,
    client: Option<async_nats::Client>,
    alerts: usize,
}

impl Stream {
    async fn publish(&mut self, payload: String) {
        if self.client.is_none() {
            self.server.make_stream("FALCO", &["falco.>"], json!({})).await;
        }
        // A new one for each time that the server was away.
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(self.server.client().await).clone(),
        };
        publish(&client, "falco.test", payload).await;
    }
}

#[async_trait]
impl Source for Stream {
    fn config(&self, place: &Place) -> String {
        format!(
            "{{servers: ['{}'], stream: FALCO, encoding: falco_json, hold: {}, ack_wait: 10m}}",
            self.server.url(),
            place.patience()
        )
    }

    async fn add(&mut self, count: usize) {
        for _ in 0..count {
            self.alerts += 1;
            self.publish(super::alert("a shell", self.alerts)).await;
        }
    }

    async fn add_invalid(&mut self) {
        self.publish("no alert".to_owned()).await;
    }

    async fn leave(&mut self) {
        self.server.stop().await;
        self.client = None;
    }

    async fn come_back(&mut self) {
        self.server.restart().await;
    }
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`nats`",
        factory: Factory::receiver::<Nats>(),
        source: || Box::new(Stream { server: NatsServer::start_unawaited(), client: None, alerts: 0 }),
        supply: Supply::Added,
        invalid: Some(Fate::Counted("not_an_alert")),
        oversized: None,
        leaves: true,
    }
}
