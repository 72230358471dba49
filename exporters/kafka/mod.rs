//! `kafka` sends logs, metrics and traces to Kafka.
//!
//! Flow: `pack` groups the records of a request by key and writes each group as a message; `producer` sends them and
//! settles what the brokers confirmed; here it is decided what a failure means.
//!
//! Promises
//! - Delivered means that all in-sync replicas have it, and that the brokers told its offset. What is confirmed is not sent
//!   again when other messages of the request are.
//! - Records of one key are in one partition, in order within a request.
//! - A message that is too large is halved until the record that is too large stands alone, so that it takes no neighbour
//!   along.
//! - A topic that does not exist is waited for, for [`TOPIC_GRACE`]; what cannot be sent within [`MESSAGE_LIMIT`] goes back to
//!   the queue.

mod check;
mod config;
mod message;
mod pack;
mod producer;
#[cfg(test)]
mod tests;
mod verdict;

use check::{Plan, Target};
use config::Config;
use futures_util::future::join_all;
use lanner_engine::{component::Settled, net::client::peer_text, prelude::*};
use message::Message;
use pack::{Packed, Packer};
use producer::{Producer, Sent};
use rdkafka::error::RDKafkaErrorCode::MessageTimedOut as TIMED_OUT;
use std::{collections::VecDeque, time::Duration};
use verdict::{Topics, Verdict};

/// The component type.
pub struct Kafka;

/// How long Kafka's client tries to send a message before it goes back to the queue.
const MESSAGE_LIMIT: Duration = Duration::from_secs(20);
/// How long a topic may be missing before what is for it is rejected.
const TOPIC_GRACE: Duration = Duration::from_secs(300);

/// What this exporter starts from. The client gives up first, so that nothing is on its way when a request is tried again.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(30) };

impl Component for Kafka {
    const TYPE: &'static str = "kafka";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct KafkaExporter {
    producer: Producer,
    targets: [Target; 3],
    key: Vec<Vec<Key>>,
    max_message: usize,
    topics: Topics,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(Box::new(KafkaExporter {
            producer: Producer::new(&self, cx)?,
            targets: self.targets,
            key: self.key,
            max_message: self.max_message,
            topics: Topics::new(TOPIC_GRACE),
        }))
    }
}

#[async_trait]
impl Exporter for KafkaExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let [logs, metrics, traces] = &self.targets;
        let target = match request.signal() {
            Signal::Logs => logs,
            Signal::Metrics => metrics,
            Signal::Traces => traces,
        };
        let packer = Packer { target, key: &self.key, max_message: self.max_message };
        let packed = match packer.pack(request).await {
            Ok(packed) => packed,
            Err(reason) => return Outcome::Reject { reason: peer_text(reason.as_bytes()) },
        };
        let mut again = None;
        // What a broker found too large, one after the other: in company a small message is refused with a large one.
        let mut alone: VecDeque<Message> = VecDeque::new();
        let open = keep_open(packed, request);
        let sent =
            join_all(open.iter().map(|message| self.producer.send(&target.topic, message, request.progress()))).await;
        for (message, sent) in open.into_iter().zip(sent) {
            if let Verdict::TooLarge = self.judge(&message, sent, target, request, &mut again) {
                alone.push_back(message);
            }
        }
        while let Some(message) = alone.pop_front() {
            let sent = self.producer.send(&target.topic, &message, request.progress()).await;
            if let Verdict::TooLarge = self.judge(&message, sent, target, request, &mut again) {
                alone.extend(keep_open(packer.halve(message), request));
            }
        }
        let retry = again.map(|reason| Outcome::Retry { after: None, reason });
        retry.or_else(|| request.progress().outcome()).unwrap_or(Outcome::Delivered)
    }
}

impl KafkaExporter {
    /// Settles a message for good, or notes why it must be sent again.
    fn judge(
        &self,
        message: &Message,
        sent: Sent,
        target: &Target,
        request: &Request,
        again: &mut Option<String>,
    ) -> Verdict {
        // The client's own limit hides what kept it from the brokers.
        let obstacle = (sent == Sent::Failed(TIMED_OUT)).then(|| self.producer.obstacle()).flatten();
        let verdict = self.topics.judge(&target.topic, sent);
        match &verdict {
            Verdict::Delivered | Verdict::TooLarge => {}
            Verdict::Retry(reason) => drop(again.get_or_insert_with(|| match obstacle {
                Some(obstacle) => format!("{reason}: {obstacle}"),
                None => reason.clone(),
            })),
            Verdict::Reject(reason) => reject(request, &message.items, reason),
        }
        verdict
    }
}

/// The messages of which something is not settled; rejects what no message can hold.
fn keep_open(packed: Packed, request: &Request) -> Vec<Message> {
    for (item, reason) in packed.refused {
        reject(request, &[item], &reason);
    }
    let is_open = |message: &Message| message.items.iter().any(|item| request.progress().is_open(*item));
    packed.messages.into_iter().filter(is_open).collect()
}

fn reject(request: &Request, items: &[usize], reason: &str) {
    for item in items {
        request.progress().settle(*item, Settled::Rejected { reason: reason.to_owned() });
    }
}
