//! `Story`: the alerts, in the order in which they are told.
//!
//! The attack: someone opens a shell in a pod through the API server, reads what is secret, connects to the outside,
//! drops a miner, and the miner calls its pool. All steps share pod, container and node, as real ones would.

use serde_json::{Value, json};

/// Steps of one attack.
pub(super) const ATTACK_STEPS: u64 = 6;

/// In mixed stories one alert in this many is a step of an attack.
const ATTACK_SHARE: u32 = 10;

struct Pod {
    namespace: &'static str,
    name: &'static str,
    image: &'static str,
    container: &'static str,
    id: &'static str,
    node: &'static str,
}

const PODS: [Pod; 4] = [
    Pod {
        namespace: "shop",
        name: "checkout-6c8d7f5b94-k2xqp",
        image: "registry.example/shop/checkout",
        container: "checkout",
        id: "3f9a1c27d0be",
        node: "node-a.example",
    },
    Pod {
        namespace: "shop",
        name: "catalog-5d4b9c7f68-t7mzn",
        image: "registry.example/shop/catalog",
        container: "catalog",
        id: "a70e5d18c4f2",
        node: "node-b.example",
    },
    Pod {
        namespace: "media",
        name: "thumbnailer-7b6f94d5c8-wq9hd",
        image: "registry.example/media/thumbnailer",
        container: "thumbnailer",
        id: "58c2e9b7416d",
        node: "node-b.example",
    },
    Pod {
        namespace: "ci",
        name: "runner-0",
        image: "registry.example/ci/runner",
        container: "runner",
        id: "e1d46b80f95a",
        node: "node-c.example",
    },
];

pub(super) struct Story {
    random: fastrand::Rng,
    attack_only: bool,
    /// Steps told of the current attack.
    step: u64,
    /// The pod under attack.
    target: usize,
}

/// What differs from alert to alert.
struct Scene<'a> {
    rule: &'a str,
    priority: &'a str,
    message: String,
    tags: &'a [&'a str],
    fields: Value,
}

impl Story {
    pub(super) fn new(seed: u64, attack_only: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let target = random.usize(..PODS.len());
        Self { random, attack_only, step: 0, target }
    }

    /// The JSON of the next alert, with `now` (nanoseconds since 1970) as its time.
    pub(super) fn next(&mut self, now: u64) -> String {
        if self.attack_only || self.random.u32(..ATTACK_SHARE) == 0 { self.attack(now) } else { self.everyday(now) }
    }

    fn attack(&mut self, now: u64) -> String {
        let pod = &PODS[self.target];
        let pid = 20_000 + self.random.u32(..10_000);
        let step = self.step;
        self.step += 1;
        if self.step == ATTACK_STEPS {
            self.step = 0;
            self.target = self.random.usize(..PODS.len());
        }
        let scene = match step {
            0 => return exec_audit(pod, now),
            1 => Scene {
                rule: "Terminal shell in container",
                priority: "Notice",
                message: format!("Interactive shell in {} (user=root command=sh -i)", pod.container),
                tags: &["T1059", "container", "maturity_stable", "mitre_execution", "shell"],
                fields: process(pid, "sh", "sh -i", "runc", json!({"proc.tty": 34816})),
            },
            2 => Scene {
                rule: "Read sensitive file untrusted",
                priority: "Warning",
                message: "Sensitive file opened for reading (file=/etc/shadow command=cat /etc/shadow)".into(),
                tags: &["T1555", "container", "filesystem", "maturity_stable", "mitre_credential_access"],
                fields: process(
                    pid,
                    "cat",
                    "cat /etc/shadow",
                    "sh",
                    json!({"fd.name": "/etc/shadow", "evt.type": "openat"}),
                ),
            },
            3 => Scene {
                rule: "Redirect STDOUT/STDIN to Network Connection in Container",
                priority: "Notice",
                message: "Shell connected to the outside (connection=10.42.0.17:48712->203.0.113.66:4444)".into(),
                tags: &["T1059", "container", "maturity_stable", "mitre_execution", "network"],
                fields: process(pid, "sh", "sh -i", "sh", connection(48712, "203.0.113.66", 4444)),
            },
            4 => Scene {
                rule: "Drop and execute new binary in container",
                priority: "Critical",
                message: "A file that is not part of the image is executed (exe=/tmp/.cache/kworkerds)".into(),
                tags: &["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence", "process"],
                fields: process(
                    pid,
                    "kworkerds",
                    "kworkerds -o pool.miner.example:3333",
                    "sh",
                    json!({"proc.exepath": "/tmp/.cache/kworkerds", "evt.type": "execve"}),
                ),
            },
            _ => Scene {
                rule: "Detect outbound connections to common miner pool ports",
                priority: "Critical",
                message: "Connection to a mining pool (domain=pool.miner.example connection=203.0.113.77:3333)".into(),
                tags: &["T1496", "container", "maturity_sandbox", "mitre_impact", "network"],
                fields: process(
                    pid,
                    "kworkerds",
                    "kworkerds -o pool.miner.example:3333",
                    "sh",
                    connection(50134, "203.0.113.77", 3333),
                ),
            },
        };
        syscall_alert(pod, &scene, now)
    }

    fn everyday(&mut self, now: u64) -> String {
        let pod = &PODS[self.random.usize(..PODS.len())];
        let pid = 1_000 + self.random.u32(..19_000);
        let port = 30_000 + self.random.u32(..20_000);
        let scene = match self.random.u32(..5) {
            0 => Scene {
                rule: "Contact K8S API Server From Container",
                priority: "Notice",
                message: format!("Unexpected connection to the API server (container={})", pod.container),
                tags: &["T1565", "container", "k8s", "maturity_stable", "mitre_discovery", "network"],
                fields: process(
                    pid,
                    "curl",
                    "curl -sk https://10.96.0.1/version",
                    "bash",
                    connection(port, "10.96.0.1", 443),
                ),
            },
            1 => Scene {
                rule: "Search Private Keys or Passwords",
                priority: "Warning",
                message: "Something looks for private keys (command=grep -r BEGIN /srv)".into(),
                tags: &[
                    "T1552.001",
                    "container",
                    "filesystem",
                    "maturity_stable",
                    "mitre_credential_access",
                    "process",
                ],
                fields: process(pid, "grep", "grep -r BEGIN /srv", "bash", json!({"evt.type": "execve"})),
            },
            2 => Scene {
                rule: "Clear Log Activities",
                priority: "Warning",
                message: "A log file was truncated (file=/var/log/app/access.log)".into(),
                tags: &["T1070", "container", "filesystem", "maturity_stable", "mitre_defense_evasion"],
                fields: process(
                    pid,
                    "logrotate",
                    "logrotate -f /etc/logrotate.conf",
                    "cron",
                    json!({"fd.name": "/var/log/app/access.log"}),
                ),
            },
            3 => Scene {
                rule: "Launch Package Management Process in Container",
                priority: "Error",
                message: format!("A package manager runs in {} (command=apk add curl)", pod.container),
                tags: &["T1505", "container", "maturity_sandbox", "mitre_persistence", "process", "software_mgmt"],
                fields: process(pid, "apk", "apk add curl", "sh", json!({"evt.type": "execve"})),
            },
            _ => Scene {
                rule: "Change thread namespace",
                priority: "Informational",
                message: "A process moved to another namespace (command=nsenter -t 1 -n)".into(),
                tags: &["T1611", "container", "maturity_incubating", "mitre_privilege_escalation", "process"],
                fields: process(pid, "nsenter", "nsenter -t 1 -n", "bash", json!({"evt.type": "setns"})),
            },
        };
        syscall_alert(pod, &scene, now)
    }
}

fn process(pid: u32, name: &str, command: &str, parent: &str, more: Value) -> Value {
    let mut fields = json!({
        "proc.pid": pid,
        "proc.name": name,
        "proc.exepath": format!("/usr/bin/{name}"),
        "proc.cmdline": command,
        "proc.pname": parent,
        "proc.ppid": pid - 1,
        "proc.tty": 0,
        "user.name": "root",
        "user.uid": 0,
        "user.loginuid": -1,
        "evt.type": "execve",
        "evt.res": "SUCCESS",
    });
    merge(&mut fields, more);
    fields
}

fn connection(port: u32, to: &str, to_port: u32) -> Value {
    json!({
        "evt.type": "connect",
        "fd.name": format!("10.42.0.17:{port}->{to}:{to_port}"),
        "fd.type": "ipv4",
        "fd.l4proto": "tcp",
        "fd.cip": "10.42.0.17",
        "fd.cport": port,
        "fd.sip": to,
        "fd.sport": to_port,
    })
}

fn syscall_alert(pod: &Pod, scene: &Scene<'_>, now: u64) -> String {
    let mut fields = json!({
        "evt.time": now,
        "container.id": pod.id,
        "container.name": pod.container,
        "container.image.repository": pod.image,
        "container.image.tag": "1.4.2",
        "k8s.ns.name": pod.namespace,
        "k8s.pod.name": pod.name,
    });
    merge(&mut fields, scene.fields.clone());
    whole("syscall", pod.node, scene.rule, scene.priority, &scene.message, scene.tags, &fields, now)
}

fn exec_audit(pod: &Pod, now: u64) -> String {
    let fields = json!({
        "evt.time": now,
        "ka.user.name": "deploy-bot@example.com",
        "ka.verb": "create",
        "ka.target.resource": "pods",
        "ka.target.subresource": "exec",
        "ka.target.namespace": pod.namespace,
        "ka.target.name": pod.name,
        "ka.uri.param[command]": "sh",
        "ka.response.code": "101",
    });
    let message = format!("exec into pod {}/{} (user=deploy-bot@example.com command=sh)", pod.namespace, pod.name);
    whole("k8s_audit", pod.node, "Attach/Exec Pod", "Notice", &message, &["k8s"], &fields, now)
}

#[allow(clippy::too_many_arguments, reason = "the keys of the JSON, in one place")]
fn whole(
    source: &str,
    node: &str,
    rule: &str,
    priority: &str,
    message: &str,
    tags: &[&str],
    fields: &Value,
    now: u64,
) -> String {
    // Out of range only some 200 years from now.
    let time = jiff::Timestamp::from_nanosecond(i128::from(now)).unwrap_or_default();
    json!({
        "hostname": node,
        "output": format!("{time:.9}: {priority} {message}"),
        "message": message,
        "output_fields": fields,
        "priority": priority,
        "rule": rule,
        "source": source,
        "tags": tags,
        "time": format!("{time:.9}"),
    })
    .to_string()
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
