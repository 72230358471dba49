//! The table.

use crate::{
    generic,
    schema::{
        ArgumentSpec::{Any, Key, Optional, OptionalIndex, OptionalKey},
        Kind::{self, Bool, Bytes, Float, Int, Ip, Net, Text, Uint},
        Row,
    },
};

/// Every row.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let plain = PLAIN.iter().flat_map(|(kind, names)| names.split_ascii_whitespace().map(|name| Row::new(name, *kind)));
    let own = [
        Row { dotted: true, ..Row::new("evt.arg", Text).with(Any) },
        Row { dotted: true, plain_only: true, ..Row::new("evt.rawarg", Text).with(Any) },
        Row { plain_only: true, ..Row::new("evt.around", Uint).with(Key) },
        Row::new("evt.type.is", Uint).with(Key),
        Row { deprecated: Some(EVT_DIR), ..Row::new("evt.dir", Text) },
        Row::new("fd.types", Text).list(),
        Row::new("fdlist.nums", Text).list(),
        Row::new("fdlist.names", Text).list(),
        Row::new("fdlist.cips", Text).list(),
        Row::new("fdlist.sips", Text).list(),
        Row::new("fdlist.cports", Text).list(),
        Row::new("fdlist.sports", Text).list(),
        Row::new("proc.apid", Int).with(OptionalIndex),
        Row::new("proc.env", Text).with(OptionalKey),
        Row::new("proc.aenv", Text).with(Optional),
        Row::new("thread.cgroup", Text).with(Key),
    ];
    let ancestors = ["proc.aexe", "proc.aexepath", "proc.aname", "proc.acmdline", "proc.aargs"]
        .map(|name| Row::new(name, Text).with(OptionalIndex));
    let keyed = KEYED.split_ascii_whitespace().map(|name| Row::new(name, Text).with(Key));
    let dotted = DOTTED.split_ascii_whitespace().map(|name| Row { dotted: true, ..Row::new(name, Text).with(Key) });
    generic::ROWS.iter().copied().chain(own).chain(ancestors).chain(keyed).chain(dotted).chain(plain)
}

const EVT_DIR: &str = "there are no enter events any more, it is always `<`; take the check out";

const KEYED: &str = "
    container.mount container.mount.source container.mount.dest container.mount.mode container.mount.rdwr
    container.mount.propagation
";

const DOTTED: &str = "
    container.label k8s.pod.label k8s.ns.label k8s.rc.label k8s.svc.label k8s.rs.label k8s.deployment.label
";

const PLAIN: &[(Kind, &str)] = &[
    (
        Text,
        "
        evt.outputtime evt.type syscall.type evt.category evt.args evt.info evt.res evt.io_dir evt.abspath
        evt.abspath.src evt.abspath.dst evt.latency.human
        fd.type fd.typechar fd.name fd.directory fd.filename fd.l4proto fd.sockfamily fd.uid fd.containername
        fd.containerdirectory fd.proto fd.cproto fd.sproto fd.lproto fd.rproto fd.cip.name fd.sip.name fd.lip.name
        fd.rip.name fd.nameraw
        fs.path.name fs.path.nameraw fs.path.source fs.path.sourceraw fs.path.target fs.path.targetraw
        proc.exe proc.pexe proc.exepath proc.pexepath proc.name proc.pname proc.args proc.cmdline proc.pcmdline
        proc.exeline proc.cwd proc.sname proc.sid.exe proc.sid.exepath proc.vpgid.name proc.vpgid.exe
        proc.vpgid.exepath proc.pgid.name proc.pgid.exe proc.pgid.exepath proc.stdin.type proc.stdout.type
        proc.stderr.type proc.stdin.name proc.stdout.name proc.stderr.name
        thread.cap_permitted thread.cap_inheritable thread.cap_effective thread.cgroups thread.nametid
        user.name user.homedir user.shell user.loginname group.name
        container.id container.full_id container.name container.image container.image.id container.type
        container.mounts container.image.repository container.image.tag container.image.digest
        container.healthcheck container.liveness_probe container.readiness_probe container.ip container.cni.json
        container.labels
        k8s.pod.name k8s.pod.id k8s.pod.uid k8s.pod.sandbox_id k8s.pod.full_sandbox_id k8s.pod.labels k8s.pod.ip
        k8s.pod.cni.json k8s.ns.name k8s.ns.id k8s.ns.labels k8s.rc.name k8s.rc.id k8s.rc.labels k8s.svc.name
        k8s.svc.id k8s.svc.labels k8s.rs.name k8s.rs.id k8s.rs.labels k8s.deployment.name k8s.deployment.id
        k8s.deployment.labels
        syslog.facility.str syslog.severity.str syslog.message
        ",
    ),
    (Bytes, "evt.buffer"),
    (
        Int,
        "
        evt.cpu evt.rawres fd.num fd.dev fd.dev.major fd.dev.minor fd.ino proc.loginshellid proc.pid proc.ppid
        proc.vpid proc.pvpid proc.sid proc.vpgid proc.pgid proc.exe_ino proc.fdlimit thread.tid thread.vtid
        user.loginuid
        ",
    ),
    (
        Uint,
        "
        evt.latency evt.latency.s evt.latency.ns evt.latency.quantized evt.deltatime evt.deltatime.s
        evt.deltatime.ns evt.wait_latency evt.count evt.count.error evt.count.error.file evt.count.error.net
        evt.count.error.memory evt.count.error.other evt.count.exit evt.count.procinfo evt.count.threadinfo
        evt.buflen evt.buflen.in evt.buflen.out evt.buflen.file evt.buflen.file.in evt.buflen.file.out
        evt.buflen.net evt.buflen.net.in evt.buflen.net.out
        fd.port fd.cport fd.sport fd.lport fd.rport
        proc.cmdnargs proc.cmdlenargs proc.tty proc.duration proc.ppid.duration proc.pid.ts proc.ppid.ts
        proc.exe_ino.ctime proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start
        proc.exe_ino.ctime_duration_pidns_start proc.pidns_init_start_ts proc.fdopencount proc.vmsize proc.vmrss
        proc.vmswap proc.nthreads proc.nchilds
        thread.pfmajor thread.pfminor thread.exectime thread.totexectime thread.vmsize thread.vmrss thread.vmsize.b
        thread.vmrss.b
        user.uid group.gid container.start_ts container.duration syslog.facility syslog.severity
        ",
    ),
    (Float, "proc.fdusage thread.cpu thread.cpu.user thread.cpu.system"),
    (
        Bool,
        "
        evt.failed evt.is_io evt.is_io_read evt.is_io_write evt.is_wait evt.is_syslog evt.is_open_read
        evt.is_open_write evt.is_open_exec evt.is_open_create
        fd.is_server fd.connected fd.name_changed fd.is_upper_layer fd.is_lower_layer
        proc.is_exe_writable proc.is_exe_upper_layer proc.is_exe_lower_layer proc.is_exe_from_memfd
        proc.is_sid_leader proc.is_vpgid_leader proc.is_pgid_leader proc.is_container_healthcheck
        proc.is_container_liveness_probe proc.is_container_readiness_probe thread.ismain
        container.privileged container.host_pid container.host_network container.host_ipc
        ",
    ),
    (Ip, "fd.ip fd.cip fd.sip fd.lip fd.rip"),
    (Net, "fd.net fd.cnet fd.snet fd.lnet fd.rnet"),
];
