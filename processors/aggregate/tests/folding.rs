//! What passes, what is folded, and what the summaries say.

use super::*;

fn text<'r>(record: &'r LogRecord, key: &'static str) -> &'r str {
    record.attrs.get_str(&Key::intern(key)).unwrap_or_else(|| panic!("no {key} in {record:?}"))
}

/// Scenario: an alert that comes 413 times in a window of 5 minutes, another one once, then the first again.
/// Guarantee: the first of each passes at once; at the window's end a summary tells of 412 more, with what the mapping
/// says of summaries; the one behind the window passes again.
#[tokio::test(start_paused = true)]
async fn repeats_become_a_summary() {
    let bench = Bench::start(json!({})).await;
    bench.send((0..413).map(|uid| alert("shell", uid))).await;
    bench.send([alert("other", "x")]).await;
    assert_eq!(bench.bodies(), ["shell happened", "other happened"]);
    bench.pass(299 * SECOND).await;
    assert_eq!(bench.out().len(), 2);
    bench.pass(SECOND).await;
    bench.send([alert("shell", "later")]).await;
    assert_eq!(bench.bodies(), ["shell happened", "other happened", "412 more in 5m: shell", "shell happened"]);
    let summary = bench.out().remove(2);
    assert_eq!((summary.event_name.as_str(), summary.count), ("falco.alert.summary", 412));
    let record = summary.record;
    assert!(!semantics::is_alert(&record));
    assert_eq!(record.severity_number, Priority::Warning.severity_number());
    assert_eq!(text(&record, "security_rule.name"), "shell");
    assert_eq!(text(&record, "lanner.group.key"), r#"{"rule":"shell","priority":"warning","hostname":"node-1"}"#);
    assert_eq!(text(&record, "lanner.group.first_time"), "2023-11-14T22:13:19.999999999Z");
    assert_eq!(record.observed_time_unix_nano, START + 300_000_000_000);
    let uids: Value = ["1", "2", "3"].into_iter().map(Text::from).collect();
    assert_eq!(record.attrs.get(&Key::intern("lanner.group.exemplars")), Some(&uids));
    bench.assert_adds_up(415);
    assert_eq!(bench.metric("security_alerts_suppressed", "duplicate"), 412);
    assert_eq!(total(&bench.stop().await), 415);
}

/// Scenario: ten failed logins are worth telling; nine come, then in the next minute twelve.
/// Guarantee: the nine are left out and counted; the tenth of the next minute makes a summary of ten at once, and two
/// more are told at the end of the minute.
#[tokio::test(start_paused = true)]
async fn a_threshold_makes_a_summary_when_it_is_reached() {
    let config = json!({"threshold": 10, "window": {"size": "1m"}, "group_by": ["rule"], "exemplars": 0});
    let bench = Bench::start(config).await;
    bench.send((0..9).map(|uid| alert("login", uid))).await;
    bench.assert_adds_up(9);
    assert_eq!(bench.metric("lanner_aggregate_held_records", "aggregate"), 9);
    bench.pass(60 * SECOND).await;
    assert_eq!(bench.metric("security_alerts_suppressed", "below_threshold"), 9);
    bench.send((10..19).map(|uid| alert("login", uid))).await;
    assert_eq!(bench.bodies(), [""; 0]);
    bench.send((19..22).map(|uid| alert("login", uid))).await;
    assert_eq!(bench.bodies(), ["10 in 1m: login"]);
    bench.pass(60 * SECOND).await;
    assert_eq!(bench.bodies(), ["10 in 1m: login", "2 more in 1m: login"]);
    bench.assert_adds_up(21);
    let uids: Vec<String> = bench.out().into_iter().map(|out| out.uid).collect();
    assert_ne!(uids[0], uids[1]);
    assert_eq!(total(&bench.stop().await), 12);
}

/// Scenario: two a minute may pass, two at once; five come at once, and one 30 s later.
/// Guarantee: two and the later one pass; the three others are in the summary of the window.
#[tokio::test(start_paused = true)]
async fn a_rate_limit_folds_what_is_over_it() {
    let config = json!({"rate_limit": {"events": 2, "per": "1m"}, "window": {"size": "1m"}});
    let bench = Bench::start(config).await;
    bench.send((0..5).map(|uid| alert("shell", uid))).await;
    bench.pass(30 * SECOND).await;
    bench.send([alert("shell", 5)]).await;
    bench.pass(30 * SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "shell happened", "shell happened", "3 more in 1m: shell"]);
    bench.assert_adds_up(6);
    assert_eq!(bench.metric("security_alerts_suppressed", "rate_limited"), 3);
}

/// Scenario: an alert every 20 s in a window that slides over a minute in steps of 20 s, then a pause.
/// Guarantee: one passes, a summary goes out at each step's end, and after a quiet minute the next passes.
#[tokio::test(start_paused = true)]
async fn a_sliding_window_tells_at_each_step() {
    let config = json!({"window": {"type": "sliding", "size": "1m", "every": "20s"}});
    let bench = Bench::start(config).await;
    for uid in 0..4 {
        bench.send([alert("shell", uid)]).await;
        bench.pass(20 * SECOND).await;
    }
    assert_eq!(bench.bodies()[0], "shell happened");
    assert_eq!(bench.out()[1..].iter().map(|out| out.count).sum::<u64>(), 3);
    bench.pass(60 * SECOND).await;
    bench.send([alert("shell", "later")]).await;
    assert_eq!(bench.bodies().last().unwrap(), "shell happened");
    assert_eq!(total(&bench.stop().await), 5);
}

/// Scenario: a plain line and an audit event beside alerts; then a condition that takes lines and leaves alerts alone.
/// Guarantee: what takes no part passes at once and unchanged, in the order in which it came.
#[tokio::test(start_paused = true)]
async fn others_pass_at_once() {
    let line = || log().body("a line").attr("proc.name", "cat").attr("log.record.uid", fastrand_uid()).build();
    let bench = Bench::start(json!({})).await;
    bench.send([alert("shell", 1), line(), alert("shell", 2), line()]).await;
    assert_eq!(bench.bodies(), ["shell happened", "a line", "a line"]);
    assert_eq!(bench.metric("lanner_aggregate_records", "bypassed"), 2);
    bench.assert_adds_up(4);
    let bench = Bench::start(json!({"condition": "not rule exists", "group_by": ["body"]})).await;
    bench.send([line(), alert("shell", 1), line(), alert("shell", 2)]).await;
    assert_eq!(bench.bodies(), ["a line", "shell happened", "shell happened"]);
    bench.assert_adds_up(4);
}

/// An id that no other record of the test has.
fn fastrand_uid() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    format!("line-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// Scenario: groups that leave the priority out; among harmless repeats is a critical one.
/// Guarantee: the summary is critical and repeats the attributes of the critical one.
#[tokio::test(start_paused = true)]
async fn nothing_severe_hides_behind_something_harmless() {
    let bench = Bench::start(json!({"group_by": ["hostname"]})).await;
    let mut critical = alert("escape", "critical");
    critical.severity_number = Priority::Critical.severity_number();
    critical.attrs.set("falco.priority", "critical");
    bench.send([alert("a", 1), alert("b", 2), critical, alert("c", 3)]).await;
    bench.pass(300 * SECOND).await;
    let summary = bench.out().remove(1);
    assert_eq!(summary.body, "3 more in 5m: escape");
    assert_eq!(text(&summary.record, "falco.priority"), "critical");
    assert_eq!(summary.record.severity_number, Priority::Critical.severity_number());
}

/// Scenario: an alert is sent again, as after a lost answer.
/// Guarantee: it is known by its id and counts once.
#[tokio::test(start_paused = true)]
async fn a_repeated_record_counts_once() {
    let bench = Bench::start(json!({})).await;
    bench.send([alert("shell", 1), alert("shell", 2)]).await;
    bench.send([alert("shell", 1), alert("shell", 2)]).await;
    bench.assert_adds_up(4);
    assert_eq!(bench.metric("lanner_aggregate_records", "repeated"), 2);
    assert_eq!(total(&bench.stop().await), 2);
}

/// Scenario: a shutdown with a repeat and a missed threshold in open windows.
/// Guarantee: without a storage the repeat is told and the missed one counted; with one both stay, unless told otherwise.
#[tokio::test(start_paused = true)]
async fn open_windows_at_shutdown() {
    for (config, told) in [
        (json!({}), 2),
        (json!({"storage": "file_storage"}), 1),
        (json!({"storage": "file_storage", "flush_on_drain": true}), 2),
    ] {
        let bench = Bench::start(config).await;
        bench.send([alert("shell", 1), alert("shell", 2)]).await;
        assert_eq!(total(&bench.stop().await), told);
    }
    let bench = Bench::start(json!({"threshold": 3})).await;
    bench.send([alert("shell", 1)]).await;
    let telemetry = bench.telemetry.clone();
    assert!(bench.stop().await.is_empty());
    let suppressed = telemetry.metric("security_alerts_suppressed").unwrap();
    assert_eq!(suppressed.series.iter().map(|(_, value)| value).sum::<i64>(), 1);
}

/// Scenario: bytes that are no OTLP.
/// Guarantee: they are handed on as they are, and counted.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_goes_on() {
    let bench = Bench::start(json!({})).await;
    let bytes = bytes::Bytes::from_static(b"\xff\xff");
    bench.stage.absorb(Batch::otlp(lanner_engine::event::OtlpRequest { signal: Signal::Logs, bytes, items: 3 }));
    bench.capture.items(3).await;
    bench.assert_adds_up(3);
}
