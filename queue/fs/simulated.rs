//! A file system that forgets: for tests.
//!
//! It keeps what the kernel would have in memory (`cached`) apart from what is on the platters (`durable`), and a
//! power cut keeps an arbitrary part of what was not synced, in sectors of 512 bytes and names in any order. Every
//! operation has an index, at which the machine can be stopped or the operation made to fail.

use super::{File, Fs};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, IoSlice},
    sync::Arc,
};

const SECTOR: usize = 512;

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops; a write may have got part of the way.
    Stop,
    /// EIO. After a failed sync, what was not synced is gone from the disk but still read, as on Linux.
    Error,
    /// ENOSPC.
    NoSpace,
    /// EINTR, only for reads and writes.
    Interrupted,
    /// Part of a read or a write.
    Short,
}

/// What remains after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process was killed; the kernel has everything.
    Process,
    /// The power went; what was not synced is there or not, by this seed.
    Power(u64),
}

#[derive(Clone, Debug, Default)]
struct Node {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Ranges written or cut since the last sync.
    unsynced: Vec<(usize, usize)>,
    /// A sync failed: the kernel takes the pages for clean and will never write them.
    poisoned: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Name(String, u64),
    Gone(String),
    Renamed(String, String, u64),
}

type Plan = Box<dyn FnMut(u64, &'static str) -> Option<Fault> + Send>;

struct State {
    nodes: BTreeMap<u64, Node>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    changes: Vec<Change>,
    next_node: u64,
    operations: u64,
    stopped: bool,
    plan: Plan,
    /// Bytes that all files may have together.
    room: u64,
    random: fastrand::Rng,
}

/// See the head of the module. Clones are the same file system.
#[derive(Clone)]
pub struct Simulated(Arc<Mutex<State>>, Arc<Gate>);

/// Where syncs of files wait while it is closed.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Simulated {
    pub fn new() -> Self {
        Self(
            Arc::new(Mutex::new(State {
                nodes: BTreeMap::new(),
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                changes: Vec::new(),
                next_node: 0,
                operations: 0,
                stopped: false,
                plan: Box::new(|_, _| None),
                room: u64::MAX,
                random: fastrand::Rng::with_seed(0),
            })),
            Arc::default(),
        )
    }

    /// Syncs of files take until [`Simulated::let_syncs_go`].
    pub fn hold_syncs(&self) {
        *self.1.closed.lock() = true;
    }

    pub fn let_syncs_go(&self) {
        *self.1.closed.lock() = false;
        self.1.opened.notify_all();
    }

    /// From now on operation `index` (counted from here) of `kind` meets what the plan says.
    pub fn plan(&self, plan: impl FnMut(u64, &'static str) -> Option<Fault> + Send + 'static) {
        let mut state = self.0.lock();
        state.plan = Box::new(plan);
        state.operations = 0;
    }

    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    pub fn stopped(&self) -> bool {
        self.0.lock().stopped
    }

    pub fn limit(&self, room: u64) {
        self.0.lock().room = room;
    }

    /// Bytes of all files that have a name.
    pub fn used(&self) -> u64 {
        let state = self.0.lock();
        state.names.values().filter_map(|node| state.nodes.get(node)).map(|node| node.cached.len() as u64).sum()
    }

    /// Flips bits of one byte, cached and durable.
    pub fn damage(&self, name: &str, at: usize, mask: u8) {
        let mut state = self.0.lock();
        let node = state.names[name];
        let node = state.nodes.get_mut(&node).unwrap();
        for bytes in [&mut node.cached, &mut node.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
    }

    pub fn contents(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.nodes[&state.names[name]].cached.clone()
    }

    /// A file with these bytes, durable.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.lock();
        let id = state.next_node;
        state.next_node += 1;
        state.nodes.insert(
            id,
            Node { cached: bytes.to_vec(), durable: bytes.to_vec(), unsynced: Vec::new(), poisoned: false },
        );
        state.names.insert(name.to_owned(), id);
        state.durable_names.insert(name.to_owned(), id);
    }

    /// What the next start finds.
    pub fn after(&self, stop: Stop) -> Self {
        let state = self.0.lock();
        let (mut nodes, mut names) = (state.nodes.clone(), state.names.clone());
        if let Stop::Power(seed) = stop {
            let mut random = fastrand::Rng::with_seed(seed);
            names = state.durable_names.clone();
            for change in &state.changes {
                if random.bool() {
                    apply(&mut names, change);
                }
            }
            for node in nodes.values_mut() {
                node.cached = node.survivors(&mut random);
            }
        }
        for node in nodes.values_mut() {
            node.durable = node.cached.clone();
            node.unsynced.clear();
            node.poisoned = false;
        }
        let next = Self::new();
        let mut new = next.0.lock();
        new.nodes = nodes;
        new.durable_names = names.clone();
        new.names = names;
        new.next_node = state.next_node;
        new.room = state.room;
        drop(new);
        next
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: &Change) {
    match change {
        Change::Name(name, node) => {
            names.insert(name.clone(), *node);
        }
        Change::Gone(name) => {
            names.remove(name);
        }
        // Atomic: never both names, never none.
        Change::Renamed(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}

impl Node {
    /// The durable bytes with some of the sectors that were written since.
    fn survivors(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (start, end) in &self.unsynced {
            let mut at = *start;
            while at < *end {
                let stop = (at / SECTOR + 1) * SECTOR;
                let stop = stop.min(*end);
                if random.bool() {
                    if bytes.len() < stop {
                        bytes.resize(stop, 0);
                    }
                    for (place, byte) in bytes.iter_mut().enumerate().take(stop).skip(at) {
                        *byte = self.cached.get(place).copied().unwrap_or(0);
                    }
                }
                at = stop;
            }
        }
        if self.cached.len() < bytes.len() && random.bool() {
            bytes.truncate(self.cached.len());
        }
        bytes
    }
}

impl State {
    fn enter(&mut self, kind: &'static str) -> io::Result<Option<Fault>> {
        if self.stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        let index = self.operations;
        self.operations += 1;
        match (self.plan)(index, kind) {
            Some(Fault::Stop) => {
                self.stopped = true;
                if kind == "write" { Ok(Some(Fault::Stop)) } else { Err(io::Error::other("the machine has stopped")) }
            }
            Some(Fault::Error) if kind != "sync" => Err(io::Error::from_raw_os_error(5)),
            Some(Fault::NoSpace) if matches!(kind, "write" | "create" | "allocate") => {
                Err(ErrorKind::StorageFull.into())
            }
            Some(Fault::Interrupted) if matches!(kind, "write" | "read") => Err(ErrorKind::Interrupted.into()),
            other => Ok(other),
        }
    }

    fn total(&self) -> u64 {
        self.names.values().filter_map(|node| self.nodes.get(node)).map(|node| node.cached.len() as u64).sum()
    }
}

struct Handle {
    state: Arc<Mutex<State>>,
    gate: Arc<Gate>,
    node: u64,
}

impl Fs for Simulated {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut state = self.0.lock();
        state.enter("names")?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut state = self.0.lock();
        state.enter("create")?;
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let node = state.next_node;
        state.next_node += 1;
        state.nodes.insert(node, Node::default());
        state.names.insert(name.to_owned(), node);
        state.changes.push(Change::Name(name.to_owned(), node));
        Ok(Arc::new(Handle { state: Arc::clone(&self.0), gate: Arc::clone(&self.1), node }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut state = self.0.lock();
        state.enter("open")?;
        let node = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { state: Arc::clone(&self.0), gate: Arc::clone(&self.1), node }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.enter("rename")?;
        let node = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), node);
        state.changes.push(Change::Renamed(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.enter("remove")?;
        state.names.remove(name).ok_or(ErrorKind::NotFound)?;
        state.changes.push(Change::Gone(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.enter("sync")? == Some(Fault::Error) {
            return Err(io::Error::from_raw_os_error(5));
        }
        state.durable_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }
}

impl File for Handle {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.enter("size")?;
        Ok(state.nodes[&self.node].cached.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.state.lock();
        let fault = state.enter("read")?;
        let bytes = state.nodes[&self.node].cached.get(at as usize..).unwrap_or_default();
        let mut count = bytes.len().min(into.len());
        if fault == Some(Fault::Short) && count > 1 {
            count /= 2;
        }
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut state = self.state.lock();
        let fault = state.enter("write")?;
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        match fault {
            Some(Fault::Short) if bytes.len() > 1 => bytes.truncate(bytes.len() / 2),
            Some(Fault::Stop) => {
                let kept = state.random.usize(..=bytes.len());
                bytes.truncate(kept);
            }
            _ => {}
        }
        let (at, end) = (at as usize, at as usize + bytes.len());
        let grows = end.saturating_sub(state.nodes[&self.node].cached.len()) as u64;
        if state.total() + grows > state.room {
            return Err(ErrorKind::StorageFull.into());
        }
        let node = state.nodes.get_mut(&self.node).unwrap();
        if node.cached.len() < end {
            node.cached.resize(end, 0);
        }
        node.cached[at..end].copy_from_slice(&bytes);
        node.unsynced.push((at, end));
        if fault == Some(Fault::Stop) { Err(io::Error::other("the machine has stopped")) } else { Ok(bytes.len()) }
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.enter("allocate")?;
        let (had, size) = (state.nodes[&self.node].cached.len(), size as usize);
        if state.total() + size.saturating_sub(had) as u64 > state.room {
            return Err(ErrorKind::StorageFull.into());
        }
        let node = state.nodes.get_mut(&self.node).unwrap();
        if had < size {
            node.cached.resize(size, 0);
            node.unsynced.push((had, size));
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.enter("truncate")?;
        state.nodes.get_mut(&self.node).unwrap().cached.truncate(size as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.opened.wait_while(&mut self.gate.closed.lock(), |closed| *closed);
        let mut state = self.state.lock();
        let fault = state.enter("sync")?;
        let seed = state.random.u64(..);
        let node = state.nodes.get_mut(&self.node).unwrap();
        if fault == Some(Fault::Error) {
            // The pages count as clean now, whether they were written or not.
            node.durable = node.survivors(&mut fastrand::Rng::with_seed(seed));
            node.unsynced.clear();
            node.poisoned = true;
            return Err(io::Error::from_raw_os_error(5));
        }
        if !node.poisoned {
            node.durable = node.cached.clone();
        }
        node.unsynced.clear();
        Ok(())
    }
}
