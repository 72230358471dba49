//! Kafka from the Collector's keys: what the exporter and the receiver `kafka` share about connections and their
//! problems.
//!
//! Promises: what is checked here needs no Kafka client, so that the engine is built without one; secrets stay secrets up to the
//! client; a key that the client cannot honour is an error and never ignored.

mod auth;
mod names;
mod obstacle;
#[cfg(test)]
mod tests;

pub use auth::{AuthConfig, Mechanism, SaslConfig};
pub use names::{InvalidBroker, InvalidTopic, check_topic};
pub use obstacle::{Obstacle, Obstacles};

use super::tls::ClientTlsConfig;
use crate::config::{PlanCx, Secret};

/// How both call themselves.
pub const CLIENT_ID: &str = "lanner";

/// What the client library of this build can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// No TLS, and of SASL only PLAIN.
    Plaintext,
    /// TLS and SCRAM too.
    Tls,
}

/// Settings of librdkafka, by name.
pub type Settings = Vec<(&'static str, Secret)>;

/// The keys about connections, which exporter and receiver have in common.
pub struct Connection<'c> {
    pub brokers: &'c [String],
    pub client_id: &'c str,
    pub auth: &'c AuthConfig,
    pub tls: Option<&'c ClientTlsConfig>,
}

/// No broker to begin with.
#[derive(Debug, thiserror::Error)]
#[error("`brokers` is empty; write for example `brokers: [localhost:9092]`")]
struct NoBroker;

/// A name that does not fit into Kafka's protocol.
#[derive(Debug, thiserror::Error)]
#[error("`client_id` must be 1 to 249 printable ASCII characters; write for example `client_id: lanner`")]
struct InvalidClientId;

impl Connection<'_> {
    /// Checks the keys `brokers`, `client_id`, `auth` and `tls`, and reports every problem.
    pub fn check(&self, ability: Ability, cx: &mut PlanCx<'_>) -> Option<Settings> {
        let mut sound = true;
        if self.brokers.is_empty() {
            cx.error("brokers", NoBroker);
            sound = false;
        }
        for broker in self.brokers {
            if let Err(invalid) = names::check_broker(broker) {
                cx.error("brokers", invalid);
                sound = false;
            }
        }
        if !(1..=249).contains(&self.client_id.len()) || !self.client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            cx.error("client_id", InvalidClientId);
            sound = false;
        }
        let tls = auth::tls(self.tls, ability, cx);
        let sasl = self.auth.check(tls.as_ref().is_some_and(|tls| !tls.is_empty()), ability, cx);
        let (tls, sasl) = (tls?, sasl?);
        let protocol = match (tls.is_empty(), sasl.is_empty()) {
            (true, true) => "plaintext",
            (true, false) => "sasl_plaintext",
            (false, true) => "ssl",
            (false, false) => "sasl_ssl",
        };
        let own = [
            ("bootstrap.servers", self.brokers.join(",")),
            ("client.id", self.client_id.to_owned()),
            ("security.protocol", protocol.to_owned()),
            // A peer that stopped answering is given up, and a broken connection is made again soon.
            ("socket.keepalive.enable", "true".to_owned()),
            ("socket.timeout.ms", "10000".to_owned()),
            ("reconnect.backoff.max.ms", "5000".to_owned()),
        ];
        let own = own.into_iter().map(|(name, value)| (name, Secret::from(value)));
        sound.then(|| own.chain(tls).chain(sasl).collect())
    }
}
