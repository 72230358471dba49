//! Where the queues are: a directory, or that of a configuration's storage.

use crate::{check::ConfigArgs, cli::report};
use lanner_engine::{
    component::{ComponentId, Kind, Registry},
    config::Document,
    delivery::entry::QueueName,
    graph::{self, Plan},
};
use lanner_extensions::file_storage::{DIRECTORY, QUEUES_MIB, queue_log};
use lanner_queue::{OpenError, Stopped};
use std::path::{Path, PathBuf};

/// Names the queues.
#[derive(clap::Args)]
pub struct PlaceArgs {
    /// The directory of a `file_storage` extension; that of the configuration when there is none
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where queues are, and which of them a configuration uses.
pub struct Place {
    directory: PathBuf,
    max_size_mib: u64,
    /// `None` without a configuration.
    pub used: Option<Vec<QueueName>>,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    #[error("which queues? write --directory DIR, or --config FILE")]
    NotSaid,
    #[error("the configuration has errors; correct them, or write --directory DIR")]
    Config,
    #[error(
        "no exporter of the configuration has `sending_queue.storage`; write --directory DIR to look somewhere else"
    )]
    NoStorage,
}

impl PlaceArgs {
    /// Finds the place; findings about the configuration are reported.
    pub fn find(&self, registry: &Registry) -> Result<Place, NoPlace> {
        if self.config.files.is_empty() {
            let directory = self.directory.clone().ok_or(NoPlace::NotSaid)?;
            return Ok(Place { directory, max_size_mib: QUEUES_MIB, used: None });
        }
        let checked = self.config.check(registry);
        report(&checked.findings, &checked.sources);
        let Some(document) = checked.document else { return Err(NoPlace::Config) };
        // What it finds was reported with the check.
        let Some(plan) = graph::plan(&document, registry, &mut Vec::new()) else { return Err(NoPlace::Config) };
        let storage = plan.exporters.iter().find_map(|node| node.delivery.sending_queue.storage.as_ref());
        let (mut directory, mut max_size_mib) = (PathBuf::from(DIRECTORY), QUEUES_MIB);
        match (storage, &self.directory) {
            (Some(storage), _) => {
                directory = written(&document, storage, &["directory"]).map_or(directory, PathBuf::from);
                let mib = written(&document, storage, &["queues", "max_size_mib"]);
                max_size_mib = mib.and_then(|mib| mib.parse().ok()).unwrap_or(max_size_mib);
            }
            (None, Some(_)) => {}
            (None, None) => return Err(NoPlace::NoStorage),
        }
        let directory = self.directory.clone().unwrap_or(directory);
        Ok(Place { directory, max_size_mib, used: Some(used(&plan)) })
    }
}

impl Place {
    /// The folder of the state.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the log for looking.
    pub fn look(&self) -> Result<Stopped, OpenError> {
        let (folder, options) = queue_log(&self.directory, self.max_size_mib);
        Stopped::look(&folder, options)
    }

    /// Opens the log for changes. Moving entries needs room beside those that are there, so that a full log can be put
    /// in order, too.
    pub fn open(&self) -> Result<Stopped, OpenError> {
        let (folder, mut options) = queue_log(&self.directory, self.max_size_mib);
        options.max_bytes = options.max_bytes.saturating_mul(2);
        Stopped::open(&folder, options)
    }
}

/// A value of an extension, as it is after references were filled in.
fn written<'d>(document: &'d Document, id: &ComponentId, keys: &[&str]) -> Option<&'d str> {
    let body = &document.component(Kind::Extension, id)?.body;
    keys.iter().try_fold(body, |node, key| node.get(key))?.text()
}

/// The queues on disk that a configuration has.
fn used(plan: &Plan) -> Vec<QueueName> {
    let on_disk = plan.exporters.iter().filter(|node| {
        let queue = &node.delivery.sending_queue;
        queue.storage.is_some() && queue.enabled != Some(false)
    });
    on_disk.flat_map(|node| node.signals.iter().map(|signal| QueueName::of(&node.id, signal))).collect()
}
