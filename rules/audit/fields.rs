//! The table: every field, and where it is.

use crate::{
    generic,
    schema::{
        ArgumentSpec::{self, Key, None as Plain, OptionalIndex},
        Catalog, Kind, Row,
    },
};

/// Where a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One value.
    Value(&'static [&'static str]),
    /// The members of an array.
    Members(&'static [&'static str]),
    /// In each member of an array, one value; members without it are skipped.
    Each(&'static [&'static str], &'static [&'static str]),
    /// In each member of an array, the members of an array.
    Flat(&'static [&'static str], &'static str),
    /// An array as one text.
    Whole(&'static [&'static str]),
    /// Of a container.
    Container(&'static str, OfContainer),
    /// Of the first container.
    FirstContainer(OfContainer),
    /// Whether any container is privileged.
    AnyPrivileged,
    /// The names of a binding's subjects of one kind.
    Subjects(&'static str),
    /// Those of service accounts, with their namespaces.
    AccountsWithNamespace,
    /// Whether a subject has the name.
    HasSubject,
    /// A parameter of the URI.
    UriParameter,
    /// The name of a pod that is the target.
    TargetPod,
    /// The kinds of a pod's volumes.
    VolumeTypes,
    /// Whether a host path is the argument.
    HasHostPath,
    /// Where a request came from.
    SourceIps,
    /// A JSON pointer.
    Pointer,
    /// The whole event, indented.
    Indented,
    /// When it was, in nanoseconds.
    RawTime,
}

/// What is asked of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfContainer {
    /// A value that every container must have.
    Required(&'static str),
    /// The image without tag and digest.
    Repository,
    /// An array, joined by blanks.
    Words(&'static str),
    /// A value of the security context, or of something in it.
    Security(&'static [&'static str]),
    /// The same, or that of the pod, or 0.
    Effective(&'static str),
    /// Its ports.
    HostPorts,
}

/// `name`, whether it has many values, its argument, where it is.
type Entry = (&'static str, bool, ArgumentSpec, Place);

const ONE: bool = false;
const MANY: bool = true;

use Place::{Each, Flat, Members, Value, Whole};

const SPEC: [&str; 2] = ["requestObject", "spec"];

#[rustfmt::skip]
const TABLE: &[Entry] = &[
    ("ka.auditid", ONE, Plain, Value(&["auditID"])),
    ("ka.stage", ONE, Plain, Value(&["stage"])),
    ("ka.verb", ONE, Plain, Value(&["verb"])),
    ("ka.uri", ONE, Plain, Value(&["requestURI"])),
    ("ka.uri.param", ONE, Key, Place::UriParameter),
    ("ka.useragent", ONE, Plain, Value(&["userAgent"])),
    ("ka.auth.decision", ONE, Plain, Value(&["annotations", "authorization.k8s.io/decision"])),
    ("ka.auth.reason", ONE, Plain, Value(&["annotations", "authorization.k8s.io/reason"])),
    ("ka.auth.openshift.decision", ONE, Plain, Value(&["annotations", "authentication.openshift.io/decision"])),
    ("ka.auth.openshift.username", ONE, Plain, Value(&["annotations", "authentication.openshift.io/username"])),
    ("ka.validations.admission.policy.failure", ONE, Plain,
        Value(&["annotations", "validation.policy.admission.k8s.io/validation_failure"])),
    ("ka.security.pod.violations", ONE, Plain, Value(&["annotations", "pod-security.kubernetes.io/audit-violations"])),
    ("ka.cluster.name", ONE, Plain, Value(&["annotations", "cluster_name"])),
    ("ka.user.name", ONE, Plain, Value(&["user", "username"])),
    ("ka.user.groups", MANY, Plain, Members(&["user", "groups"])),
    ("ka.impuser.name", ONE, Plain, Value(&["impersonatedUser", "username"])),
    ("ka.sourceips", MANY, OptionalIndex, Place::SourceIps),
    ("ka.target.name", ONE, Plain, Value(&["objectRef", "name"])),
    ("ka.target.namespace", ONE, Plain, Value(&["objectRef", "namespace"])),
    ("ka.target.resource", ONE, Plain, Value(&["objectRef", "resource"])),
    ("ka.target.subresource", ONE, Plain, Value(&["objectRef", "subresource"])),
    ("ka.target.pod.name", ONE, Plain, Place::TargetPod),
    ("ka.req.binding.subjects", MANY, Plain, Members(&["requestObject", "subjects"])),
    ("ka.req.binding.subjects.user_names", MANY, Plain, Place::Subjects("User")),
    ("ka.req.binding.subjects.group_names", MANY, Plain, Place::Subjects("Group")),
    ("ka.req.binding.subjects.serviceaccount_names", MANY, Plain, Place::Subjects("ServiceAccount")),
    ("ka.req.binding.subjects.serviceaccount_ns_names", MANY, Plain, Place::AccountsWithNamespace),
    ("ka.req.binding.subject.has_name", ONE, Key, Place::HasSubject),
    ("ka.req.binding.role", ONE, Plain, Value(&["requestObject", "roleRef", "name"])),
    ("ka.req.configmap.name", ONE, Plain, Value(&["objectRef", "name"])),
    ("ka.req.configmap.obj", ONE, Plain, Value(&["requestObject", "data"])),
    ("ka.req.container.image", ONE, Plain, Place::FirstContainer(OfContainer::Required("image"))),
    ("ka.req.container.image.repository", ONE, Plain, Place::FirstContainer(OfContainer::Repository)),
    ("ka.req.container.privileged", ONE, Plain, Place::AnyPrivileged),
    ("ka.req.container.host_network", ONE, Plain, Value(&["requestObject", "spec", "hostNetwork"])),
    ("ka.req.pod.host_network", ONE, Plain, Value(&["requestObject", "spec", "hostNetwork"])),
    ("ka.req.pod.host_ipc", ONE, Plain, Value(&["requestObject", "spec", "hostIPC"])),
    ("ka.req.pod.host_pid", ONE, Plain, Value(&["requestObject", "spec", "hostPID"])),
    ("ka.req.pod.run_as_user", ONE, Plain, Value(&["requestObject", "spec", "securityContext", "runAsUser"])),
    ("ka.req.pod.run_as_group", ONE, Plain, Value(&["requestObject", "spec", "securityContext", "runAsGroup"])),
    ("ka.req.pod.fs_group", ONE, Plain, Value(&["requestObject", "spec", "securityContext", "fsGroup"])),
    ("ka.req.pod.supplemental_groups", MANY, Plain,
        Members(&["requestObject", "spec", "securityContext", "supplementalGroups"])),
    ("ka.req.pod.volumes.hostpath", MANY, OptionalIndex,
        Each(&["requestObject", "spec", "volumes"], &["hostPath", "path"])),
    ("ka.req.pod.volumes.flexvolume_driver", MANY, OptionalIndex,
        Each(&["requestObject", "spec", "volumes"], &["flexVolume", "driver"])),
    ("ka.req.pod.volumes.volume_type", MANY, OptionalIndex, Place::VolumeTypes),
    ("ka.req.volume.hostpath", ONE, Key, Place::HasHostPath),
    ("ka.req.role.rules", MANY, Plain, Members(&["requestObject", "rules"])),
    ("ka.req.role.rules.apiGroups", MANY, OptionalIndex, Flat(&["requestObject", "rules"], "apiGroups")),
    ("ka.req.role.rules.nonResourceURLs", MANY, OptionalIndex, Flat(&["requestObject", "rules"], "nonResourceURLs")),
    ("ka.req.role.rules.verbs", MANY, OptionalIndex, Flat(&["requestObject", "rules"], "verbs")),
    ("ka.req.role.rules.resources", MANY, OptionalIndex, Flat(&["requestObject", "rules"], "resources")),
    ("ka.req.service.type", ONE, Plain, Value(&["requestObject", "spec", "type"])),
    ("ka.req.service.ports", MANY, OptionalIndex, Whole(&["requestObject", "spec", "ports"])),
    ("ka.resp.name", ONE, Plain, Value(&["responseObject", "metadata", "name"])),
    ("ka.response.code", ONE, Plain, Value(&["responseStatus", "code"])),
    ("ka.response.reason", ONE, Plain, Value(&["responseStatus", "reason"])),
    ("jevt.value", ONE, Key, Place::Pointer),
    ("jevt.obj", ONE, Plain, Place::Indented),
    ("jevt.rawtime", ONE, Plain, Place::RawTime),
    ("json.value", ONE, Key, Place::Pointer),
    ("json.obj", ONE, Plain, Place::Indented),
    ("json.rawtime", ONE, Plain, Place::RawTime),
];

/// The fields that each list of containers has: the end of the name, and what it is.
const CONTAINER: &[(&str, OfContainer)] = &[
    ("name", OfContainer::Required("name")),
    ("image", OfContainer::Required("image")),
    ("image.repository", OfContainer::Repository),
    ("command", OfContainer::Words("command")),
    ("args", OfContainer::Words("args")),
    ("privileged", OfContainer::Security(&["privileged"])),
    ("allow_privilege_escalation", OfContainer::Security(&["allowPrivilegeEscalation"])),
    ("read_only_fs", OfContainer::Security(&["readOnlyRootFilesystem"])),
    ("run_as_user", OfContainer::Security(&["runAsUser"])),
    ("run_as_group", OfContainer::Security(&["runAsGroup"])),
    ("proc_mount", OfContainer::Security(&["procMount"])),
    ("add_capabilities", OfContainer::Security(&["capabilities", "add"])),
    ("eff_run_as_user", OfContainer::Effective("runAsUser")),
    ("eff_run_as_group", OfContainer::Effective("runAsGroup")),
    ("host_port", OfContainer::HostPorts),
];

macro_rules! containers {
    ($list:literal: $($name:literal),+ $(,)?) => { ($list, &[$(concat!("ka.req.pod.", $list, ".", $name)),+]) };
}

/// The names of those fields, in the order of [`CONTAINER`]. Ephemeral containers have no ports.
const CONTAINER_NAMES: [(&str, &[&str]); 3] = [
    containers!("containers": "name", "image", "image.repository", "command", "args", "privileged",
        "allow_privilege_escalation", "read_only_fs", "run_as_user", "run_as_group", "proc_mount", "add_capabilities",
        "eff_run_as_user", "eff_run_as_group", "host_port"),
    containers!("initContainers": "name", "image", "image.repository", "command", "args", "privileged",
        "allow_privilege_escalation", "read_only_fs", "run_as_user", "run_as_group", "proc_mount", "add_capabilities",
        "eff_run_as_user", "eff_run_as_group", "host_port"),
    containers!("ephemeralContainers": "name", "image", "image.repository", "command", "args", "privileged",
        "allow_privilege_escalation", "read_only_fs", "run_as_user", "run_as_group", "proc_mount", "add_capabilities",
        "eff_run_as_user", "eff_run_as_group"),
];

fn entries() -> impl Iterator<Item = Entry> {
    let containers = CONTAINER_NAMES.iter().flat_map(|(list, names)| {
        names.iter().zip(CONTAINER).map(|(name, (_, what))| (*name, MANY, OptionalIndex, Place::Container(list, *what)))
    });
    TABLE.iter().copied().chain(containers)
}

/// The schema of the source `k8s_audit`. The fields of every event come first ([`generic::ROWS`]).
pub fn schema() -> Catalog {
    let own = entries().map(|(name, is_list, argument, _)| {
        let row = Row::new(name, Kind::Text).with(argument);
        if is_list { row.list() } else { row }
    });
    Catalog::new(generic::ROWS.iter().copied().chain(own))
}

/// Where the field of a number of the schema is; `None` for those that every event has.
pub(super) fn place(key: u32) -> Option<(&'static str, Place)> {
    let index = (key as usize).checked_sub(generic::ROWS.len())?;
    entries().nth(index).map(|(name, _, _, place)| (name, place))
}

/// The path of a list in a pod's specification.
pub(super) fn in_spec(list: &'static str) -> [&'static str; 3] {
    [SPEC[0], SPEC[1], list]
}
