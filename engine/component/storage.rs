//! `Storage`: small state of components that survives a restart: checkpoints, windows, open incidents.
//!
//! Promises: what `put` has returned for is there after a crash of the process or the machine; a `put` is there as a
//! whole or not at all; components never see each other's keys.
//!
//! An extension offers it ([`Extension::storage`](super::Extension::storage)); a component names that extension in its
//! configuration (`storage: file_storage`), claims it in its plan phase ([`PlanCx::storage`](crate::config::PlanCx::storage))
//! and opens it in its build phase ([`BuildCx::storage`](super::BuildCx::storage)).

use super::{BoxError, ComponentId};
use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::BTreeMap, sync::Arc};

/// One change of a [`Storage`]: a key and its new value, or `None` to remove it.
pub type Change = (String, Option<Bytes>);

/// The state of one component. Keys are at most 1 KiB and values at most 16 MiB.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BoxError>;

    /// All keys that start with `prefix`, in order, with their values.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, BoxError>;

    /// Makes all changes or none; returns once they are on disk. Later changes of a key win, also over those of a call
    /// that was dropped.
    ///
    /// # Errors
    /// The store cannot be written; nothing was changed.
    ///
    /// Dropped before it returns, the changes are made or not made, as a whole.
    async fn put(&self, changes: Vec<Change>) -> Result<(), BoxError>;
}

/// What keeps the state of many components.
pub trait StorageProvider: Send + Sync + 'static {
    /// The state of `owner`, for example `receiver/file_log/audit`. Two storages of one owner are the same one.
    fn open(&self, owner: &str) -> Arc<dyn Storage>;
}

/// The storage extensions of a graph.
#[derive(Clone, Default)]
pub struct Storages(BTreeMap<ComponentId, Arc<dyn StorageProvider>>);

impl Storages {
    /// Adds the storage of an extension.
    pub fn add(&mut self, id: ComponentId, provider: Arc<dyn StorageProvider>) {
        self.0.insert(id, provider);
    }

    /// The storage of an extension.
    pub fn get(&self, id: &ComponentId) -> Option<&Arc<dyn StorageProvider>> {
        self.0.get(id)
    }
}
