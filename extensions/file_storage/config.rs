//! What a user writes, and what is checked of it.

use super::{Kept, Opened, queues::Queues, store::Store};
use lanner_engine::prelude::*;
use std::{path::PathBuf, sync::Arc};

/// Where the state is when the configuration does not say.
pub const DIRECTORY: &str = "/var/lib/lanner";
/// What the log of queues may take when the configuration does not say, in MiB.
pub const QUEUES_MIB: u64 = 1024;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the state. One process at a time can use it.
    pub directory: PathBuf,
    /// Create the folder, readable for this user only, when it is not there.
    pub create_directory: bool,
    /// The log that holds the sending queues of exporters that name this extension. It is opened only when one does.
    pub queues: QueuesConfig,
}

/// The log of sending queues.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueuesConfig {
    /// Files of the log may take this much together, in MiB.
    #[schemars(range(min = 8, max = 16_777_216))]
    pub max_size_mib: u64,
}

impl Default for QueuesConfig {
    fn default() -> Self {
        Self { max_size_mib: QUEUES_MIB }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { directory: DIRECTORY.into(), create_directory: true, queues: QueuesConfig::default() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`directory` is empty; write for example `directory: /var/lib/lanner`")]
struct NoDirectory;

#[derive(Debug, thiserror::Error)]
#[error("`{0}` depends on where the process is started; write a path that starts with a slash")]
struct Relative(String);

/// A checked config.
pub struct Plan {
    pub(super) config: Config,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if self.directory.as_os_str().is_empty() {
            cx.error("directory", NoDirectory);
            return None;
        }
        if self.directory.is_relative() {
            cx.warning("directory", Relative(self.directory.display().to_string()));
        }
        Some(Plan { config: self })
    }
}

#[async_trait]
impl ExtensionPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Extension>, BoxError> {
        let Config { directory, create_directory, queues } = self.config;
        let queues = Queues::new(&directory, &queues, cx);
        let store = tokio::task::spawn_blocking(move || Store::open(&directory, create_directory)).await??;
        let help = "Damaged files that were moved aside; components started without their state.";
        let labels = [("extension", cx.id.as_str())];
        let damaged = cx.telemetry.counter("lanner_file_storage_damaged_files", help, "{file}", &labels);
        damaged.add(u64::from(store.moved_aside));
        Ok(Box::new(Opened(Arc::new(Kept { store, queues }))))
    }
}
