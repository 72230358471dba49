//! Falco's alerts as its `http_output` sends them, and the same as they look in OTLP: about 900 bytes, 14 output fields.

use super::{Request, next};

/// Distinct alerts, so that no cache of the peer sees the same one twice in a row.
pub const DISTINCT: u64 = 4096;
/// Output fields that fill a large alert are so long.
const FILLER: usize = 1000;

struct Rule {
    name: &'static str,
    priority: &'static str,
    tags: [&'static str; 5],
    event: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        name: "Terminal shell in container",
        priority: "Notice",
        tags: ["T1059", "container", "maturity_stable", "mitre_execution", "shell"],
        event: "execve",
    },
    Rule {
        name: "Read sensitive file untrusted",
        priority: "Warning",
        tags: ["T1555", "container", "filesystem", "maturity_stable", "mitre_credential_access"],
        event: "openat",
    },
    Rule {
        name: "Drop and execute new binary in container",
        priority: "Critical",
        tags: ["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence"],
        event: "execve",
    },
    Rule {
        name: "Contact K8S API Server From Container",
        priority: "Notice",
        tags: ["T1565", "container", "maturity_stable", "mitre_discovery", "network"],
        event: "connect",
    },
];

/// Name, command line, executable, parent.
const PROCESSES: [[&str; 4]; 4] = [
    ["bash", "bash -c whoami", "/usr/bin/bash", "runc"],
    ["cat", "cat /etc/shadow", "/usr/bin/cat", "sh"],
    ["curl", "curl -k https://10.96.0.1:443/api/v1/namespaces", "/usr/bin/curl", "python3"],
    ["python3", "python3 /app/worker.py --target 10.0.0.12", "/usr/bin/python3.11", "gunicorn"],
];

/// A value of an output field.
pub enum Field {
    Text(String),
    Integer(u64),
}

/// One alert.
pub struct Alert {
    pub rule: &'static str,
    pub priority: &'static str,
    pub tags: [&'static str; 5],
    pub output: String,
    pub unix: u64,
    time: String,
    pub fields: Vec<(&'static str, Field)>,
}

/// Requests of one alert each.
pub fn single() -> Vec<Request> {
    batches(1, DISTINCT)
}

/// The same requests, each alert with a time of its own, so that none comes twice.
pub fn unique(requests: Vec<Request>) -> Vec<Request> {
    // The nanoseconds, which follow the second, are the number.
    requests.into_iter().map(|request| request.numbered("00.")).collect()
}

/// Requests of so many alerts each, an array if more than one. The alerts are of so many pods, one after the other.
pub fn batches(size: u64, pods: u64) -> Vec<Request> {
    let all: Vec<String> = alerts(DISTINCT.max(size).max(pods), pods).map(|alert| alert.json()).collect();
    let post = |alerts: &[String]| match alerts {
        [one] => Request::post("/", one, 1),
        several => Request::post("/", &format!("[{}]", several.join(",")), size),
    };
    all.chunks_exact(size as usize).map(post).collect()
}

/// Requests of one alert each that is about so many bytes long: the shortest that makes sense, with output fields added.
pub fn sized(bytes: usize) -> Vec<Request> {
    let sized = |alert: Alert| {
        let mut text = format!(
            r#"{{"output":"{} {}","priority":"{}","rule":"{}","source":"syscall","time":"{}","output_fields":{{"#,
            alert.priority, alert.rule, alert.priority, alert.rule, alert.time
        );
        let mut fields = Vec::new();
        let mut missing = bytes.saturating_sub(text.len() + 2);
        while missing > 24 {
            let name = format!("evt.arg[{}]", fields.len());
            let words = "/usr/share/app/part-0815 ".bytes().map(char::from).cycle();
            let length = missing.min(FILLER) - 16;
            let field = format!(r#""{name}":"{}""#, words.take(length).collect::<String>());
            missing = missing.saturating_sub(field.len() + 1);
            fields.push(field);
        }
        text += &fields.join(",");
        Request::post("/", &(text + "}}"), 1)
    };
    // No more than a few MB in all.
    let count = (4_000_000 / bytes as u64).clamp(64, DISTINCT);
    alerts(count, count).map(sized).collect()
}

/// So many alerts of so many pods, one after the other.
pub fn alerts(count: u64, pods: u64) -> impl Iterator<Item = Alert> {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    (0..count).map(move |index| {
        let (choice, ids) = (next(&mut seed), next(&mut seed));
        alert(choice, ids, index % pods)
    })
}

fn alert(choice: u64, ids: u64, pod: u64) -> Alert {
    let Rule { name, priority, tags, event } = &RULES[choice as usize % RULES.len()];
    let [process, command, path, parent] = PROCESSES[(choice >> 8) as usize % PROCESSES.len()];
    let (minute, nanos) = (choice >> 16 & 0xffff, choice >> 32 & 0x1fff_ffff);
    let time = format!("10:{:02}:00.{nanos:09}", minute % 60);
    let unix = 1_795_341_600_000_000_000 + minute % 60 * 60_000_000_000 + nanos;
    let container = format!("{:012x}", ids & 0xffff_ffff_ffff);
    let text = |text: &str| Field::Text(text.to_owned());
    Alert {
        rule: name,
        priority,
        tags: *tags,
        output: format!(
            "{time}: {priority} {name} | evt_type={event} user=root user_uid=0 process={process} proc_exepath={path} \
             parent={parent} command={command} container_id={container} k8s_ns=payments"
        ),
        unix,
        time: format!("2026-11-22T{time}Z"),
        fields: vec![
            ("container.id", Field::Text(container)),
            ("container.image.repository", text("registry.example.com/shop/payments-api")),
            ("container.name", text("app")),
            ("evt.time", Field::Integer(unix)),
            ("evt.type", text(event)),
            ("k8s.ns.name", text("payments")),
            ("k8s.pod.name", Field::Text(format!("app-{pod:010x}"))),
            ("proc.cmdline", text(command)),
            ("proc.exepath", text(path)),
            ("proc.name", text(process)),
            ("proc.pid", Field::Integer(1000 + (ids >> 40))),
            ("proc.pname", text(parent)),
            ("user.name", text("root")),
            ("user.uid", Field::Integer(0)),
        ],
    }
}

impl Alert {
    /// As Falco writes it. No text in here needs to be escaped.
    fn json(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| match value {
            Field::Text(text) => format!(r#""{name}":"{text}""#),
            Field::Integer(number) => format!(r#""{name}":{number}"#),
        });
        let fields = fields.collect::<Vec<_>>().join(",");
        let Self { rule, priority, output, time, tags, .. } = self;
        format!(
            r#"{{"hostname":"node-07","output":"{output}","output_fields":{{{fields}}},"priority":"{priority}","rule":"{rule}","source":"syscall","tags":["{}"],"time":"{time}"}}"#,
            tags.join(r#"",""#)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn body(request: &Request) -> Value {
        let start = memchr::memmem::find(&request.bytes, b"\r\n\r\n").unwrap() + 4;
        serde_json::from_slice(&request.bytes[start..]).unwrap()
    }

    /// Scenario: alerts of all lengths of the scaling measurement.
    /// Guarantee: each is JSON that Falco could have sent, within a tenth of the length that was asked for.
    #[test]
    fn alerts_have_the_length_asked_for() {
        for bytes in [200, 1024, 4096, 16_384, 65_536] {
            for request in sized(bytes).iter().take(8) {
                let alert = body(request);
                assert!(alert["rule"].is_string() && alert["output_fields"].is_object(), "{alert}");
                let length = alert.to_string().len() as f64;
                assert!((length / bytes as f64 - 1.0).abs() < 0.1, "{length} of {bytes}");
            }
        }
    }

    /// Scenario: batches of alerts of so many pods.
    /// Guarantee: every request says how many alerts it holds, and all pods come, no others.
    #[test]
    fn batches_are_of_the_pods_asked_for() {
        let requests = batches(100, 250);
        let mut pods: Vec<String> = Vec::new();
        for request in &requests {
            let Value::Array(alerts) = body(request) else { panic!("no array") };
            assert_eq!(alerts.len() as u64, request.events);
            pods.extend(alerts.iter().map(|alert| alert["output_fields"]["k8s.pod.name"].to_string()));
        }
        pods.sort();
        pods.dedup();
        assert_eq!(pods.len(), 250);
    }

    /// Scenario: alerts each of which is to be like no other.
    /// Guarantee: the number is in the time of the alert, which is part of what tells events apart.
    #[test]
    fn unique_alerts_differ_in_their_time() {
        let request = &unique(single())[0];
        let [first, second] = [request.next(), request.next()]
            .map(|bytes| body(&Request { bytes, ..request.clone() })["time"].as_str().unwrap().to_owned());
        assert_ne!(first, second);
    }
}
