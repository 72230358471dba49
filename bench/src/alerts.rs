//! Requests as Falco's `http_output` sends them: alerts of about 900 bytes with 14 output fields, ready to be written.

use bytes::Bytes;

/// Distinct alerts, so that no cache of the peer sees the same one twice in a row.
const DISTINCT: usize = 4096;

struct Rule {
    name: &'static str,
    priority: &'static str,
    tags: &'static str,
    event: &'static str,
}

const RULES: [Rule; 4] = [
    Rule {
        name: "Terminal shell in container",
        priority: "Notice",
        tags: r#""T1059","container","maturity_stable","mitre_execution","shell""#,
        event: "execve",
    },
    Rule {
        name: "Read sensitive file untrusted",
        priority: "Warning",
        tags: r#""T1555","container","filesystem","maturity_stable","mitre_credential_access""#,
        event: "openat",
    },
    Rule {
        name: "Drop and execute new binary in container",
        priority: "Critical",
        tags: r#""PCI_DSS_11.5.1","TA0003","container","maturity_stable","mitre_persistence""#,
        event: "execve",
    },
    Rule {
        name: "Contact K8S API Server From Container",
        priority: "Notice",
        tags: r#""T1565","container","k8s","maturity_stable","mitre_discovery","network""#,
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

/// Whole HTTP/1.1 requests, each with one alert.
pub fn requests(authority: &str) -> Vec<Bytes> {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    (0..DISTINCT)
        .map(|_| {
            let body = alert(next(&mut seed), next(&mut seed));
            let head = format!(
                "POST / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: falcosecurity/falco\r\nAccept: */*\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            Bytes::from(head + &body)
        })
        .collect()
}

/// The same request as an alert that no other is: with this number, below 10^9, as the nanoseconds of its time.
pub fn numbered(request: &[u8], number: u64) -> Vec<u8> {
    let mut request = request.to_vec();
    // The nanoseconds are the last digits of an alert, in front of `Z"}`.
    let end = request.len().saturating_sub(3);
    if let Some(digits) = request.get_mut(end.saturating_sub(9)..end) {
        digits.copy_from_slice(format!("{:09}", number % 1_000_000_000).as_bytes());
    }
    request
}

/// Xorshift: the same alerts in every run.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn alert(choice: u64, ids: u64) -> String {
    let Rule { name, priority, tags, event } = &RULES[choice as usize % RULES.len()];
    let [process, command, path, parent] = PROCESSES[(choice >> 8) as usize % PROCESSES.len()];
    let (second, nanos) = (choice >> 16 & 0xffff, choice >> 32 & 0x1fff_ffff);
    let time = format!("10:{:02}:{:02}.{nanos:09}", second / 60 % 60, second % 60);
    let unix = 1_795_341_600_000_000_000 + second % 3600 * 1_000_000_000 + nanos;
    let (container, pod, pid) = (ids & 0xffff_ffff_ffff, ids >> 24, 1000 + (ids >> 40));
    format!(
        concat!(
            r#"{{"hostname":"node-07","output":"{time}: {priority} {name} | evt_type={event} user=root user_uid=0 "#,
            r#"process={process} proc_exepath={path} parent={parent} command={command} container_id={container:012x} "#,
            r#"k8s_ns=payments","output_fields":{{"container.id":"{container:012x}","#,
            r#""container.image.repository":"registry.example.com/shop/payments-api","container.name":"app","#,
            r#""evt.time":{unix},"evt.type":"{event}","k8s.ns.name":"payments","k8s.pod.name":"app-{pod:010x}","#,
            r#""proc.cmdline":"{command}","proc.exepath":"{path}","proc.name":"{process}","proc.pid":{pid},"#,
            r#""proc.pname":"{parent}","user.name":"root","user.uid":0}},"priority":"{priority}","rule":"{name}","#,
            r#""source":"syscall","tags":[{tags}],"time":"2026-11-22T{time}Z"}}"#,
        ),
        time = time,
        priority = priority,
        name = name,
        event = event,
        process = process,
        path = path,
        parent = parent,
        command = command,
        container = container,
        unix = unix,
        pod = pod,
        pid = pid,
        tags = tags,
    )
}
