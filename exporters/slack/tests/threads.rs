use super::*;
use crate::testing::{counted, records, request_of};
use lanner_engine::testing::{LogBuilder, MemoryStorage, log};

fn alert(rule: &str, incident: &str) -> LogBuilder {
    log()
        .event_name("falco.alert")
        .attr("security_rule.name", rule)
        .attr("incident.id", incident)
        .priority(Priority::Error)
}

fn report(state: &str, incident: &str) -> LogBuilder {
    let body = format!("incident {state}");
    log().event_name("lanner.incident").attr("incident.id", incident).priority(Priority::Error).body(Value::text(body))
}

async fn send(running: &Running, record: LogBuilder) -> Outcome {
    running.export(request_of(records(Resource::default(), [record]))).await.unwrap()
}

/// Method, thread, changed message.
fn shape(call: &Call) -> (Method, Option<&str>, Option<&str>) {
    (call.method, call.message["thread_ts"].as_str(), call.message["ts"].as_str())
}

/// Scenario: an incident is opened, two alerts follow, it is updated and closed; another one begins with an alert.
/// Guarantee: alerts are replies to the incident's message, which is changed in place; where an alert was first, the report
/// is a reply that is changed in place.
#[tokio::test(start_paused = true)]
async fn an_incident_is_a_thread_and_its_message_is_kept_current() {
    let fake = Fake::willing();
    let running = Running::start(bot(json!({"channel": "#alerts"})), &fake).await;
    for record in [
        report("opened", "I1"),
        alert("a", "I1"),
        alert("b", "I2"),
        report("updated", "I1"),
        report("opened", "I2"),
        alert("c", "I2"),
        report("closed", "I2"),
        log().body("no incident"),
    ] {
        assert_eq!(send(&running, record).await, Outcome::Delivered);
    }
    let calls = fake.calls();
    let shapes: Vec<_> = calls.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [
            (Method::Post, None, None),
            (Method::Post, Some("1.0"), None),
            (Method::Post, None, None),
            (Method::Update, None, Some("1.0")),
            (Method::Post, Some("3.0"), None),
            (Method::Post, Some("3.0"), None),
            (Method::Update, None, Some("5.0")),
            (Method::Post, None, None),
        ]
    );
    let channels: Vec<_> = calls.iter().map(|call| call.message["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["#alerts", "C1", "#alerts", "C1", "C1", "C1", "C1", "#alerts"]);
    assert_eq!(calls[6].message["attachments"][0]["blocks"][0]["text"]["text"], "```incident closed```");
}

/// Scenario: four reports about one incident wait together behind an alert.
/// Guarantee: one message tells the newest state, and all four are delivered.
#[tokio::test(start_paused = true)]
async fn the_newest_report_stands_for_the_older_ones() {
    let fake = Fake::willing();
    let running = Running::start(bot(json!({})), &fake).await;
    let first =
        running.export(request_of(records(Resource::default(), [alert("urgent", "I0").priority(Priority::Emergency)])));
    let states = ["opened", "one", "two", "closed"].map(|state| report(state, "I1"));
    assert_eq!(running.export(request_of(records(Resource::default(), states))).await.unwrap(), Outcome::Delivered);
    assert_eq!(first.await.unwrap(), Outcome::Delivered);
    let calls = fake.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].message["attachments"][0]["blocks"][0]["text"]["text"], "```incident closed```");
}

/// Scenario: the process ends and starts again, with a storage; an entry of the storage is damaged.
/// Guarantee: what comes then goes into the same thread; what is damaged is dropped.
#[tokio::test(start_paused = true)]
async fn threads_survive_a_restart() {
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let config = bot(json!({"storage": "file_storage"}));
    let fake = Fake::willing();
    let running = Running::start_in(config.clone(), &fake, storage.offer(&id, build_cx())).await;
    send(&running, report("opened", "I1")).await;
    drop(running);
    let cx = storage.offer(&id, build_cx());
    cx.storage(&id).unwrap().put(vec![("thread/x".into(), Some("{".into()))]).await.unwrap();
    let running = Running::start_in(config, &fake, cx).await;
    send(&running, alert("a", "I1")).await;
    send(&running, report("closed", "I1")).await;
    let calls = fake.calls();
    assert_eq!(shape(&calls[1]), (Method::Post, Some("1.0"), None));
    assert_eq!(shape(&calls[2]), (Method::Update, None, Some("1.0")));
    assert_eq!(storage.entries("exporter/test/exporter").len(), 1);
}

/// Scenario: the process is killed after Slack took the first message of an incident and before its place was stored, so the
/// engine brings the alert again (X4); the storage is broken.
/// Guarantee: one more message at the top, and everything later is in its thread; a broken storage costs no message.
#[tokio::test(start_paused = true)]
async fn x4_a_kill_before_the_thread_is_stored() {
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let config = bot(json!({"storage": "file_storage"}));
    let fake = Fake::willing();
    let running = Running::start_in(config.clone(), &fake, storage.offer(&id, build_cx())).await;
    storage.set_broken(true);
    assert_eq!(send(&running, alert("a", "I1")).await, Outcome::Delivered);
    assert_eq!(counted(&running.cx, "lanner_slack_storage_failures"), 1);
    drop(running);
    storage.set_broken(false);
    let running = Running::start_in(config, &fake, storage.offer(&id, build_cx())).await;
    for rule in ["a", "b", "c"] {
        assert_eq!(send(&running, alert(rule, "I1")).await, Outcome::Delivered);
    }
    let threads: Vec<_> =
        fake.calls().iter().map(|call| call.message["thread_ts"].as_str().map(str::to_owned)).collect();
    assert_eq!(threads, [None, None, Some("2.0".into()), Some("2.0".into())]);
}

/// Scenario: somebody deletes the incident's message at Slack; then Slack says so to everything.
/// Guarantee: the record is posted anew, and begins a new thread; it is not tried for ever.
#[tokio::test(start_paused = true)]
async fn a_deleted_message_begins_anew() {
    let fake = Fake::new(|number, call| match number {
        2 => Verdict::Gone,
        _ if call.message["text"] == "*Error* nowhere" => Verdict::Gone,
        number => posted(number),
    });
    let running = Running::start(bot(json!({})), &fake).await;
    for record in [report("opened", "I1"), report("closed", "I1"), alert("a", "I1")] {
        assert_eq!(send(&running, record).await, Outcome::Delivered);
    }
    let calls = fake.calls();
    assert_eq!(shape(&calls[1]), (Method::Update, None, Some("1.0")));
    assert_eq!(shape(&calls[2]), (Method::Post, None, None));
    assert_eq!(shape(&calls[3]), (Method::Post, Some("3.0"), None));
    assert!(matches!(send(&running, alert("nowhere", "I1")).await, Outcome::Reject { .. }));
    assert_eq!(fake.calls().len(), 6);
}

/// Scenario: more incidents than are remembered.
/// Guarantee: memory and storage hold the bound; the one that was used last is still known.
#[tokio::test(start_paused = true)]
async fn threads_are_bounded() {
    use crate::slack::threads::Threads;
    let storage = MemoryStorage::default();
    let id: ComponentId = "file_storage".parse().unwrap();
    let cx = storage.offer(&id, build_cx());
    let failures = cx.telemetry.counter("f", "", "", &[]);
    let mut threads = Threads::load(Some(cx.storage(&id).unwrap()), failures).await.unwrap();
    for number in 0..10_050 {
        threads.began(&number.to_string(), "C1".into(), "1.0".into(), false).await;
        assert!(threads.get("0").is_some());
    }
    assert!(threads.get("1").is_none() && threads.get("10049").is_some());
    assert_eq!(storage.entries("exporter/test/exporter").len(), 10_000);
}
