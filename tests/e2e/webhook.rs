//! Alerts through the real binary to a webhook that is overloaded, echoes secrets and refuses one of them.

use crate::support::{
    curl,
    lanner::{Lanner, command},
    wait,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A server of one answer for each connection, which keeps the bodies it took.
struct Hook {
    port: u16,
    taken: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Hook {
    /// Answers 503 to the first three requests, 400 to the event `alert 2`, 200 to the rest, always with everything that it
    /// was told.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::<Mutex<Vec<serde_json::Value>>>::default();
        let keep = Arc::clone(&taken);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                // A connection that breaks is the client's to repeat.
                let _ = stream.map(|stream| answer(stream, number, &keep));
            }
        });
        Self { port, taken }
    }
}

fn answer(stream: TcpStream, number: usize, taken: &Mutex<Vec<serde_json::Value>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let status = match number {
        0..3 => "503 Busy",
        _ if event["output"] == "alert 2" => "400 Bad Request",
        _ => "200 OK",
    };
    if status.starts_with("200") {
        taken.lock().unwrap().push(event);
    }
    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{head}", head.len());
    reader.into_inner().write_all(reply.as_bytes())
}

/// Scenario: ten alerts in one request; the webhook is overloaded, then refuses one, and echoes its URL and token (S9).
/// Guarantee: nine arrive once each, the tenth is counted as rejected, the books close; no secret is in the log, in the
/// metrics or in what `print-config` shows.
#[test]
fn alerts_reach_a_webhook_once_and_secrets_stay() {
    let (port, metrics, hook) = (wait::free_port(), wait::free_port(), Hook::start());
    let config = format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters:
  webhook:
    url: http://localhost:{}/T0/canary-path-7731?key=canary-query-7731
    token: canary-token-7731
    headers: {{x-more: canary-header-7731}}
    sign: {{secret: canary-secret-7731-canary}}
    retry_on_failure: {{initial_interval: 20ms, max_interval: 50ms}}
service:
  telemetry:
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {metrics}}}}}}}}}]}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [webhook]}}}}
",
        hook.port
    );
    let lanner = Lanner::start(&config);
    let alerts: String = (0..10)
        .map(|number| {
            format!(
                "{{\"rule\":\"R\",\"priority\":\"Error\",\"time\":\"2026-01-01T00:00:00.{number:09}Z\",\
                 \"output\":\"alert {number}\",\"output_fields\":{{}}}}\n"
            )
        })
        .collect();
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), alerts.as_bytes(), &[]).0, 200);
    wait::until("nine alerts", Duration::from_secs(20), || (hook.taken.lock().unwrap().len() == 9).then_some(()));
    let page = format!("http://localhost:{metrics}/metrics");
    let count = |name: &str| Lanner::metric(&page, name, "exporter=\"webhook\"");
    wait::until("nine deliveries and one rejection", Duration::from_secs(20), || {
        let counts = ["sent", "send_failed"].map(|which| count(&format!("otelcol_exporter_{which}_log_records")));
        (counts == [9.0, 1.0]).then_some(())
    });
    let taken = hook.taken.lock().unwrap().iter().map(|event| event["output"].to_string()).collect::<Vec<_>>();
    let expected: Vec<String> = (0..10).filter(|number| *number != 2).map(|n| format!("\"alert {n}\"")).collect();
    assert_eq!(taken, expected, "in order, each once");

    let told = format!("{}{}", lanner.stderr(), curl::get(&page, &[]).1);
    assert!(told.contains("HTTP 400 Bad Request"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    let dir = crate::support::lanner::TempDir::new();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, &config).unwrap();
    let printed = command(&["print-config", "--config", path.to_str().unwrap()]);
    let shown = String::from_utf8_lossy(&printed.stdout).into_owned() + &String::from_utf8_lossy(&printed.stderr);
    assert!(printed.status.success() && !shown.contains("canary"), "{shown}");
    let ledger = lanner.stop();
    let row = ledger.row("logs -> webhook");
    assert_eq!((row.delivered, row.rejected), (9, 1));
}
