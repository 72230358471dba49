//! What an event happened to: a pod, a container or a host, under every name by which another event may mean the same.
//!
//! The names of one event, most exact first: the pod's uid, the pod's namespace and name (audit events have no uid), the
//! container's id. The host counts only when there is no other. All of them are within one cluster.

use lanner_engine::{event::cut, prelude::*, semantics::keys};

/// Longest part of a name, in bytes.
const PART: usize = 256;
/// Falco shortens container ids to this; the long and the short form are the same container.
const CONTAINER_ID: usize = 12;

/// By what an alert was found to belong to an incident; in `lanner.incident.correlation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    PodUid,
    PodName,
    Container,
    Process,
    Host,
}

impl By {
    /// The constant word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PodUid => "k8s.pod.uid",
            Self::PodName => "k8s.pod.name",
            Self::Container => "container.id",
            Self::Process => "process.pid",
            Self::Host => "host.name",
        }
    }
}

/// The names of an event's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entity {
    pub pod_uid: Option<String>,
    pub pod_name: Option<String>,
    pub container: Option<String>,
    /// Always known, perhaps as the empty text.
    pub host: String,
}

/// The text of an attribute: of the record, which knows the event, else of the resource.
pub fn text<'e>(resource: &'e Resource, record: &'e LogRecord, key: &Key) -> Option<&'e str> {
    let found = record.attrs.get_str(key).or_else(|| resource.attrs.get_str(key));
    found.filter(|text| !text.is_empty())
}

impl Entity {
    /// The place of an event.
    pub fn of(resource: &Resource, record: &LogRecord) -> Self {
        let get = |key: &Key| text(resource, record, key).map(|text| cut(text, PART));
        let cluster = get(&keys::CLUSTER_NAME).unwrap_or_default();
        // A zero byte stands between the parts; in a part it is data, and then at worst two odd names are one.
        let name = |kind: &str, parts: &[&str]| [&[kind, cluster], parts].concat().join("\0");
        let pod = get(&keys::NAMESPACE_NAME).zip(get(&keys::POD_NAME));
        Self {
            pod_uid: get(&keys::POD_UID).map(|uid| name("uid", &[uid])),
            pod_name: pod.map(|(namespace, pod)| name("pod", &[namespace, pod])),
            container: get(&keys::CONTAINER_ID).map(|id| name("container", &[cut(id, CONTAINER_ID)])),
            host: name("host", &[get(&keys::HOST_NAME).unwrap_or_default()]),
        }
    }

    /// Whether there is nothing but the host.
    pub fn is_host(&self) -> bool {
        self.pod_uid.is_none() && self.pod_name.is_none() && self.container.is_none()
    }

    /// Its names, most exact first, and what each is.
    pub fn names(&self) -> impl Iterator<Item = (By, &str)> {
        let host = self.is_host().then_some(&self.host);
        [(By::PodUid, &self.pod_uid), (By::PodName, &self.pod_name), (By::Container, &self.container)]
            .into_iter()
            .filter_map(|(by, name)| Some((by, name.as_deref()?)))
            .chain(host.map(|name| (By::Host, name.as_str())))
    }
}
