//! Secrets that must not come out, and text that must stay text (S9, S11).

use crate::support::{
    connection::Connection,
    curl,
    lanner::{Lanner, TempDir, command},
    wait,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// A part of every secret of these tests.
const CANARY: &str = "c4n4ry";

/// A server that answers 500 with everything it was told, headers and body. It ends with the test.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks is the client's to repeat.
            std::thread::spawn(move || echo_one(stream));
        }
    });
    port
}

fn echo_one(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    let (mut told, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        told.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    told.push_str(&String::from_utf8_lossy(&body));
    let head = "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-type: text/plain\r\n";
    write!(reader.into_inner(), "{head}content-length: {}\r\n\r\n{told}", told.len())
}

/// A configuration with a canary in every secret that there is; `{own}` ports are free ones.
fn config(echo: u16, [falco, audit, otlp, metrics, health]: [u16; 5]) -> String {
    format!(
        "extensions:
  health_check: {{endpoint: 'localhost:{health}'}}
receivers:
  falco_http: {{endpoint: 'localhost:{falco}'}}
  k8s_audit: {{endpoint: 'localhost:{audit}', tokens: [{{token: 'audit-{CANARY}'}}]}}
  otlp: {{protocols: {{http: {{endpoint: 'localhost:{otlp}', auth: {{bearer_token: 'otlp-{CANARY}'}}}}}}}}
  otlp/basic: {{protocols: {{http: {{endpoint: 'localhost:0', auth: {{basic: {{username: u, password: 'basic-{CANARY}'}}}}}}}}}}
processors:
  attributes: {{actions: [{{key: falco.evt.type, action: hash}}], hash_key: 'attributes-{CANARY}'}}
  redact: {{keys: [user.email], action: hash, hash_key: 'redact-{CANARY}'}}
exporters:
  webhook:
    url: 'http://localhost:{echo}/hook/{CANARY}'
    token: 'webhook-{CANARY}'
    headers: {{x-key: 'header-{CANARY}'}}
    sign: {{secret: 'signature-{CANARY}'}}
  webhook/proxy: {{url: 'http://sink.invalid/{CANARY}', proxy_url: 'http://u:proxy-{CANARY}@localhost:{echo}'}}
  slack: {{webhook_url: 'http://localhost:{echo}/services/T0/B0/{CANARY}', proxy_url: 'http://u:slack-{CANARY}@localhost:{echo}'}}
  slack/bot: {{bot_token: 'xoxb-{CANARY}', channel: '#alerts', endpoint: 'http://localhost:{echo}/api'}}
  pagerduty:
    routing_key: '{CANARY}00000000000000000000000000'
    endpoint: 'http://localhost:{echo}'
    proxy_url: 'http://u:duty-{CANARY}@localhost:{echo}'
  alertmanager:
    endpoints: ['http://localhost:{echo}']
    headers: {{authorization: 'Bearer alert-{CANARY}'}}
    proxy_url: 'http://u:alertproxy-{CANARY}@localhost:{echo}'
  otlp_http:
    endpoint: 'http://localhost:{echo}'
    headers: {{authorization: 'Bearer http-{CANARY}'}}
    proxy_url: 'http://u:httpproxy-{CANARY}@localhost:{echo}'
  nats: {{servers: ['nats://localhost:{echo}'], auth: {{token: 'nats-{CANARY}'}}}}
  nats/user: {{servers: ['nats://localhost:{echo}'], auth: {{username: u, password: 'natsuser-{CANARY}'}}}}
  otlp_grpc: {{endpoint: 'localhost:{echo}', tls: {{insecure: true}}, headers: {{authorization: 'Bearer grpc-{CANARY}'}}}}
service:
  extensions: [health_check]
  telemetry:
    logs: {{level: debug, encoding: json}}
    metrics:
      readers:
        - pull: {{exporter: {{prometheus: {{host: localhost, port: {metrics}}}}}}}
        - periodic: {{interval: 1s, exporter: {{otlp: {{protocol: http/protobuf, endpoint: 'http://localhost:{echo}', headers: [{{name: authorization, value: 'own-{CANARY}'}}]}}}}}}
  pipelines:
    logs:
      receivers: [falco_http, k8s_audit, otlp, otlp/basic]
      processors: [attributes, redact]
      exporters: [webhook, webhook/proxy, slack, slack/bot, pagerduty, alertmanager, nats, nats/user, otlp_http, otlp_grpc]
"
    )
}

/// The names of all keys that the schema calls secret, and where they are.
fn secret_keys() -> Vec<(String, String)> {
    fn walk(node: &serde_json::Value, place: &str, found: &mut Vec<(String, String)>) {
        let Some(members) = node.as_object() else { return };
        for (name, inner) in members {
            if inner["writeOnly"] == true {
                found.push((name.clone(), place.to_owned()));
            }
            walk(inner, if place.contains("$defs/") || name == "properties" { place } else { name }, found);
        }
    }
    let schema: serde_json::Value = serde_json::from_slice(&command(&["schema"]).stdout).unwrap();
    let mut found = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        walk(definition, &format!("$defs/{name}"), &mut found);
    }
    found
}

/// Scenario: S9: every secret of the configuration is a canary; sinks echo what they are told; senders show wrong tokens; the
/// log is at its finest; every command and page that shows something of the configuration is asked; then the
/// configuration gets mistakes next to its secrets, and secrets that are mistakes themselves.
/// Guarantee: no output holds a canary.
#[test]
fn s9_no_canary_comes_out() {
    let ports = [(); 5].map(|()| wait::free_port());
    let config = config(echo(), ports);
    let [falco, audit, otlp, metrics, health] = ports;
    for (key, place) in secret_keys() {
        let is_here = match key.as_str() {
            "additionalProperties" => config.contains("headers: {"),
            // Its value must be a real key; a wrong one is below.
            "key_pem" | "nkey_seed" => true,
            key => config.contains(&format!("{key}: '")),
        };
        assert!(is_here, "{place} has a secret `{key}`, which this test does not know: add it to the configuration");
    }
    let mut lanner = Lanner::start(&config);
    let path = lanner.dir.path().join("config.yaml");
    let path = path.to_str().unwrap();
    let mut shown = Vec::new();
    let mut show = |what: &str, text: String| shown.push((what.to_owned(), text));
    let alert = br#"{"rule":"R","priority":"Critical","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{"user.email":"a@b.c"}}"#;
    assert_eq!(curl::post(&format!("http://localhost:{falco}/"), alert, &[]).0, 200);
    for (port, path) in [(audit, "/k8s-audit"), (otlp, "/v1/logs")] {
        let url = format!("http://localhost:{port}{path}");
        let (status, answer) = curl::post(&url, b"{}", &["--header", "Authorization: Bearer wrong"]);
        assert_eq!(status, 401, "{answer}");
        show(path, answer);
    }
    let page = || curl::get(&format!("http://localhost:{metrics}/metrics"), &[]).1;
    let failing =
        |name: &str| lanner.stderr().lines().any(|line| line.contains("xporting failed") && line.contains(name));
    for exporter in ["webhook", "slack", "pagerduty", "alertmanager", "nats", "otlp_http", "otlp_grpc"] {
        wait::until(&format!("{exporter} has failed"), Duration::from_secs(30), || failing(exporter).then_some(()));
    }
    show("metrics", page());
    show("status", curl::get(&format!("http://localhost:{health}/status"), &[]).1);
    for args in [
        vec!["print-config", "--config", path],
        vec!["print-config", "--config", path, "--set", "receivers.falco_http.nonsense=1"],
        vec!["validate", "--config", path],
        vec!["graph", "--config", path],
    ] {
        let output = command(&args);
        show(args[0], String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
    }
    lanner.signal("TERM");
    show("log", lanner.wait(Duration::from_secs(20)).1);
    for (mistake, text) in mistakes(&config) {
        let dir = TempDir::new();
        let path = dir.path().join("config.yaml");
        std::fs::write(&path, &text).unwrap();
        for subcommand in ["validate", "run", "print-config"] {
            let output = command(&[subcommand, "--config", path.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(subcommand != "run" || !output.status.success(), "{mistake}: no error: {said}");
            show(&format!("{subcommand} of {mistake}"), said);
        }
    }
    for (what, text) in &shown {
        for line in text.lines() {
            assert!(!line.contains(CANARY), "{what}: {line}");
        }
    }
    println!("{} outputs, {} bytes", shown.len(), shown.iter().map(|(_, text)| text.len()).sum::<usize>());
}

/// The configuration with something wrong beside or in its secrets.
fn mistakes(config: &str) -> Vec<(&'static str, String)> {
    let change = |from: &str, to: &str| {
        assert!(config.contains(from), "{from}");
        config.replace(from, to)
    };
    let key = format!("tls: {{cert_pem: none, key_pem: 'pem-{CANARY}'}}");
    vec![
        ("an unknown key", change("    token: 'webhook", "    tokn: 1\n    token: 'webhook")),
        ("a secret that is a list", change(&format!("token: 'webhook-{CANARY}'"), &format!("token: ['{CANARY}']"))),
        ("a url that is none", change("url: 'http://localhost", "url: 'ht tp://localhost")),
        ("a proxy that is none", change("proxy_url: 'http://u:", "proxy_url: 'gopher ://u:")),
        ("a header that cannot be sent", change(&format!("'header-{CANARY}'"), &format!("\"{CANARY}\\n\""))),
        ("a key of the wrong length", change("00000000000000000000000000'", "0'")),
        ("a seed that is none", change(&format!("token: 'nats-{CANARY}'"), &format!("nkey_seed: 'SU{CANARY}'"))),
        ("a key that is no PEM", change("falco_http: {", &format!("falco_http: {{{key}, "))),
    ]
}

/// Scenario: S11: senders and sinks whose texts have line breaks, escape sequences, hyperlinks for terminals and bidi marks,
/// wherever they reach the log: paths, names, ids, words of priority, answers of sinks.
/// Guarantee: each line of the log is one JSON object without a control character; the metrics can be read.
#[test]
fn s11_each_log_line_stays_one_line() {
    let [falco, audit, metrics] = [(); 3].map(|()| wait::free_port());
    let echo = echo();
    let mut lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{falco}'}}, k8s_audit: {{endpoint: 'localhost:{audit}'}}}}
connectors: {{event_metrics: }}
exporters:
  webhook: {{url: 'http://localhost:{echo}/'}}
  prometheus: {{endpoint: 'localhost:{}'}}
service:
  telemetry:
    logs: {{level: debug, encoding: json}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {metrics}}}}}}}}}]}}
  pipelines:
    logs: {{receivers: [falco_http, k8s_audit], exporters: [webhook, event_metrics]}}
    metrics: {{receivers: [event_metrics], exporters: [prometheus]}}
",
        wait::free_port()
    ));
    let hostile =
        "x\n{\"level\":\"error\"}\r\n\u{1b}]8;;http://evil\u{7}\u{1b}[2J\u{202e}\u{2028}\u{0}`$(id)`</script>";
    let alert = serde_json::json!({"rule": hostile, "priority": hostile, "source": hostile, "hostname": hostile,
        "time": hostile, "output": hostile, "tags": [hostile], "output_fields": {hostile: hostile}});
    let event = serde_json::json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": hostile, "auditID": hostile,
        "stage": hostile, "requestURI": hostile, "verb": hostile, "user": {"username": hostile}});
    for (port, path, body) in [(falco, "/", &alert), (audit, "/k8s-audit/cluster", &event)] {
        let (status, answer) = curl::post(&format!("http://localhost:{port}{path}"), body.to_string().as_bytes(), &[]);
        assert!((200..500).contains(&status), "{status} {answer}");
    }
    let mut raw = Connection::open(audit).unwrap();
    let status = raw.post("/k8s-audit/%1b%5b2J%0a%7b%22a%22", "X-Odd: \u{1b}[31m\r\n", b"{}");
    assert!(status.is_ok_and(|status| status < 500));
    wait::until("the sink's answer is in the log", Duration::from_secs(30), || {
        lanner.stderr().contains("xporting failed").then_some(())
    });
    let (_, page) = curl::get(&format!("http://localhost:{metrics}/metrics"), &[]);
    assert!(page.lines().all(|line| line.starts_with('#') || line.rsplit_once(' ').is_some()), "{page}");
    lanner.signal("TERM");
    let (_, log) = lanner.wait(Duration::from_secs(20));
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains(": accepted ")).collect();
    assert!(lines.len() > 3);
    for line in lines {
        let parsed = serde_json::from_str::<serde_json::Value>(line);
        assert!(parsed.is_ok_and(|value| value.is_object()), "no JSON object: {line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains(['\u{202e}', '\u{2028}']), "{line:?}");
    }
}
