//! `file_storage` keeps on disk the small state of components (where a file was read to, which window is open) and the
//! sending queues of exporters.
//!
//! Promises
//! - What `put` has returned for survives the end of the process and of the machine; a `put` is there as a whole or
//!   not at all.
//! - One process a directory: a second one is refused at start.
//! - A damaged file never stops the process for good: it is moved aside, kept, and reported.
//! - Nobody but the user of the process can read the directory that it creates.
//!
//! A redb file holds one table; its keys are the owner, a zero byte, and the owner's key. Every `put` is one
//! transaction with one `fsync`, and they are made one after the other; components put once for all who wait. The queues
//! are a log of their own (`lanner-queue`) in the folder `queue` beside it.

mod config;
mod queues;
mod store;
#[cfg(test)]
mod tests;

pub use config::{DIRECTORY, QUEUES_MIB};
pub use queues::queue_log;

use config::{Config, Plan};
use lanner_engine::{component::StorageProvider, prelude::*};
use queues::Queues;
use std::sync::Arc;
use store::Store;

/// The component type.
pub struct FileStorage;

impl Component for FileStorage {
    const TYPE: &'static str = "file_storage";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::NONE;
    const STORAGE: bool = true;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// What is kept.
struct Kept {
    store: Store,
    queues: Queues,
}

#[async_trait]
impl StorageProvider for Kept {
    fn open(&self, owner: &str) -> Arc<dyn Storage> {
        self.store.of(owner)
    }

    async fn queues(&self) -> Result<lanner_queue::Log, BoxError> {
        self.queues.log().await
    }
}

/// An open folder.
struct Opened(Arc<Kept>);

#[async_trait]
impl Extension for Opened {
    fn storage(&self) -> Option<Arc<dyn StorageProvider>> {
        Some(Arc::clone(&self.0) as Arc<dyn StorageProvider>)
    }

    async fn run(self: Box<Self>, drain: Drain) -> Result<(), BoxError> {
        self.0.queues.run(&drain).await;
        Ok(())
    }
}
