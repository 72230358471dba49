//! The stream that is to be there: looked for before the first message, and made when that is wanted.
//!
//! Promises: a stream that exists is never changed; one that vanished is looked for, and made, again.

use lanner_engine::{config::Duration, prelude::*};
use lanner_nats::{
    Failure, Rpc,
    jetstream::{self, code},
};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

/// The stream that is to be there.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamConfig {
    /// Its name; required.
    pub name: String,
    /// Make it when it is missing. A stream that is there stays as it is.
    pub create: Option<CreateConfig>,
}

/// A stream to be made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CreateConfig {
    /// The subjects it takes, `*` for one word and `>` for the rest.
    pub subjects: Vec<String>,
    /// Most bytes it keeps; the oldest messages go first. 0 is no limit.
    pub max_bytes: u64,
    /// Most messages it keeps. 0 is no limit.
    pub max_msgs: u64,
    /// How long it keeps a message. 0 is no limit.
    pub max_age: Duration,
    /// How long it knows a message again. What is tried again later than that is stored twice.
    pub duplicate_window: Duration,
    /// How many servers of a cluster keep it.
    #[schemars(range(min = 1, max = 5))]
    pub replicas: u8,
    /// Where they keep it.
    pub storage: StreamStorage,
}

/// Where messages are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamStorage {
    #[default]
    File,
    Memory,
}

impl Default for CreateConfig {
    fn default() -> Self {
        Self {
            subjects: vec!["falco.>".to_owned()],
            max_bytes: 0,
            max_msgs: 0,
            max_age: Duration::default(),
            duplicate_window: Duration::from_secs(600),
            replicas: 1,
            storage: StreamStorage::File,
        }
    }
}

/// Why nothing can be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("there is no stream `{0}`; make it with `nats stream add`, or write `stream.create`")]
    Missing(String),
    #[error("the stream `{0}` acknowledges nothing (`no_ack`), so nothing is ever known to be stored; turn that off")]
    NoAck(String),
}

/// Looks for the stream once.
pub struct Watched {
    config: Option<StreamConfig>,
    found: Mutex<bool>,
}

#[derive(Deserialize)]
struct Info {
    config: InfoConfig,
}

#[derive(Deserialize)]
struct InfoConfig {
    #[serde(default)]
    no_ack: bool,
}

impl Watched {
    /// Nothing is looked for without a configuration.
    pub fn new(config: Option<StreamConfig>) -> Self {
        Self { found: Mutex::new(config.is_none()), config }
    }

    /// Looks for the stream, unless it was found before.
    ///
    /// # Errors
    /// It is not there, and not to be made or could not be made.
    pub async fn ready(&self, rpc: &Rpc, limit: std::time::Duration) -> Result<(), NotReady> {
        // Held while asking, so that only one asks.
        let mut found = self.found.lock().await;
        let Some(StreamConfig { name, create }) = self.config.as_ref().filter(|_| !*found) else { return Ok(()) };
        let info = jetstream::ask::<Info>(rpc, &format!("STREAM.INFO.{name}"), &Json::Null, limit).await;
        let info = match (info, create) {
            (Err(missing), Some(create)) if missing.is(code::NO_STREAM) => {
                let made = jetstream::ask(rpc, &format!("STREAM.CREATE.{name}"), &create.body(name), limit).await?;
                tracing::info!(stream = name, subjects = ?create.subjects, "made a stream");
                made
            }
            (Err(missing), None) if missing.is(code::NO_STREAM) => return Err(NotReady::Missing(name.clone())),
            (info, _) => info?,
        };
        if info.config.no_ack {
            return Err(NotReady::NoAck(name.clone()));
        }
        *found = true;
        Ok(())
    }

    /// Looks again next time.
    pub async fn forget(&self) {
        *self.found.lock().await = self.config.is_none();
    }
}

impl CreateConfig {
    /// As JetStream wants it: times in nanoseconds, -1 where there is no limit.
    fn body(&self, name: &str) -> Json {
        let limit = |number: u64| i64::try_from(number).ok().filter(|number| *number > 0).unwrap_or(-1);
        let nanos = |time: Duration| u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX);
        json!({
            "name": name,
            "subjects": self.subjects,
            "retention": "limits",
            "discard": "old",
            "storage": if self.storage == StreamStorage::File { "file" } else { "memory" },
            "max_consumers": -1,
            "max_bytes": limit(self.max_bytes),
            "max_msgs": limit(self.max_msgs),
            "max_age": nanos(self.max_age),
            "duplicate_window": nanos(self.duplicate_window),
            "num_replicas": self.replicas,
        })
    }
}
