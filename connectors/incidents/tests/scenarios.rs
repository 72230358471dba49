//! One thing at a time.

use super::bench::*;
use crate::incidents::{Config, Incidents};
use lanner_engine::{
    config::Duration as Span,
    prelude::*,
    telemetry::Distribution,
    testing::{Mood, planning},
};

fn of_pod(time: f64) -> Alert {
    Alert { time, ..Alert::default() }
}

fn trace_ids(capture: &lanner_engine::testing::Capture) -> Vec<[u8; 16]> {
    let mut ids: Vec<[u8; 16]> = Vec::new();
    for record in records(capture).iter().filter(|record| &*record.event_name == "falco.alert") {
        if !ids.contains(&record.trace_id) {
            ids.push(record.trace_id);
        }
    }
    ids
}

/// Scenario: records that are no alerts, as untouched OTLP bytes and damaged, and an alert among others.
/// Guarantee: all go on; what belongs to no incident byte for byte.
#[tokio::test(start_paused = true)]
async fn others_pass_untouched() {
    let bench = Bench::start(Config::default()).await;
    let mut plain = of_pod(1.0).batch();
    plain.records_mut().for_each(|record| record.event_name = "other".into());
    let plain = Batch::otlp(plain.to_otlp());
    let damaged = lanner_engine::event::OtlpRequest { bytes: vec![0xff; 9].into(), ..plain.to_otlp() };
    bench.send(plain.clone()).await;
    bench.send(Batch::otlp(damaged.clone())).await;
    let out: Vec<_> = bench.capture.batches().iter().map(|batch| batch.as_otlp().unwrap().bytes.clone()).collect();
    assert_eq!(out, [plain.to_otlp().bytes, damaged.bytes]);
    assert_eq!(bench.own("lanner_incidents_records", "passed"), 1);
    assert_eq!(bench.own("lanner_incidents_records", "undecodable"), 1);
    assert_eq!(bench.own("security_incidents_active", ""), 0);
}

/// Scenario: alerts with less and less silence between them, then five minutes of it, then another alert.
/// Guarantee: the incident ends after five quiet minutes; the next has a trace of its own with a link to the first.
#[tokio::test(start_paused = true)]
async fn quiet_ends_an_incident_and_the_next_links_to_it() {
    let bench = Bench::start(Config::default()).await;
    for minute in 0..3 {
        bench.send(of_pod(f64::from(minute) * 240.0).batch()).await;
        bench.pass(240.0).await;
    }
    assert_eq!(bench.own("security_incidents_active", ""), 1);
    bench.pass(62.0).await;
    assert_eq!(bench.own("security_incidents_active", ""), 0);
    assert_eq!(bench.own("security_incidents", "warning"), 1);
    let durations = bench.telemetry.metric("security_incident_duration").unwrap().histograms;
    let of_warnings = durations.iter().find(|(labels, _)| labels.iter().any(|(_, value)| value == "warning"));
    let (_, Distribution { buckets, sum, count }) = of_warnings.unwrap();
    assert_eq!((*sum, *count), (480.0, 1));
    assert!(buckets.contains(&(300.0, 0)) && buckets.contains(&(600.0, 1)), "{buckets:?}");
    assert_eq!(bench.own("lanner_incidents_ended", "quiet"), 1);
    bench.send(of_pod(900.0).batch()).await;
    let ids = trace_ids(&bench.capture);
    assert_eq!(ids.len(), 2);
    let capture = bench.stop().await;
    let spans = spans(&capture);
    let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 2, "a stop without a storage ends what is open");
    assert_eq!(roots[1].links[0].trace_id, roots[0].trace_id);
    assert_eq!(roots[1].links[0].span_id, roots[0].span_id);
    assert_eq!(plain(&roots[1].attributes)["lanner.incident.previous"], plain(&roots[0].attributes)["incident.id"]);
    assert_eq!(plain(&roots[1].attributes)["lanner.incident.end_reason"], "shutdown");
}

/// Scenario: alerts that never stop; and a replay of two hours of old alerts within a second.
/// Guarantee: an incident ends after an hour all the same, and in a replay where the events say so.
#[tokio::test(start_paused = true)]
async fn max_duration_and_replays() {
    let bench = Bench::start(Config::default()).await;
    for minute in 0..61 {
        bench.send(of_pod(f64::from(minute) * 60.0).batch()).await;
        bench.pass(60.0).await;
    }
    assert_eq!(bench.own("lanner_incidents_ended", "max_duration"), 1);

    let bench = Bench::start(Config::default()).await;
    for minute in [0, 4, 8, 14, 18, 60, 120] {
        bench.send(of_pod(f64::from(minute) * 60.0 - 7300.0).batch()).await;
    }
    assert_eq!(trace_ids(&bench.capture).len(), 4);
    let early = of_pod(-7300.0 + 30.0).batch();
    bench.send(early).await;
    assert_eq!(trace_ids(&bench.capture).len(), 4, "what is far too late belongs to the incident that is open");
    let capture = bench.stop().await;
    assert!(spans(&capture).iter().all(|span| span.end_time_unix_nano - span.start_time_unix_nano <= 3900 * SECOND));
}

/// Scenario: two pods, a container without a pod that later turns out to be of the first, a process of the host whose
/// parent is in the first, and another process of the host.
/// Guarantee: three incidents: the two pods, and the host without what came out of the pod.
#[tokio::test(start_paused = true)]
async fn places_are_told_apart() {
    let bench = Bench::start(Config::default()).await;
    let bare = Alert { pod: "", uid: "", ..of_pod(1.0) };
    let escaped = Alert { pod: "", uid: "", container: "", pid: 99, parent: 10, created: 3.0, ..of_pod(4.0) };
    let alerts = [
        bare.clone(),
        of_pod(2.0),
        Alert { pod: "db", uid: "u-2", container: "c-2", pid: 20, ..of_pod(3.0) },
        escaped.clone(),
        Alert { pid: 77, parent: 1, ..escaped },
    ];
    for alert in &alerts {
        bench.send(alert.batch()).await;
    }
    let records = records(&bench.capture);
    let trace: Vec<_> =
        records.iter().filter(|record| &*record.event_name == "falco.alert").map(|record| record.trace_id).collect();
    assert_eq!(trace[0], trace[1]);
    assert_eq!(trace[0], trace[3], "out of the container, by its parent");
    assert_eq!(bench.own("security_incidents_active", ""), 3);
    let capture = bench.stop().await;
    let spans = spans(&capture);
    let root = spans.iter().find(|span| span.parent_span_id.is_empty() && span.trace_id == trace[0]).unwrap();
    let by = &plain(&root.attributes)["lanner.incident.correlation"];
    assert_eq!(by, "[container.id, process.pid]");
}

/// Scenario: a pod is made anew under its name.
/// Guarantee: it is another pod; an exec by name concerns the newer one.
#[tokio::test(start_paused = true)]
async fn a_pod_of_the_same_name_is_another_pod() {
    let bench = Bench::start(Config::default()).await;
    bench.send(of_pod(1.0).batch()).await;
    bench.send(Alert { uid: "u-new", container: "c-new", ..of_pod(2.0) }.batch()).await;
    bench.send(exec("web", "a", 2.0)).await;
    let records = records(&bench.capture);
    let of = |name: &str| {
        records.iter().filter(|record| &*record.event_name == name).map(|record| record.trace_id).collect::<Vec<_>>()
    };
    assert_ne!(of("falco.alert")[0], of("falco.alert")[1]);
    assert_eq!(of("k8s.audit.event"), [of("falco.alert")[1]]);
}

/// Scenario: ways in that were refused, that are no ways in, and that are; pods with and without a privileged container.
/// Guarantee: only what the server let through and what can be the cause has a span.
#[tokio::test(start_paused = true)]
async fn only_ways_in_join() {
    let pod = |privileged: bool| {
        let object = format!(
            r#"{{"metadata":{{"generateName":"web-"}},"spec":{{"containers":[{{"name":"a"}},{{"name":"b","securityContext":{{"privileged":{privileged}}}}}]}}}}"#
        );
        AUDIT
            .replace(r#""subresource":"exec""#, r#""subresource":"""#)
            .replace(r#""name":"web-7d4b9","#, "")
            .replace(
                r#""annotations""#,
                &format!(r#""requestObject":{object},"responseObject":{{"metadata":{{"name":"web","namespace":"shop","uid":"u-1"}}}},"annotations""#),
            )
    };
    let line = AUDIT.replace("web-7d4b9", "web");
    let cases = [
        (line.clone(), Some("k8s.audit pods/exec")),
        (line.replace("exec", "attach"), Some("k8s.audit pods/attach")),
        (line.replace(r#""create""#, r#""get""#), Some("k8s.audit pods/exec")),
        (
            line.replace("exec", "ephemeralcontainers").replace(r#""create""#, r#""patch""#),
            Some("k8s.audit pods/ephemeralcontainers"),
        ),
        (line.replace(r#""code":101"#, r#""code":403"#), None),
        (line.replace("exec", "log").replace(r#""create""#, r#""get""#), None),
        (line.replace("exec", "portforward"), None),
        (pod(true), Some("k8s.audit pods")),
        (pod(false), None),
        (line.replace(r#""resource":"pods""#, r#""resource":"nodes""#), None),
    ];
    for (line, expected) in cases {
        for first in [true, false] {
            let bench = Bench::start(Config::default()).await;
            if first {
                bench.send(audit(&line)).await;
            }
            bench.send(Alert { created: -59.0, ..of_pod(-58.0) }.batch()).await;
            if !first {
                bench.send(audit(&line)).await;
            }
            let capture = bench.stop().await;
            let spans = spans(&capture);
            let found = spans.iter().find(|span| span.name.starts_with("k8s.audit")).map(|span| span.name.as_str());
            assert_eq!(found, expected, "{line}");
            let process = spans.iter().find(|span| span.name.starts_with("process")).unwrap();
            let above = spans.iter().find(|span| span.span_id == process.parent_span_id).unwrap();
            assert_eq!(above.name, expected.unwrap_or("security.incident"));
        }
    }
}

/// Scenario: an exec, its three stages, and a second one with the same audit id by somebody else; then nothing, and only
/// after the window an alert; and a process that was there before the exec.
/// Guarantee: stages are one span, requests are not; a way in that nothing followed is forgotten; it causes nothing that was
/// there before.
#[tokio::test(start_paused = true)]
async fn stages_windows_and_causes() {
    let bench = Bench::start(Config::default()).await;
    let stages = ["RequestReceived", "ResponseStarted", "ResponseComplete"];
    for stage in stages {
        bench.send(audit(&AUDIT.replace("ResponseStarted", stage).replace("web-7d4b9", "web"))).await;
    }
    bench.send(audit(&AUDIT.replace("jane", "mallory").replace("web-7d4b9", "web"))).await;
    bench.send(Alert { created: -300.0, ..of_pod(-30.0) }.batch()).await;
    bench.send(Alert { pid: 11, created: -40.0, ..of_pod(-29.0) }.batch()).await;
    let capture = bench.stop().await;
    let found = spans(&capture);
    let ways: Vec<_> = found.iter().filter(|span| span.name.starts_with("k8s.audit")).collect();
    assert_eq!(ways.iter().map(|span| span.events.len()).collect::<Vec<_>>(), [3, 1]);
    let above = |name: &str| {
        let process = found.iter().find(|span| span.name == name).unwrap();
        found.iter().find(|span| span.span_id == process.parent_span_id).unwrap().name.clone()
    };
    assert_eq!(above("process p10"), "security.incident", "it was there before");
    assert_eq!(above("process p11"), "k8s.audit pods/exec");

    let bench = Bench::start(Config::default()).await;
    bench.send(exec("web", "a", 0.0)).await;
    bench.pass(302.0).await;
    bench.send(of_pod(301.0).batch()).await;
    let capture = bench.stop().await;
    assert_eq!(spans(&capture).len(), 2);
    assert_eq!(reports(&capture).len(), 2);
}

/// Scenario: a condition, a least priority, and alerts on both sides of each.
/// Guarantee: what the condition leaves out joins nothing; what is less urgent joins but opens nothing.
#[tokio::test(start_paused = true)]
async fn condition_and_least_priority() {
    let (config, findings) = planning(|cx| {
        let config = Config {
            condition: Some("k8s.pod.name = web".into()),
            min_priority: Some(Priority::Warning),
            ..Config::default()
        };
        config.clone().check(cx).map(|_| config)
    });
    let bench = Bench::start(config.unwrap_or_else(|| panic!("{findings:?}"))).await;
    let notice = |time| Alert { priority: "Notice", ..of_pod(time) };
    bench.send(Alert { pod: "db", uid: "u-2", ..of_pod(0.0) }.batch()).await;
    bench.send(notice(1.0).batch()).await;
    assert_eq!(bench.own("security_incidents_active", ""), 0);
    bench.send(of_pod(2.0).batch()).await;
    bench.send(notice(3.0).batch()).await;
    let joined: Vec<bool> = records(&bench.capture)
        .iter()
        .filter(|record| &*record.event_name == "falco.alert")
        .map(|record| record.trace_id != [0; 16])
        .collect();
    assert_eq!(joined, [false, false, true, true]);
    assert_eq!(bench.own("lanner_incidents_records", "below_min_priority"), 1);
}

/// Scenario: more alerts, processes, incidents and bytes than are allowed.
/// Guarantee: memory stays in its bound; every alert still has ids of its incident; what is not shown is counted in the
/// span and in the metrics; the oldest incident ends early.
#[tokio::test(start_paused = true)]
async fn limits_are_counted() {
    let config = Config { max_processes: 3, max_span_events: 5, max_incidents: 2, ..Config::default() };
    let bench = Bench::start(config).await;
    for number in 0..10 {
        bench.send(Alert { pid: 100 + number, ..of_pod(f64::from(number)) }.batch()).await;
    }
    assert_eq!(bench.own("lanner_incidents_dropped", "process"), 7);
    assert_eq!(bench.own("lanner_incidents_dropped", "span_event"), 5);
    assert_eq!(trace_ids(&bench.capture).len(), 1);
    for (pod, uid) in [("a", "u-a"), ("b", "u-b")] {
        bench.send(Alert { pod, uid, container: uid, ..of_pod(20.0) }.batch()).await;
    }
    assert_eq!(bench.own("lanner_incidents_ended", "limit"), 1);
    let found = spans(&bench.capture);
    let root = found.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
    assert_eq!(plain(&root.attributes)["lanner.incident.dropped_processes"], "7");
    let dropped: u32 = found.iter().map(|span| span.dropped_events_count).sum();
    let events: usize = found.iter().map(|span| span.events.len()).sum();
    assert_eq!((found.len(), events, dropped), (4, 5, 5));

    let large = Config { max_memory_mib: 1, max_span_events: 100_000, max_processes: 1000, ..Config::default() };
    let bench = Bench::start(large).await;
    for number in 0..3000 {
        bench.stage.absorb(Alert { pid: number, ..of_pod(f64::from(number) / 100.0) }.batch());
    }
    assert!(bench.own("lanner_incidents_memory", "") < (1 << 20) + (16 << 10));
    assert!(bench.own("lanner_incidents_dropped", "span_event") > 1000);
}

/// Scenario: a process is idle for a minute while its incident goes on, and is then seen again, with a child.
/// Guarantee: its span is sent once and stays; what comes later is a new span with a link to it.
#[tokio::test(start_paused = true)]
async fn idle_processes_go_out_and_continue() {
    let bench = Bench::start(Config { early_root: true, ..Config::default() }).await;
    bench.send(of_pod(0.0).batch()).await;
    assert_eq!(spans(&bench.capture).len(), 1, "the early root");
    bench.pass(62.0).await;
    assert_eq!(spans(&bench.capture).len(), 2);
    bench.send(Alert { pid: 11, parent: 10, created: 61.0, ..of_pod(62.0) }.batch()).await;
    let capture = bench.stop().await;
    let found = spans(&capture);
    let parents: Vec<_> = found.iter().filter(|span| span.name == "process p10").collect();
    assert_eq!(parents.len(), 2);
    assert_eq!(parents[1].links[0].span_id, parents[0].span_id);
    let child = found.iter().find(|span| span.name == "process p11").unwrap();
    assert_eq!(child.parent_span_id, parents[1].span_id);
    let roots: Vec<_> = found.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 2);
    assert_eq!((&roots[0].span_id, roots[0].events.len()), (&roots[1].span_id, 0));
}

/// Scenario: a hundred alerts in ten seconds, then one every ten seconds for two minutes.
/// Guarantee: the incident is reported when it opens, at most once a minute after that, and when it closes.
#[tokio::test(start_paused = true)]
async fn reports_are_bounded() {
    let bench = Bench::start(Config::default()).await;
    for number in 0..100 {
        bench.send(of_pod(f64::from(number) / 10.0).batch()).await;
        bench.pass(0.09).await;
    }
    for number in 1..=12 {
        bench.pass(10.0).await;
        bench.send(of_pod(f64::from(number) * 10.0 + 10.0).batch()).await;
    }
    bench.pass(302.0).await;
    let states: Vec<_> = reports(&bench.capture).into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["opened", "updated", "updated", "updated", "closed"]);
    let capture = bench.stop().await;
    let of_incident: Vec<LogRecord> =
        records(&capture).into_iter().filter(|record| &*record.event_name == "lanner.incident").collect();
    let mut uids: Vec<_> =
        of_incident.iter().map(|record| record.attrs.get_str(&"log.record.uid".into()).unwrap()).collect();
    uids.dedup();
    assert_eq!(uids.len(), 5);
    let last = of_incident.last().unwrap();
    assert_eq!(last.body.as_str(), Some("Security incident closed: 112 alerts in pod shop/web: Rule Warning"));
    assert_eq!(last.attrs.get(&"lanner.incident.duration".into()), Some(&Value::Double(130.0)));
    assert_eq!(last.severity_number, Priority::Warning.severity_number());
}

/// Scenario: an alert is acknowledged while the pipeline is stuck, then the process is killed; the sender repeats another
/// that was not acknowledged; the storage breaks and recovers.
/// Guarantee: both come out once, with the trace they were given; nothing is acknowledged while the storage fails.
#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_survives() {
    let bench = Bench::start(Config { storage: Some("disk".parse().unwrap()), ..Config::default() }).await;
    bench.capture.set(Mood::Stuck);
    bench.send(of_pod(0.0).batch()).await;
    bench.memory.set_broken(true);
    bench.stage.absorb(of_pod(1.0).batch());
    bench.stage.persist().await.unwrap_err();
    bench.memory.set_broken(false);
    let bench = bench.kill(600).await;
    bench.capture.set(Mood::Taking);
    for _ in 0..2 {
        bench.send(of_pod(1.0).batch()).await;
    }
    let repeated = bench.own("lanner_stage_repeated_records", "");
    let capture = bench.stop().await;
    assert_eq!(repeated, 1);
    let alerts = records(&capture).iter().filter(|record| &*record.event_name == "falco.alert").count();
    assert_eq!(alerts, 2);
    assert_eq!(reports(&capture)[0], ("opened".to_owned(), 1));
}

/// Scenario: an incident that is open at a stop with a storage; the next start is ten minutes later.
/// Guarantee: it is not cut short by the stop, and ends with its own last alert right after the start; what the storage
/// holds of it is gone then, but for the memory of its trace.
#[tokio::test(start_paused = true)]
async fn incidents_outlive_restarts() {
    let bench = Bench::start(Config { storage: Some("disk".parse().unwrap()), ..Config::default() }).await;
    bench.send(exec("web", "a", 0.0)).await;
    bench.send(of_pod(0.0).batch()).await;
    bench.drain.request();
    bench.pass(5.0).await;
    assert_eq!(spans(&bench.capture).len(), 0);
    let bench = bench.kill(600).await;
    assert_eq!(bench.own("security_incidents_active", ""), 1);
    bench.pass(2.0).await;
    assert_eq!(bench.own("security_incidents_active", ""), 0);
    assert_eq!(spans(&bench.capture).len(), 3);
    let left = bench.memory.entries("connector/incidents");
    assert!(left.keys().all(|key| key.starts_with("former/") || key.starts_with("uid/")), "{:?}", left.keys());
    bench.send(of_pod(601.0).batch()).await;
    let capture = bench.kill(400).await;
    capture.pass(2.0).await;
    let spans = spans(&capture.capture);
    let root = spans.iter().rfind(|span| span.parent_span_id.is_empty()).unwrap();
    assert_eq!(root.links.len(), 1, "the next one knows the one before the restart");
}

/// Scenario: only one of the two signals has a pipeline behind the connector.
/// Guarantee: the other is not made, and nothing waits for it.
#[tokio::test(start_paused = true)]
async fn one_signal_is_enough() {
    for (signals, logs, spans_out) in [(Signals::LOGS, 3, 0), (Signals::TRACES, 0, 2)] {
        let bench = Bench::connected(Config::default(), signals).await;
        bench.send(of_pod(0.0).batch()).await;
        bench.pass(302.0).await;
        assert_eq!(bench.own("lanner_stage_dropped_items", ""), 0);
        let capture = bench.stop().await;
        assert_eq!((records(&capture).len(), spans(&capture).len()), (logs, spans_out));
    }
}

/// Scenario: entries of the storage are damaged, cut and foreign.
/// Guarantee: the rest is read, what is damaged is removed, and nothing panics.
#[tokio::test(start_paused = true)]
async fn a_damaged_storage_is_no_end() {
    use lanner_engine::component::StorageProvider;
    let bench = Bench::start(Config { storage: Some("disk".parse().unwrap()), ..Config::default() }).await;
    for pid in 1..5 {
        bench.send(Alert { pid, parent: pid - 1, ..of_pod(f64::from(pid)) }.batch()).await;
    }
    let entries = bench.memory.entries("connector/incidents");
    let memory = bench.memory.open("connector/incidents");
    for (key, value) in &entries {
        for damaged in [value.slice(..value.len() / 2), value.slice(..0), vec![0x0a; 40].into()] {
            memory.put(vec![(key.clone(), Some(damaged))]).await.unwrap();
            let stage = bench.stored().await;
            let late = lanner_engine::stage::Now { monotonic: u64::MAX, unix: START };
            stage.durable.change(|book, effects| book.tick(late, effects));
        }
        memory.put(vec![(key.clone(), Some(value.clone()))]).await.unwrap();
    }
    memory.put(vec![("head/zz".into(), Some(vec![1].into())), ("node/1".into(), None)]).await.unwrap();
    let bench = bench.kill(1).await;
    bench.pass(1.0).await;
    assert_eq!(bench.own("security_incidents_active", ""), 1);
    assert!(!bench.memory.entries("connector/incidents").contains_key("head/zz"));
}

/// Scenario: every number and time is out of its range, and the condition is none.
/// Guarantee: all are reported, each at its key, with what to write.
#[test]
fn every_mistake_is_reported() {
    let wrong = Config {
        condition: Some("rule ==".into()),
        quiet: Span::from_secs(0),
        max_duration: Span::from_secs(700_000),
        join_window: Span::from_secs(0),
        process_idle: Span::from_secs(0),
        update_interval: Span::from_secs(0),
        max_incidents: 0,
        max_processes: 1001,
        max_span_events: 100_001,
        max_memory_mib: 0,
        ..Config::default()
    };
    let (plan, findings) = planning(|cx| wrong.check(cx));
    assert!(plan.is_none());
    assert_eq!(findings.len(), 10, "{findings:?}");
    let short = Config { max_duration: Span::from_secs(60), ..Config::default() };
    assert!(planning(|cx| short.check(cx)).0.is_none());
    assert_eq!(Incidents::TYPE, "incidents");
}
