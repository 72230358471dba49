//! `falco_grpc`: a Falco that can be taken away. It forgets what it has written, so only what reached the pipeline is sure to
//! survive a broken connection.

use crate::falco_grpc::{
    FalcoGrpc,
    tests::fake_falco::{FakeFalco, alert},
};
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};
use lanner_proto::falco::outputs::Response;

struct Falco {
    server: FakeFalco,
    alerts: usize,
}

impl Falco {
    fn next(&mut self) -> Response {
        self.alerts += 1;
        alert(self.alerts)
    }
}

#[async_trait]
impl Source for Falco {
    fn config(&self, _: &Place) -> String {
        format!("{{endpoint: '{}', interval: 20ms, max_recv_msg_size_mib: 1}}", self.server.endpoint())
    }

    async fn add(&mut self, count: usize) {
        for _ in 0..count {
            let alert = self.next();
            self.server.push(alert);
        }
    }

    async fn add_invalid(&mut self) {
        self.server.push_raw(&b"\xff\xff\xff\xff no message"[..]);
    }

    async fn add_oversized(&mut self) {
        let alert = Response { output: vec![b'x'; 2 << 20].into(), ..self.next() };
        self.server.push(alert);
    }

    async fn leave(&mut self) {
        self.server.kill();
    }

    async fn come_back(&mut self) {
        self.server.listen();
    }
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`falco_grpc`",
        factory: Factory::receiver::<FalcoGrpc>(),
        source: || Box::new(Falco { server: FakeFalco::listening(), alerts: 0 }),
        supply: Supply::Added,
        invalid: Some(Fate::Counted("undecodable")),
        oversized: Some(Fate::Counted("too_large")),
        leaves: true,
    }
}
