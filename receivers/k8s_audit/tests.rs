//! A real receiver on a real port; the client speaks HTTP/2 on one connection, as an API server does.

mod door;
mod overload;
mod splitting;
mod tls;
mod unread;

use super::*;
use crate::testing::{Folder, SOON, data};
use bytes::Bytes;
use door::{Door, EVENT, list};
use lanner_engine::semantics::{is_audit, keys};

/// Scenario: K4: an EventList, a single event, an array of both, events line by line, lists of other versions with keys
/// around the items, empty ones.
/// Guarantee: 200 with `{}` as JSON, every event a record of its cluster.
#[tokio::test]
async fn takes_every_shape() {
    let door = Door::open(Config::default()).await;
    let lines = format!("{EVENT}\n{EVENT}\r\n");
    for (body, count) in [
        (list(&[EVENT, EVENT]), 2),
        (EVENT.to_owned(), 1),
        (format!("[{EVENT}, {}]", list(&[EVENT, EVENT])), 3),
        (lines, 2),
        (list(&[]), 0),
        (list(&[EVENT]).replace("audit.k8s.io/v1", "audit.k8s.io/v1beta1"), 1),
        (format!(r#"{{"items":[{EVENT}],"new":{{"items":[1,2]}},"kind":"EventList"}}"#), 1),
        (format!(r#"{{"new":[{{"items":[]}}],"items":[{EVENT},{EVENT}],"apiVersion":"audit.k8s.io/v2"}}"#), 2),
        ("[]".to_owned(), 0),
    ] {
        let before = door.capture.records().len();
        let (status, head, answer) = door.post("/k8s-audit/prod-1", body).await;
        assert_eq!((status, answer.as_str()), (200, "{}"));
        assert_eq!(head["content-type"], "application/json");
        assert_eq!(door.capture.records().len() - before, count);
    }
    assert!(door.capture.records().iter().all(is_audit));
    for batch in door.capture.batches() {
        let resource = &batch.as_logs().unwrap().groups[0].resource.attrs;
        assert_eq!(resource.get_str(&keys::CLUSTER_NAME), Some("prod-1"));
        assert_eq!(resource.get_str(&keys::SERVICE_NAME), Some("kube-apiserver"));
    }
    assert!(door.capture.failed().is_empty());
    door.close().await;
}

/// Scenario: K4: 400 items, one of them broken in each of several ways.
/// Guarantee: 200, 399 events, one plain record, counted; the neighbours are untouched.
#[tokio::test]
async fn k4_one_bad_item_costs_one_item() {
    let door = Door::open(Config::default()).await;
    for (bad, reason) in [
        ("{\"kind\":0}", "not_event"),
        ("17", "not_object"),
        ("null", "not_object"),
        ("{\"stage\":\"Panic\",\"verb\":nope}", "not_json"),
        ("{\"stage\":\"Panic\",\"user\":[}", "not_json"),
        ("{\"stage\":\"Panic\"", "not_json"),
    ] {
        let (before, counted) = (door.capture.records().len(), door.counted("lanner_receiver_unusable", reason));
        let mut items = vec![EVENT; 400];
        items[200] = bad;
        assert_eq!(door.post("/k8s-audit", list(&items)).await.0, 200, "{bad}");
        let records = &door.capture.records()[before..];
        assert_eq!(records.iter().filter(|record| is_audit(record)).count(), 399, "{bad}");
        assert_eq!(records.len(), 400, "{bad}");
        assert_eq!(door.counted("lanner_receiver_unusable", reason), counted + 1, "{bad}");
    }
}

/// Scenario: every event of the team's data as one EventList, and the corpus of malformed events.
/// Guarantee: every event is an audit event; nothing is answered 5xx; every malformed body is at least one record.
#[tokio::test]
async fn the_corpus_is_kept() {
    let door = Door::open(Config::default()).await;
    if let Some(events) = data::lines("dev/k8s_audit_events.jsonl") {
        let items: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_eq!(door.post("/k8s-audit", list(&items)).await.0, 200);
        assert_eq!(door.capture.records().len(), items.len());
        assert!(door.capture.records().iter().all(is_audit));
    }
    for line in data::lines("malformed/k8s_audit.jsonl").unwrap_or_default() {
        let case: serde_json::Value = serde_json::from_str(&line).unwrap();
        let before = door.capture.records().len();
        let (status, ..) = door.post("/k8s-audit", case["raw"].as_str().unwrap().to_owned()).await;
        assert_eq!(status, 200, "{}", case["id"]);
        assert!(door.capture.records().len() > before, "{}", case["id"]);
    }
    assert!(door.capture.failed().is_empty());
}

/// Scenario: requests that are no batches of events.
/// Guarantee: the status that says so; what is counted and what is kept.
#[tokio::test]
async fn refusals_have_their_status() {
    let door = Door::open(Config { max_request_body_size: 5000, ..Config::default() }).await;
    let json = ("content-type", "application/json");
    for (method, path, header, body, status, reason) in [
        ("POST", "/", json, "{}", 404, ""),
        ("POST", "/k8s-auditor", json, "{}", 404, ""),
        ("POST", "/k8s-audit/a/b", json, "{}", 404, ""),
        ("GET", "/k8s-audit", json, "", 405, ""),
        ("POST", "/k8s-audit", ("content-type", "text/html"), "{}", 415, "unsupported_type"),
        ("POST", "/k8s-audit", ("content-encoding", "br"), "{}", 415, "unsupported_encoding"),
        ("POST", "/k8s-audit", ("content-encoding", "gzip"), "{}", 400, "corrupt_compression"),
        ("POST", "/k8s-audit", json, "", 400, "empty_body"),
        ("POST", "/k8s-audit", json, &"x".repeat(5001), 413, "too_large"),
    ] {
        let (answered, ..) = door.send(method, path, &[header], body.to_owned()).await;
        assert_eq!(answered, status, "{method} {path} {header:?}");
        if !reason.is_empty() {
            assert_eq!(door.capture.failed().get(reason), Some(&1), "{reason}");
            assert_eq!(door.counted("lanner_receiver_lost_requests", reason), 1);
        }
    }
    assert!(door.capture.batches().is_empty());
    let (status, ..) = door.post("/k8s-audit", "Falco is alive".to_owned()).await;
    assert_eq!(status, 400);
    assert_eq!(door.capture.records()[0].body.as_str(), Some("Falco is alive"), "kept all the same");
}

/// Scenario: K5: an attacker sends an event with the Audit-ID of another; the API server repeats the batch.
/// Guarantee: both are kept with ids of their own, and counted as one collision of the cluster.
#[tokio::test]
async fn k5_a_borrowed_audit_id_suppresses_nothing() {
    let door = Door::open(Config::default()).await;
    let borrowed = EVENT.replace("jane", "mallory");
    for _ in 0..2 {
        assert_eq!(door.post("/k8s-audit/prod", list(&[EVENT, &borrowed])).await.0, 200);
    }
    assert_eq!(door.capture.records().len(), 4);
    assert_eq!(uids(&door).len(), 2);
    assert_eq!(door.counted("lanner.audit.id_collisions", "prod"), 1);
}

/// Scenario: K6: the API server repeats a batch four times, because answers did not reach it.
/// Guarantee: five times the same ids, and no collision.
#[tokio::test]
async fn five_times_the_same_batch_is_one_batch_by_its_ids() {
    let door = Door::open(Config::default()).await;
    let items: Vec<String> = (0..400).map(|n| EVENT.replace("a-1", &format!("id-{n}"))).collect();
    let body = list(&items.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..5 {
        assert_eq!(door.post("/k8s-audit/prod", body.clone()).await.0, 200);
    }
    let counts = uids(&door);
    assert_eq!(counts.len(), 400);
    assert!(counts.values().all(|times| *times == 5));
    assert!(door.telemetry.metric("lanner.audit.id_collisions").is_none());
}

/// How often each id was captured.
fn uids(door: &Door) -> std::collections::BTreeMap<String, usize> {
    let mut count = std::collections::BTreeMap::new();
    for record in door.capture.records() {
        *count.entry(record.attrs.get_str(&keys::UID).unwrap().to_owned()).or_insert(0) += 1;
    }
    count
}

/// Scenario: K6: the API server repeats a batch.
/// Guarantee: the same ids again; other clusters and other events have others.
#[tokio::test]
async fn a_repeated_batch_has_the_same_ids() {
    let door = Door::open(Config::default()).await;
    let other = EVENT.replace("jane", "mary");
    for path in ["/k8s-audit", "/k8s-audit", "/k8s-audit/b"] {
        assert_eq!(door.post(path, list(&[EVENT, &other])).await.0, 200);
    }
    let ids: Vec<_> = door.capture.records().iter().map(|r| r.attrs.get_str(&keys::UID).unwrap().to_owned()).collect();
    assert_eq!(ids[..2], ids[2..4]);
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 4);
}

/// Scenario: K7: 300 batches at once on one connection.
/// Guarantee: each is answered 200, and every event is there.
#[tokio::test]
async fn parallel_posts_on_one_connection() {
    let door = Door::open(Config::default()).await;
    let body: Bytes = list(&[EVENT; 20]).into();
    let posts = (0..300).map(|_| door.post("/k8s-audit", body.clone()));
    let answers = tokio::time::timeout(SOON, futures_util::future::join_all(posts)).await.expect("none hangs");
    assert!(answers.iter().all(|(status, ..)| *status == 200));
    assert_eq!(door.capture.records().len(), 300 * 20);
}

/// Scenario: tokens for every cluster and for one.
/// Guarantee: 401 without a known token, 403 for another cluster's, 200 otherwise.
#[tokio::test]
async fn s7_tokens_let_in_whom_they_should() {
    let token = |token: &str, cluster: Option<&str>| config::TokenConfig {
        token: Some(token.to_owned().into()),
        token_file: None,
        cluster: cluster.map(str::to_owned),
    };
    let tokens = vec![token("everywhere", None), token("only-prod", Some("prod"))];
    let door = Door::open(Config { tokens, ..Config::default() }).await;
    for (path, token, status) in [
        ("/k8s-audit", "", 401),
        ("/k8s-audit", "Bearer wrong", 401),
        ("/k8s-audit", "Bearer ", 401),
        ("/k8s-audit", "Basic everywhere", 401),
        ("/k8s-audit", "Bearer everywhere", 200),
        ("/k8s-audit/prod", "bearer everywhere", 200),
        ("/k8s-audit/prod", "Bearer only-prod", 200),
        ("/k8s-audit/test", "Bearer only-prod", 403),
        ("/k8s-audit", "Bearer only-prod", 403),
    ] {
        let (answered, head, _) = door.send("POST", path, &[("authorization", token)], EVENT.to_owned()).await;
        assert_eq!(answered, status, "{path} {token}");
        assert_eq!(head.contains_key("www-authenticate"), status == 401);
    }
    assert_eq!(door.capture.records().len(), 3);
}

/// Scenario: a token in a file that is replaced, becomes empty, two tokens, unreadable, and good again.
/// Guarantee: the new one is good and the old one no longer; what cannot be used leaves the last good one in force, counted.
#[tokio::test]
async fn a_token_file_is_read_again() {
    let folder = Folder::new("k8s-audit-token");
    let file = folder.write("token", "first\n");
    let tokens = vec![config::TokenConfig { token_file: Some(file.clone().into()), ..Default::default() }];
    let door = Door::open(Config { tokens, ..Config::default() }).await;
    let status = async |token: &str| {
        let header = format!("Bearer {token}");
        door.send("POST", "/k8s-audit", &[("authorization", &header)], EVENT.to_owned()).await.0
    };
    let reloads = async |outcome: &str, count: i64| {
        let look = async {
            while door.counted("lanner_receiver_token_reloads", outcome) < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(SOON, look).await.expect("the change is noticed");
    };
    assert_eq!((status("first").await, status("second").await), (200, 401));
    folder.write("token", "  second");
    reloads("loaded", 1).await;
    assert_eq!((status("first").await, status("second").await), (401, 200));
    folder.write("token", " \n");
    reloads("failed", 1).await;
    folder.write("token", "third\nfourth\n");
    reloads("failed", 2).await;
    std::fs::remove_file(&file).unwrap();
    reloads("failed", 3).await;
    assert_eq!((status("").await, status("third").await, status("second").await), (401, 401, 200));
    folder.write("token", "fifth");
    reloads("loaded", 2).await;
    assert_eq!((status("second").await, status("fifth").await), (401, 200));
}

/// Scenario: a token file that is not there, or is empty, at the start.
/// Guarantee: the receiver does not start; the error names the file and what to do.
#[tokio::test]
async fn a_token_file_must_be_usable_at_the_start() {
    let folder = Folder::new("k8s-audit-no-token");
    let empty = folder.write("empty", "\n");
    for (file, text) in [("/no/such/token", "check the path"), (empty.as_str(), "holds no token")] {
        let tokens = vec![config::TokenConfig { token_file: Some(file.into()), ..Default::default() }];
        let endpoint = lanner_engine::config::ListenAddress::localhost(0);
        let config = Config { tokens, endpoint, ..Config::default() };
        let mapper = AuditMapper::new(&config.semantics).unwrap();
        let cx = BuildCx::new(Kind::Receiver, "k8s_audit".parse().unwrap(), Default::default(), Default::default());
        let error = config::Plan { config, mapper }.open(&cx).err().expect("no start").to_string();
        assert!(error.contains(text) && error.contains(file), "{error}");
    }
}

/// Scenario: configs with mistakes.
/// Guarantee: errors and warnings that name the place and the remedy; the defaults have none, and no token is shown.
#[test]
fn mistakes_are_found_before_start() {
    let factory = lanner_engine::component::Factory::receiver::<K8sAudit>();
    for (yaml, text, fatal) in [
        ("endpoint: 0.0.0.0:9765", "set `tokens`", false),
        ("{endpoint: '0.0.0.0:9765', tokens: [{token: a}]}", "in the clear", false),
        ("max_event_size: 10", "max_event_size", true),
        ("hold: 1m", "20s", true),
        ("tokens: [{token: ''}]", "a token is empty", true),
        ("tokens: [{cluster: prod}]", "exactly one of `token` and `token_file`", true),
        ("tokens: [{token: a, token_file: b}]", "exactly one of `token` and `token_file`", true),
        ("tls: {cert_file: a, key_file: b, reload_interval: 10ms}", "write at least `1s`", true),
        ("tls: {cert_file: a.pem}", "set `key_file`", true),
        ("semantics: {attributes: {a: requestObject}}", "begins with a slash", true),
    ] {
        let trial = lanner_engine::config::plan_body(&factory, yaml);
        assert_eq!(trial.planned.is_none(), fatal, "{yaml}: {}", trial.rendered());
        assert!(trial.rendered().contains(text), "{yaml}: {}", trial.rendered());
    }
    let trial = lanner_engine::config::plan_body(&factory, "{}");
    assert!(trial.findings.is_empty(), "{}", trial.rendered());
}
