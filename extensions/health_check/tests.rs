use super::*;
use lanner_engine::{
    component::Factory,
    config::plan_body,
    telemetry::{Status, Telemetry},
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn get(path: &str, health: &Health) -> (u16, String) {
    let request = Request::get(path).body(()).unwrap();
    let answer = answer(&request, "/", health);
    let (head, body) = answer.into_parts();
    let body = whole(body);
    (head.status.as_u16(), body)
}

/// The bytes of a body that is all there.
fn whole(body: Full<Bytes>) -> String {
    use http_body_util::BodyExt;
    let bytes = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body.collect()).unwrap();
    String::from_utf8(bytes.to_bytes().to_vec()).unwrap()
}

/// Scenario: a process starts, becomes ready, stops.
/// Guarantee: 503, 200, 503 on every readiness path; `/livez` stays 200; the JSON has the Collector's keys.
#[test]
fn readiness_follows_the_phase() {
    let health = Health::default();
    for (phase, status) in [(Phase::Starting, 503), (Phase::Ready, 200), (Phase::Stopping, 503)] {
        health.enter(phase);
        for path in ["/", "/readyz", "/healthz", "/healthz?verbose", "/status"] {
            assert_eq!(get(path, &health).0, status, "{path} while {phase:?}");
        }
        assert_eq!(get("/livez", &health).0, 200);
        let summary: Value = serde_json::from_str(&get("/", &health).1).unwrap();
        let available = if phase == Phase::Ready { "Server available" } else { "Server not available" };
        assert_eq!(summary["status"], available);
        assert!(summary["upSince"].is_string() && summary["uptime"].is_string());
    }
    assert_eq!(get("/nothing", &health).0, 404);
}

/// Scenario: one exporter works, one fails with a text that holds a line break.
/// Guarantee: both are told apart in text and JSON; the text stays one line a component.
#[test]
fn components_are_listed_with_their_errors() {
    let health = Health::default();
    health.enter(Phase::Ready);
    health.report("exporter:debug", Status::Ok);
    health.report("exporter:otlp_grpc", Status::Recoverable("refused\n[+]exporter:otlp_grpc ok".into()));
    let (_, text) = get("/healthz?verbose", &health);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "[+]exporter:debug ok");
    assert!(lines[1].starts_with("[-]exporter:otlp_grpc StatusRecoverableError since "), "{text}");
    let status: Value = serde_json::from_str(&get("/status", &health).1).unwrap();
    assert_eq!(status["status"], "StatusRecoverableError");
    assert_eq!(status["components"]["exporter:debug"]["status"], "StatusOK");
    assert!(status["components"]["exporter:otlp_grpc"]["error"].as_str().unwrap().starts_with("refused"));
}

/// Scenario: the extension runs on a real port and is asked over HTTP, also with POST.
/// Guarantee: it answers with the handle's state and returns on drain.
#[tokio::test]
async fn serves_over_http_until_drained() {
    let health = Health::default();
    let cx = BuildCx::new(Kind::Extension, "health_check".parse().unwrap(), Telemetry::default(), health.clone());
    let config = Config { endpoint: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    let endpoint = config::Plan::of(config).open(&cx).unwrap();
    let address = endpoint.server.local_addr().unwrap();
    let drain = Drain::new();
    let running = tokio::spawn(Box::new(endpoint).run(drain.clone()));
    let ask = async |method: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text[9..12].to_owned()
    };
    assert_eq!(ask("GET").await, "503");
    health.enter(Phase::Ready);
    assert_eq!(ask("GET").await, "200");
    assert_eq!(ask("POST").await, "405");
    drain.request();
    running.await.unwrap().unwrap();
}

/// Scenario: paths without a slash or that are taken, and an unknown key.
/// Guarantee: each is an error that names the place.
#[test]
fn mistakes_are_found_before_start() {
    for (yaml, text) in
        [("path: health", "start it with a slash"), ("path: /livez", "other paths"), ("port: 1", "port")]
    {
        let trial = plan_body(&Factory::extension::<HealthCheck>(), yaml);
        assert!(trial.planned.is_none(), "{yaml}");
        assert!(trial.rendered().contains(text), "{yaml}: {}", trial.rendered());
    }
    assert!(plan_body(&Factory::extension::<HealthCheck>(), "{}").findings.is_empty());
}
