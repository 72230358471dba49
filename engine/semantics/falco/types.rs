//! The types that Falco's fields have, for channels that carry every value as text (the gRPC API).
//!
//! Promises: a text becomes another type only when the field is known to have that type and the text is exactly a value
//! of it, so that nothing is lost by a wrong guess; a field that is not listed stays text, as most are.
//!
//! Only fields whose type shows are listed: those with a numeric row of the mapping are read as numbers there anyway,
//! but are listed too, because `preserve: all` keeps them under their own name.

use super::field::{Field, MAX_ITEMS};

/// Integers: process, thread, user, descriptor and event numbers.
const INTEGERS: &[&str] = &[
    "container.duration",
    "container.start_ts",
    "evt.buflen",
    "evt.count",
    "evt.count.error",
    "evt.count.error.file",
    "evt.count.error.memory",
    "evt.count.error.net",
    "evt.count.error.other",
    "evt.count.exit",
    "evt.count.procinfo",
    "evt.count.threadinfo",
    "evt.cpu",
    "evt.deltatime",
    "evt.deltatime.ns",
    "evt.deltatime.s",
    "evt.iorw.count",
    "evt.latency",
    "evt.latency.ns",
    "evt.latency.s",
    "evt.num",
    "evt.rawres",
    "evt.rawtime",
    "evt.rawtime.ns",
    "evt.rawtime.s",
    "evt.reltime",
    "evt.reltime.ns",
    "evt.reltime.s",
    "evt.time",
    "evt.time.iso8601",
    "evt.wait_latency",
    "fd.cport",
    "fd.dev",
    "fd.dev.major",
    "fd.dev.minor",
    "fd.ino",
    "fd.lport",
    "fd.num",
    "fd.rport",
    "fd.sport",
    "group.gid",
    "max_file_size_mb",
    "proc.apid",
    "proc.duration",
    "proc.exe_ino",
    "proc.exe_ino.ctime",
    "proc.exe_ino.ctime_duration_pidns_start",
    "proc.exe_ino.ctime_duration_proc_start",
    "proc.exe_ino.mtime",
    "proc.fdlimit",
    "proc.fdopencount",
    "proc.loginshellid",
    "proc.nchilds",
    "proc.nthreads",
    "proc.pgid",
    "proc.pid",
    "proc.pid.ts",
    "proc.pidns_init_start_ts",
    "proc.ppid",
    "proc.ppid.duration",
    "proc.ppid.ts",
    "proc.pvpid",
    "proc.sid",
    "proc.tid",
    "proc.tty",
    "proc.vmrss",
    "proc.vmsize",
    "proc.vmswap",
    "proc.vpgid",
    "proc.vpid",
    "syslog.facility",
    "syslog.severity",
    "thread.exectime",
    "thread.pfmajor",
    "thread.pfminor",
    "thread.tid",
    "thread.totexectime",
    "thread.vmrss",
    "thread.vmsize",
    "thread.vtid",
    "user.loginuid",
    "user.uid",
    "written_bytes",
];

/// Floating-point numbers.
const DOUBLES: &[&str] = &["thread.cpu", "thread.cpu.system", "thread.cpu.user"];

/// `true` or `false`.
const FLAGS: &[&str] = &[
    "container.host_ipc",
    "container.host_network",
    "container.host_pid",
    "container.privileged",
    "evt.failed",
    "evt.is_async",
    "evt.is_io",
    "evt.is_io_read",
    "evt.is_io_write",
    "evt.is_open_create",
    "evt.is_open_exec",
    "evt.is_open_read",
    "evt.is_open_write",
    "evt.is_syscall",
    "evt.is_wait",
    "fd.connected",
    "fd.is_lower_layer",
    "fd.is_server",
    "fd.is_upper_layer",
    "fd.name_changed",
    "proc.is_container_healthcheck",
    "proc.is_container_liveness_probe",
    "proc.is_container_readiness_probe",
    "proc.is_exe_from_memfd",
    "proc.is_exe_lower_layer",
    "proc.is_exe_upper_layer",
    "proc.is_exe_writable",
    "proc.is_pgid_leader",
    "proc.is_sid_leader",
    "proc.is_vpgid_leader",
    "thread.ismain",
];

/// Lists of texts, written `(a,b)`.
const LISTS: &[&str] = &[
    "fd.types",
    "ka.req.binding.subjects",
    "ka.req.pod.containers.add_capabilities",
    "ka.req.pod.containers.allow_privilege_escalation",
    "ka.req.pod.containers.eff_run_as_group",
    "ka.req.pod.containers.eff_run_as_user",
    "ka.req.pod.containers.host_port",
    "ka.req.pod.containers.image",
    "ka.req.pod.containers.image.repository",
    "ka.req.pod.containers.privileged",
    "ka.req.pod.containers.proc_mount",
    "ka.req.pod.containers.read_only_fs",
    "ka.req.pod.containers.run_as_group",
    "ka.req.pod.containers.run_as_user",
    "ka.req.pod.supplemental_groups",
    "ka.req.pod.volumes.flexvolume_driver",
    "ka.req.pod.volumes.hostpath",
    "ka.req.pod.volumes.volume_type",
    "ka.req.role.rules",
    "ka.req.role.rules.apiGroups",
    "ka.req.role.rules.nonResourceURLs",
    "ka.req.role.rules.resources",
    "ka.req.role.rules.verbs",
    "ka.req.service.ports",
    "ka.sourceips",
    "ka.user.groups",
    "proc.aname",
];

/// Prefixes of the fields of Falco's metrics snapshot, which are numbers unless [`is_snapshot_text`] says otherwise.
const SNAPSHOT: &[&str] = &["falco.", "scap.", "plugins."];

/// The value of the field `name`, whose text is `text`; with the type that the same field has in an alert's JSON.
/// `internal` says that it belongs to a message of Falco about itself.
pub(super) fn typed<'a>(name: &str, text: &'a str, internal: bool) -> Field<'a> {
    let listed = |list: &[&str]| list.binary_search(&bare(name)).is_ok();
    let measured = || internal && SNAPSHOT.iter().any(|prefix| name.starts_with(prefix)) && !is_snapshot_text(name);
    let known = if listed(INTEGERS) {
        integer(text)
    } else if listed(FLAGS) {
        text.parse().ok().map(Field::Bool)
    } else if listed(LISTS) {
        list(text)
    } else if listed(DOUBLES) || measured() {
        number(text)
    } else {
        None
    };
    known.unwrap_or(Field::Text(text.into()))
}

/// A field's name without its argument: `proc.apid[2]` has the type of `proc.apid`. Names of ancestors are the
/// exception: `proc.aname` is a list, `proc.aname[2]` a text.
fn bare(name: &str) -> &str {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some(("proc.aname", _)) | None => name,
        Some((bare, _)) => bare,
    }
}

/// An integer as Falco writes it: the text that the number would be printed as, and no other.
fn integer(text: &str) -> Option<Field<'static>> {
    let number: i64 = text.parse().ok()?;
    let plain = match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => number == 0 && text.len() == 1,
        [first, ..] => matches!(first, b'1'..=b'9'),
        [] => false,
    };
    plain.then_some(Field::Int(number))
}

/// A number of JSON: an integer, or one with a point or an exponent.
fn number(text: &str) -> Option<Field<'static>> {
    if let Some(integer) = integer(text) {
        return Some(integer);
    }
    // `f64` reads more than JSON has: `inf`, `nan`, a leading plus.
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && text.contains(['.', 'e', 'E'])
        && text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let number: f64 = numeric.then(|| text.parse().ok())??;
    number.is_finite().then_some(Field::Double(number))
}

/// `(a,b)`: an item that holds a comma cannot be told from two.
fn list(text: &str) -> Option<Field<'_>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let mut parts = inner.split(',').filter(|item| !item.is_empty() && *item != "<NA>");
    let items = parts.by_ref().take(MAX_ITEMS).map(|item| Field::Text(item.into())).collect();
    Some(Field::List { items, cut: parts.next().is_some() })
}

/// Fields of the metrics snapshot that are text although they may look like a number.
fn is_snapshot_text(name: &str) -> bool {
    matches!(name, "falco.version" | "falco.kernel_release" | "scap.engine_name")
        || name.contains(".sha256_")
        || name.ends_with(".addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the lists of known fields.
    /// Guarantee: each is sorted, or binary search would miss entries; no field has two types.
    #[test]
    fn lists_are_sorted_and_disjoint() {
        let lists = [INTEGERS, DOUBLES, FLAGS, LISTS];
        for list in lists {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
        let mut all = lists.concat();
        let total = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), total);
    }

    /// Scenario: texts of known fields, of their indexed forms, of unknown fields; texts that are no value of the type.
    /// Guarantee: the type of the JSON where the text is exactly such a value, else the text as it is.
    #[test]
    fn only_exact_texts_of_known_fields_change_their_type() {
        let text = |text: &'static str| Field::Text(text.into());
        let list = |items: &[&'static str]| Field::List { items: items.iter().map(|&i| text(i)).collect(), cut: false };
        for (name, value, expected) in [
            ("proc.pid", "4242", Field::Int(4242)),
            ("user.loginuid", "-1", Field::Int(-1)),
            ("proc.apid[3]", "1", Field::Int(1)),
            ("evt.rawtime", "1748736000000000001", Field::Int(1_748_736_000_000_000_001)),
            ("evt.rawtime", "18446744073709551615", text("18446744073709551615")),
            ("proc.pid", "007", text("007")),
            ("proc.pid", "+7", text("+7")),
            ("proc.pid", "-0", text("-0")),
            ("proc.pid", "0x10", text("0x10")),
            ("proc.name", "4242", text("4242")),
            ("container.privileged", "true", Field::Bool(true)),
            ("container.privileged", "1", text("1")),
            ("thread.cpu", "12.5", Field::Double(12.5)),
            ("thread.cpu", "inf", text("inf")),
            ("thread.cpu", "1e999", text("1e999")),
            ("ka.user.groups", "(a,b)", list(&["a", "b"])),
            ("ka.user.groups", "(a)", list(&["a"])),
            ("ka.user.groups", "()", list(&[])),
            ("ka.user.groups", "a,b", text("a,b")),
            ("proc.aname", "(sh,init)", list(&["sh", "init"])),
            ("proc.aname[2]", "(sd-pam)", text("(sd-pam)")),
            ("proc.cmdline", "(a,b)", text("(a,b)")),
            ("scap.n_drops", "7", text("7")),
        ] {
            assert_eq!(typed(name, value, false), expected, "{name} {value}");
        }
        for (name, value, expected) in [
            ("scap.n_drops", "7", Field::Int(7)),
            ("falco.evts_rate_sec", "0.25", Field::Double(0.25)),
            ("falco.version", "0.41", text("0.41")),
            ("falco.kernel_release", "6.1", text("6.1")),
            ("n_drops", "7", text("7")),
        ] {
            assert_eq!(typed(name, value, true), expected, "{name} {value}");
        }
    }
}
