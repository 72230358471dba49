//! Which names there are besides Falco's.

use lanner_engine::semantics::falco::table;
use lanner_rules::schema::{ArgumentSpec, Kind, Row};
use std::{collections::HashSet, sync::LazyLock};

/// Short names, and those that are not simply an attribute.
pub const OWN: &[Row] = &[
    Row::new("rule", Kind::Text),
    Row::new("priority", Kind::Rank),
    Row::new("falco.priority", Kind::Rank),
    Row::new("tags", Kind::Text).list(),
    Row::new("source", Kind::Text),
    Row::new("output", Kind::Text),
    Row::new("hostname", Kind::Text),
    Row::new("category", Kind::Text),
    Row::new("uid", Kind::Text),
    Row::new("body", Kind::Any),
    Row::new("event_name", Kind::Text),
    Row::new("severity_number", Kind::Int),
    Row::new("severity_text", Kind::Text),
    Row::new("attr", Kind::Any).with(ArgumentSpec::Key),
    Row::new("resource", Kind::Any).with(ArgumentSpec::Key),
    // Falco's has one value or, without an index, all of them.
    Row::new("proc.aname", Kind::Any).with(ArgumentSpec::OptionalIndex),
];

/// First parts of names that only Falco's fields have: any other name that begins so is a mistake.
pub const CLOSED: [&str; 10] = ["evt", "fd", "fs", "proc", "group", "syslog", "fdlist", "ka", "jevt", "json"];

/// Attributes of OpenTelemetry that are near to names of the mapping, so that they are not taken for misspelt ones.
const OTEL: &[&str] = &[
    "container.command",
    "container.command_args",
    "container.command_line",
    "container.csi.volume.id",
    "container.image.id",
    "container.runtime",
    "host.arch",
    "host.id",
    "host.ip",
    "host.type",
    "http.request.size",
    "http.response.size",
    "http.route",
    "k8s.cluster.name",
    "k8s.cluster.uid",
    "k8s.container.restart_count",
    "k8s.cronjob.uid",
    "k8s.daemonset.uid",
    "k8s.deployment.uid",
    "k8s.hpa.name",
    "k8s.hpa.uid",
    "k8s.job.uid",
    "k8s.namespace.uid",
    "k8s.node.name",
    "k8s.node.uid",
    "k8s.pod.hostname",
    "k8s.pod.ip",
    "k8s.pod.start_time",
    "k8s.replicaset.uid",
    "k8s.replicationcontroller.uid",
    "k8s.service.name",
    "k8s.service.uid",
    "k8s.statefulset.uid",
    "process.args_count",
    "process.command_args",
    "process.exit.code",
    "process.group.id",
    "process.owner",
    "process.title",
    "service.instance.id",
    "service.version",
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "thread.id",
    "thread.name",
    "url.fragment",
    "url.full",
    "url.host",
    "url.port",
    "url.scheme",
    "user.email",
    "user.full_name",
    "user.hash",
    "user.roles",
];

/// Names with braces or a wildcard in the mapping's tables, spelt out.
const DERIVED: &[&str] = &[
    "file.directory",
    "file.extension",
    "file.name",
    "lanner.incident.alerts",
    "incident.id",
    "security_rule.description",
    "service.name",
    "service.namespace",
    "threat.tactic.id",
    "threat.tactic.name",
    "threat.technique.id",
    "threat.technique.name",
    "threat.technique.subtechnique.id",
    "threat.technique.subtechnique.name",
    "url.path",
    "url.query",
];

/// Every attribute that the mapping writes under a fixed name, and those above.
pub static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let targets = table::ROWS.iter().flat_map(|row| row.to).map(|target| target.name);
    let derived = table::DERIVED.iter().map(|row| row.name);
    let audit = lanner_engine::semantics::audit::table::ROWS.iter().map(|row| row.name);
    let names = targets.chain(derived).chain(audit).chain(OTEL.iter().copied()).chain(DERIVED.iter().copied());
    names.filter(|name| name.contains('.') && !name.ends_with('.') && !name.contains(['{', ',', ' '])).collect()
});
