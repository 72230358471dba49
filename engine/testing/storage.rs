//! `MemoryStorage`: a storage extension of a test. It outlives the components that use it, as a file would.

use crate::component::{BoxError, BuildCx, Change, ComponentId, Storage, StorageProvider, Storages};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// State in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<State>);

#[derive(Default)]
struct State {
    /// By owner, then by key.
    entries: Mutex<BTreeMap<String, BTreeMap<String, Bytes>>>,
    broken: AtomicBool,
}

/// The state of one owner.
struct Owned {
    owner: String,
    state: Arc<State>,
}

impl MemoryStorage {
    /// Surroundings in which this is the storage extension `id`.
    pub fn offer(&self, id: &ComponentId, cx: BuildCx) -> BuildCx {
        let mut storages = Storages::default();
        storages.add(id.clone(), Arc::new(self.clone()));
        cx.with_storages(Arc::new(storages))
    }

    /// Whether reads and writes fail from now on, as on a full or broken disk.
    pub fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Relaxed);
    }

    /// Everything that an owner has put, by key.
    pub fn entries(&self, owner: &str) -> BTreeMap<String, Bytes> {
        self.0.entries.lock().get(owner).cloned().unwrap_or_default()
    }
}

impl StorageProvider for MemoryStorage {
    fn open(&self, owner: &str) -> Arc<dyn Storage> {
        Arc::new(Owned { owner: owner.to_owned(), state: Arc::clone(&self.0) })
    }
}

impl State {
    fn check(&self) -> Result<(), BoxError> {
        if self.broken.load(Relaxed) { Err("the test broke the storage".into()) } else { Ok(()) }
    }
}

#[async_trait]
impl Storage for Owned {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, BoxError> {
        self.state.check()?;
        Ok(self.state.entries.lock().get(&self.owner).and_then(|own| own.get(key).cloned()))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, BoxError> {
        self.state.check()?;
        let entries = self.state.entries.lock();
        let own = entries.get(&self.owner).into_iter().flat_map(|own| own.range(prefix.to_owned()..));
        Ok(own
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn put(&self, changes: Vec<Change>) -> Result<(), BoxError> {
        self.state.check()?;
        let mut entries = self.state.entries.lock();
        let own = entries.entry(self.owner.clone()).or_default();
        for (key, value) in changes {
            match value {
                Some(value) => own.insert(key, value),
                None => own.remove(&key),
            };
        }
        Ok(())
    }
}
