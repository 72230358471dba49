//! The mapping of Falco's output fields, as data: the code, `docs/mapping.md` and the tests are made from it.
//!
//! A row is a field; its targets are the attributes it fills. A field that fits none of its targets, and every
//! field without a row, becomes `falco.output_fields.<field>`.

use As::*;
use Place::{Record, Resource};
use St::{Dev, Own, Rc, Stable};

/// Where an attribute goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Record,
    Resource,
}

/// How stable OpenTelemetry calls a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum St {
    Stable,
    /// Release candidate.
    Rc,
    /// Development.
    Dev,
    /// Our own or borrowed.
    Own,
}

/// How a value is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Type as it came.
    Same,
    /// An integer; a text of one is read.
    Int,
    /// An integer; -1 and 4294967295 mean "nobody" and are left out.
    LoginId,
    /// Text; a number or a flag becomes its text.
    Text,
    /// Text, unless the other field says something.
    TextUnless(FieldId),
    /// Text, when the event has Kubernetes fields.
    TextInPod,
    /// A list with this one text.
    One,
    /// A list of texts; a single text is a list of one.
    List,
    /// Whether an integer is not 0.
    NotZero,
    /// RFC 3339 text of nanoseconds since 1970.
    Time,
    /// `ipv4` or `ipv6`; other types of descriptors do not fit.
    IpVersion,
    /// Text, when it is an absolute path and, for `fd.name`, the descriptor is a file or directory; the first of
    /// `fd.name`, `evt.arg.path`, `evt.arg.name`, `evt.arg.newpath` wins.
    FilePath,
    /// `key: value` pairs with commas between; each becomes the name plus its key.
    Labels,
    /// Feeds the timestamp; no attribute.
    Timestamp,
    /// Used by a derived attribute only.
    Derived,
}

/// An attribute that a field fills.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    pub place: Place,
    pub kind: As,
    pub stability: St,
}

/// A field of Falco and what it fills.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub field: &'static str,
    pub to: &'static [Target],
}

const fn rec(name: &'static str, kind: As, stability: St) -> Target {
    Target { name, place: Record, kind, stability }
}

const fn res(name: &'static str, kind: As, stability: St) -> Target {
    Target { name, place: Resource, kind, stability }
}

macro_rules! rows {
    ($($id:ident $field:literal => [$($target:expr),*];)*) => {
        /// A field that has a row, by its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum FieldId { $($id),* }

        /// Every row, in the order of [`FieldId`].
        pub static ROWS: &[Row] = &ROW_ARRAY;
        /// How many rows there are.
        pub const ROW_COUNT: usize = [$(FieldId::$id),*].len();
        /// Every number.
        pub const FIELD_IDS: [FieldId; ROW_COUNT] = [$(FieldId::$id),*];
        const ROW_ARRAY: [Row; ROW_COUNT] = [$(Row { field: $field, to: &[$($target),*] }),*];
    };
}

rows! {
    ProcPid "proc.pid" => [rec("process.pid", Int, Rc)];
    ProcPpid "proc.ppid" => [rec("process.parent_pid", Int, Rc)];
    ProcVpid "proc.vpid" => [rec("process.vpid", Int, Rc)];
    ProcSid "proc.sid" => [rec("process.session_leader.pid", Int, Rc)];
    ProcPgid "proc.pgid" => [rec("process.group_leader.pid", Int, Rc)];
    ProcExepath "proc.exepath" => [rec("process.executable.path", Text, Rc)];
    ProcName "proc.name" => [
        rec("falco.proc.name", Text, Own),
        rec("process.executable.name", TextUnless(FieldId::ProcExepath), Rc)];
    ProcExe "proc.exe" => [rec("process.command", Text, Rc)];
    ProcCwd "proc.cwd" => [rec("process.working_directory", Text, Rc)];
    ProcCmdline "proc.cmdline" => [rec("process.command_line", Text, Rc)];
    ProcTty "proc.tty" => [rec("process.interactive", NotZero, Rc), rec("falco.proc.tty", Int, Own)];
    ProcPidTs "proc.pid.ts" => [rec("process.creation.time", Time, Rc)];
    UserUid "user.uid" => [rec("process.user.id", Int, Rc), rec("user.id", Text, Dev)];
    UserName "user.name" => [rec("process.user.name", Text, Rc), rec("user.name", Text, Dev)];
    UserLoginuid "user.loginuid" => [rec("falco.user.login_id", LoginId, Own)];
    UserLoginname "user.loginname" => [rec("falco.user.login_name", Text, Own)];
    ProcPname "proc.pname" => [rec("falco.process.parent.name", Text, Own)];
    ProcPcmdline "proc.pcmdline" => [rec("falco.process.parent.command_line", Text, Own)];
    ProcPexepath "proc.pexepath" => [rec("falco.process.parent.executable.path", Text, Own)];
    ProcAname "proc.aname" => [rec("falco.process.ancestors", List, Own)];
    FdName "fd.name" => [rec("file.path", FilePath, Dev)];
    EvtArgPath "evt.arg.path" => [rec("falco.evt.arg.path", Same, Own), rec("file.path", FilePath, Dev)];
    EvtArgName "evt.arg.name" => [rec("falco.evt.arg.name", Same, Own), rec("file.path", FilePath, Dev)];
    EvtArgNewpath "evt.arg.newpath" => [rec("falco.evt.arg.newpath", Same, Own), rec("file.path", FilePath, Dev)];
    FdCip "fd.cip" => [rec("client.address", Text, Stable)];
    FdCport "fd.cport" => [rec("client.port", Int, Stable)];
    FdSip "fd.sip" => [rec("server.address", Text, Stable)];
    FdSport "fd.sport" => [rec("server.port", Int, Stable)];
    FdLip "fd.lip" => [rec("network.local.address", Text, Stable)];
    FdLport "fd.lport" => [rec("network.local.port", Int, Stable)];
    FdRip "fd.rip" => [rec("network.peer.address", Text, Stable)];
    FdRport "fd.rport" => [rec("network.peer.port", Int, Stable)];
    FdL4proto "fd.l4proto" => [rec("network.transport", Text, Stable)];
    FdType "fd.type" => [rec("network.type", IpVersion, Stable)];
    EvtType "evt.type" => [rec("falco.evt.type", Text, Own)];
    EvtRes "evt.res" => [rec("falco.evt.res", Same, Own)];
    EvtCategory "evt.category" => [rec("falco.evt.category", Text, Own)];
    EvtArgs "evt.args" => [rec("falco.evt.args", Same, Own)];
    EvtTime "evt.time" => [rec("", Timestamp, Own)];
    EvtTimeIso "evt.time.iso8601" => [rec("", Timestamp, Own)];
    EvtRawtime "evt.rawtime" => [rec("", Timestamp, Own)];

    KaAuditid "ka.auditid" => [rec("k8s.audit.event.id", Text, Own)];
    KaStage "ka.stage" => [rec("k8s.audit.event.stage", Text, Own)];
    KaUri "ka.uri" => [rec("k8s.audit.event.request.uri", Text, Own)];
    KaVerb "ka.verb" => [rec("k8s.audit.event.request.verb", Text, Own)];
    KaUseragent "ka.useragent" => [
        rec("k8s.audit.event.user_agent", Text, Own), rec("user_agent.original", Text, Stable)];
    KaUserName "ka.user.name" => [rec("k8s.user.username", Text, Own), rec("user.name", TextUnless(FieldId::UserName), Dev)];
    KaUserGroups "ka.user.groups" => [rec("k8s.user.groups", List, Own)];
    KaImpuserName "ka.impuser.name" => [rec("k8s.audit.event.impersonated_user.username", Text, Own)];
    KaSourceips "ka.sourceips" => [rec("k8s.audit.event.source_ips", List, Own)];
    KaTargetResource "ka.target.resource" => [rec("k8s.audit.event.object_ref.resource", Text, Own)];
    KaTargetName "ka.target.name" => [rec("k8s.audit.event.object_ref.name", Text, Own)];
    KaTargetNamespace "ka.target.namespace" => [
        rec("k8s.audit.event.object_ref.namespace", Text, Own), rec("k8s.namespace.name", Text, Rc)];
    KaTargetSubresource "ka.target.subresource" => [rec("k8s.audit.event.object_ref.subresource", Text, Own)];
    KaResponseCode "ka.response.code" => [
        rec("k8s.audit.event.response.code", Int, Own), rec("http.response.status_code", Int, Stable)];
    KaResponseReason "ka.response.reason" => [rec("", Derived, Own)];
    KaAuthDecision "ka.auth.decision" => [
        rec("k8s.audit.event.annotation.authorization.k8s.io/decision", Text, Own)];
    KaAuthReason "ka.auth.reason" => [rec("k8s.audit.event.annotation.authorization.k8s.io/reason", Text, Own)];

    K8sNsName "k8s.ns.name" => [res("k8s.namespace.name", Text, Rc)];
    K8sPodName "k8s.pod.name" => [res("k8s.pod.name", Text, Rc)];
    K8sPodUid "k8s.pod.uid" => [res("k8s.pod.uid", Text, Rc)];
    K8sPodId "k8s.pod.id" => [res("k8s.pod.uid", TextUnless(FieldId::K8sPodUid), Rc)];
    K8sPodLabels "k8s.pod.labels" => [res("k8s.pod.label.", Labels, Dev)];
    K8sDeploymentName "k8s.deployment.name" => [res("k8s.deployment.name", Text, Rc)];
    K8sRsName "k8s.rs.name" => [res("k8s.replicaset.name", Text, Rc)];
    K8sRcName "k8s.rc.name" => [res("k8s.replicationcontroller.name", Text, Dev)];
    K8sDaemonsetName "k8s.daemonset.name" => [res("k8s.daemonset.name", Text, Rc)];
    K8sStatefulsetName "k8s.statefulset.name" => [res("k8s.statefulset.name", Text, Rc)];
    K8sJobName "k8s.job.name" => [res("k8s.job.name", Text, Rc)];
    K8sCronjobName "k8s.cronjob.name" => [res("k8s.cronjob.name", Text, Rc)];
    ContainerFullId "container.full_id" => [res("container.id", Text, Stable)];
    ContainerId "container.id" => [res("container.id", TextUnless(FieldId::ContainerFullId), Stable)];
    ContainerName "container.name" => [
        res("container.name", Text, Dev), res("k8s.container.name", TextInPod, Rc)];
    ContainerType "container.type" => [res("container.runtime.name", Text, Dev)];
    ContainerImageRepository "container.image.repository" => [res("container.image.name", Text, Stable)];
    ContainerImageTag "container.image.tag" => [res("container.image.tags", One, Stable)];
    ContainerImageDigest "container.image.digest" => [res("", Derived, Own)];
}

impl FieldId {
    /// The row.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Whether the field describes a container; none of them says anything when the container is the host.
    pub const fn is_container(self) -> bool {
        matches!(
            self,
            Self::ContainerFullId
                | Self::ContainerId
                | Self::ContainerName
                | Self::ContainerType
                | Self::ContainerImageRepository
                | Self::ContainerImageTag
                | Self::ContainerImageDigest
        )
    }
}

/// Fields without a row that are common enough to have their attribute's name interned.
pub const COMMON: &[&str] = &[
    "container.image",
    "container.privileged",
    "container.start_ts",
    "ct.error",
    "ct.name",
    "ct.region",
    "ct.request",
    "ct.srcip",
    "ct.user",
    "ct.user.accountid",
    "ct.user.arn",
    "evt.arg.data",
    "evt.arg.filename",
    "evt.arg.flags",
    "evt.arg.mode",
    "evt.arg.oldpath",
    "evt.arg.uid",
    "evt.dir",
    "evt.hostname",
    "evt.num",
    "evt.source",
    "fd.directory",
    "fd.filename",
    "fd.lport.name",
    "fd.nameraw",
    "fd.num",
    "fd.typechar",
    "group.gid",
    "group.name",
    "jevt.value",
    "k8s.pod.ip",
    "ka.req.pod.containers.image",
    "proc.args",
    "proc.cwdnr",
    "proc.duration",
    "proc.env",
    "proc.exeline",
    "proc.gpname",
    "proc.hash.sha256",
    "proc.is_exe_upper_layer",
    "proc.is_exe_writable",
    "proc.loginshellid",
    "proc.sname",
    "proc.tid",
    "thread.cap_effective",
    "thread.cap_permitted",
    "user.homedir",
    "user.shell",
];

/// An attribute made from more than one field, or from the alert's own keys.
#[derive(Clone, Copy, Debug)]
pub struct DerivedRow {
    pub from: &'static str,
    pub name: &'static str,
    pub place: Place,
    pub how: &'static str,
    pub stability: St,
}

const fn derived(from: &'static str, name: &'static str, place: Place, how: &'static str, stability: St) -> DerivedRow {
    DerivedRow { from, name, place, how, stability }
}

/// What the rows cannot say. Each has a test of its own beside the code that makes it.
pub static DERIVED: &[DerivedRow] = &[
    derived("rule", "security_rule.name", Record, "text", Dev),
    derived("tags, fields", "security_rule.category", Record, "first category that matches", Dev),
    derived("tags, fields", "lanner.categories", Record, "all categories that match", Own),
    derived("tag `maturity_*`", "falco.rule.maturity", Record, "what is behind the underscore", Own),
    derived(
        "source",
        "falco.source",
        Record,
        "`syscalls` is `syscall`; missing: `evt.source`, `internal` by rule name, `k8s_audit` by `ka.*` fields, else `syscall`",
        Own,
    ),
    derived("priority", "falco.priority", Record, "lower case; `info` is `informational`", Own),
    derived("tags", "falco.tags", Record, "text list", Own),
    derived("uuid", "falco.uuid", Record, "a forwarder's id; never the identity", Own),
    derived("digest", "log.record.uid", Record, "32 hexadecimal digits, see below", Dev),
    derived("the JSON text", "log.record.original", Record, "with `keep_original`", Dev),
    derived("tags", "threat.framework", Record, "`MITRE ATT&CK` when there is any id", Own),
    derived(
        "tags",
        "threat.tactic.{id,name}",
        Record,
        "tags `mitre_*` and `TAnnnn`; never guessed from a technique",
        Own,
    ),
    derived("tags", "threat.technique.{id,name}", Record, "tags `Tnnnn`; the parent of a sub-technique", Own),
    derived("tags", "threat.technique.subtechnique.{id,name}", Record, "tags `Tnnnn.nnn`", Own),
    derived(
        "rule, source `k8s_audit`",
        "lanner.threat.origin",
        Record,
        "`overlay` when the ids above are Lanner's own, for rules without such tags",
        Own,
    ),
    derived("tags `PCI_DSS_*`", "falco.compliance.pci_dss", Record, "text list", Own),
    derived("tags `NIST_800-53_*`", "falco.compliance.nist_800_53", Record, "text list", Own),
    derived("tag `cis`", "falco.compliance.cis", Record, "true", Own),
    derived("time", "lanner.clock_skew", Record, "true when over 24 hours ahead", Own),
    derived("`proc.exepath`", "process.executable.name", Record, "last part of the path", Rc),
    derived(
        "`proc.aname[n]`",
        "falco.process.ancestors",
        Record,
        "by rising n, gaps left out; in front of nothing else",
        Own,
    ),
    derived("`file.path`", "file.{name,directory,extension}", Record, "parts of the path", Dev),
    derived("`ka.uri`", "url.{path,query}", Record, "before and behind the question mark", Stable),
    derived("`ka.verb`", "http.request.method", Record, "the method the API server maps to the verb", Stable),
    derived("`ka.sourceips`", "client.address", Record, "the first, unless `fd.cip`", Stable),
    derived("`ka.response.reason`", "error.type", Record, "when `ka.response.code` is 400 or more", Stable),
    derived("`ka.target.name`", "k8s.pod.name", Record, "when `ka.target.resource` is `pods`", Rc),
    derived("config", "service.name, service.namespace", Resource, "`falco`, `runtime-security`", Stable),
    derived("hostname", "host.name", Resource, "text", Dev),
    derived("hostname", "k8s.node.name", Resource, "when there are Kubernetes fields", Rc),
    derived("config", "k8s.cluster.name", Resource, "when set", Rc),
    derived(
        "`container.image.digest`",
        "container.image.repo_digests",
        Resource,
        "list of one: `repository@digest`",
        Dev,
    ),
];
