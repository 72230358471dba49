//! `kafka`: a cluster that can be taken away. What was not committed is there when it comes back.

use crate::kafka::{Kafka, tests::kafka_cluster::Cluster};
use async_trait::async_trait;
use lanner_engine::{
    component::Factory,
    testing::receiver::{
        Place,
        pull::{Fate, PullSubject, Source, Supply},
    },
};

struct Topic {
    cluster: Cluster,
    alerts: usize,
}

impl Topic {
    fn add_line(&self, line: impl Into<Vec<u8>>) {
        self.cluster.produce("falco", 0, &[line.into()]);
    }

    fn alert(&mut self, output: &str) -> String {
        self.alerts += 1;
        super::alert(output, self.alerts)
    }
}

#[async_trait]
impl Source for Topic {
    fn config(&self, _: &Place) -> String {
        let brokers = &self.cluster.brokers;
        format!(
            "{{brokers: ['{brokers}'], initial_offset: earliest, max_message_size: 64KiB, \
             logs: {{topics: [falco], encoding: falco_json}}}}"
        )
    }

    async fn add(&mut self, count: usize) {
        let alerts: Vec<_> = (0..count).map(|_| self.alert("a shell").into_bytes()).collect();
        self.cluster.produce("falco", 0, &alerts);
    }

    async fn add_invalid(&mut self) {
        self.add_line("Falco initialized with configuration file");
    }

    async fn add_oversized(&mut self) {
        let alert = self.alert(&"x".repeat(100 << 10));
        self.add_line(alert);
    }

    async fn leave(&mut self) {
        self.cluster.leave();
    }

    async fn come_back(&mut self) {
        self.cluster.come_back();
    }
}

pub fn subject() -> PullSubject {
    PullSubject {
        title: "`kafka`",
        factory: Factory::receiver::<Kafka>(),
        source: || Box::new(Topic { cluster: Cluster::start(&[("falco", 1)]), alerts: 0 }),
        supply: Supply::Added,
        invalid: Some(Fate::Counted("not_an_alert")),
        oversized: Some(Fate::Counted("too_large")),
        leaves: true,
    }
}
