//! What a failure of Kafka means for a message.
//!
//! Promise: everything that may pass is tried again; only what the brokers will never take is rejected. A missing topic
//! is in between: it is waited for, and then rejected.

use super::producer::Sent;
use parking_lot::Mutex;
use rdkafka::error::RDKafkaErrorCode as Code;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// A smaller one may be taken.
    TooLarge,
    Retry(String),
    Reject(String),
}

/// A message whose place no broker has told.
#[derive(Debug, thiserror::Error)]
#[error("the brokers confirmed a later message, but not this one")]
struct Unconfirmed;

/// A topic that stays away.
#[derive(Debug, thiserror::Error)]
#[error("the topic `{topic}` has not existed for {} s: {code}; create it, or let the brokers do it", since.as_secs())]
struct NoTopic<'t> {
    topic: &'t str,
    since: Duration,
    code: Code,
}

/// The topics that are missing, and since when. Their names come from the configuration.
pub struct Topics {
    grace: Duration,
    missing: Mutex<BTreeMap<String, Instant>>,
}

impl Topics {
    /// Topics that may be missing for as long as `grace`.
    pub fn new(grace: Duration) -> Self {
        Self { grace, missing: Mutex::default() }
    }

    /// What is to be done with a message to `topic`.
    pub fn judge(&self, topic: &str, sent: Sent) -> Verdict {
        let code = match sent {
            Sent::Delivered => {
                self.missing.lock().remove(topic);
                return Verdict::Delivered;
            }
            Sent::Unconfirmed => {
                self.missing.lock().remove(topic);
                return Verdict::Retry(Unconfirmed.to_string());
            }
            Sent::Failed(code) => code,
        };
        match code {
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Verdict::TooLarge,
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => self.missing(topic, code),
            Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidTopic
            | Code::InvalidRecord
            | Code::PolicyViolation
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnsupportedForMessageFormat => Verdict::Reject(code.to_string()),
            _ => {
                // It is not known to be missing any more.
                self.missing.lock().remove(topic);
                Verdict::Retry(code.to_string())
            }
        }
    }

    fn missing(&self, topic: &str, code: Code) -> Verdict {
        let now = Instant::now();
        let since = now - *self.missing.lock().entry(topic.to_owned()).or_insert(now);
        let reason = NoTopic { topic, since, code }.to_string();
        if since > self.grace { Verdict::Reject(reason) } else { Verdict::Retry(reason) }
    }
}
