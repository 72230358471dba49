//! Ways into a pod, as Kubernetes audit events tell of them.
//!
//! An entrance is an exec, an attach, an ephemeral container, or the creation of a pod with a privileged container; unless
//! the API server refused it. `kubectl exec` over WebSocket is a `get`, and ephemeral containers come as a patch, so the
//! verbs are wider than `create`. Whether a pod is privileged stands in the request object, which the record carries only
//! inside the process that received the event and only if the audit policy says `Request` or more.

use super::entity::text;
use lanner_engine::{
    prelude::*,
    semantics::{is_audit, keys},
};
use std::sync::LazyLock;

/// Largest request object that is looked into, in bytes.
const LARGEST: usize = 4 << 20;

macro_rules! names {
    ($($name:ident = $text:literal;)*) => {
        $(static $name: LazyLock<Key> = LazyLock::new(|| Key::intern($text));)*
    };
}

names! {
    VERB = "k8s.audit.event.request.verb";
    RESOURCE = "k8s.audit.event.object_ref.resource";
    SUBRESOURCE = "k8s.audit.event.object_ref.subresource";
    AUDIT_ID = "k8s.audit.event.id";
    URI = "k8s.audit.event.request.uri";
    CODE = "k8s.audit.event.response.code";
    USER = "user.name";
    CLIENT = "client.address";
}

/// A way into a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrance {
    /// `pods/exec` and the like.
    pub name: &'static str,
    /// Equal for the stages of one request, and only for those: the audit id alone is the client's to choose.
    pub request: String,
    pub user: Option<String>,
    pub client: Option<String>,
    /// Pod names that the record itself does not have: of a pod whose name the server made up.
    pub made: Option<Made>,
}

/// What the server answered to the creation of a pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Made {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub uid: Option<String>,
}

/// The parts of an audit event that decide about a created pod.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Objects {
    request_object: Option<Pod>,
    response_object: Option<Pod>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Made,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    security_context: Option<SecurityContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecurityContext {
    privileged: Option<bool>,
}

impl Entrance {
    /// The entrance that an audit event tells of.
    pub fn of(resource: &Resource, record: &LogRecord) -> Option<Self> {
        let get = |key: &Key| text(resource, record, key);
        if get(&RESOURCE)? != "pods" || !is_audit(record) {
            return None;
        }
        if record.attrs.get(&CODE).and_then(Value::as_int).is_some_and(|code| code >= 400) {
            return None;
        }
        let mut made = None;
        let name = match (get(&SUBRESOURCE).unwrap_or_default(), get(&VERB)?) {
            ("exec", "create" | "get") => "pods/exec",
            ("attach", "create" | "get") => "pods/attach",
            ("ephemeralcontainers", "create" | "update" | "patch") => "pods/ephemeralcontainers",
            ("", "create") => {
                made = Some(privileged(record)?);
                "pods"
            }
            _ => return None,
        };
        let owned = |key: &Key| get(key).map(str::to_owned);
        let user = owned(&USER);
        let request =
            [get(&AUDIT_ID), user.as_deref(), get(&CLIENT), get(&URI)].map(Option::unwrap_or_default).join("\0");
        let mut digest = lanner_engine::semantics::uid::Digest::new("request");
        digest.part(request.as_bytes());
        Some(Self { name, request: digest.finish().to_string(), user, client: owned(&CLIENT), made })
    }
}

/// The names of the created pod, if a container of it is privileged.
fn privileged(record: &LogRecord) -> Option<Made> {
    let raw = record.raw.text().filter(|raw| raw.len() <= LARGEST)?;
    if !raw.contains("privileged") {
        return None;
    }
    let Objects { request_object, response_object } = serde_json::from_str(raw).ok()?;
    let asked = request_object?;
    let containers = asked.spec.containers.iter().chain(&asked.spec.init_containers);
    let is_privileged = |container: &Container| {
        container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true))
    };
    if !containers.into_iter().any(is_privileged) {
        return None;
    }
    let answered = response_object.unwrap_or_default().metadata;
    Some(Made {
        name: answered.name.or(asked.metadata.name),
        namespace: answered.namespace.or(asked.metadata.namespace),
        uid: answered.uid,
    })
}

/// Keys of a record's place that the server made up for a new pod.
pub fn complete(record: &LogRecord, made: &Made) -> LogRecord {
    let mut place = LogRecord { attrs: Attributes::default(), ..LogRecord::default() };
    for (key, made) in
        [(&keys::NAMESPACE_NAME, &made.namespace), (&keys::POD_NAME, &made.name), (&keys::POD_UID, &made.uid)]
    {
        let known = record.attrs.get_str(key).filter(|text| !text.is_empty());
        if let Some(text) = known.or(made.as_deref()) {
            place.attrs.push((**key).clone(), Value::text(text));
        }
    }
    if let Some(cluster) = record.attrs.get(&keys::CLUSTER_NAME) {
        place.attrs.push(keys::CLUSTER_NAME.clone(), cluster.clone());
    }
    place
}
