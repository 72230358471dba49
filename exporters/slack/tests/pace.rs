use super::*;
use crate::testing::{counted, logs, records, request_of};
use lanner_engine::{event::OtlpRequest, testing::log};
use std::time::Duration;
use tokio::time::{advance, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn alert(rule: &str, priority: Priority) -> lanner_engine::testing::LogBuilder {
    log().event_name("falco.alert").attr("security_rule.name", rule).priority(priority)
}

fn one(rule: &str, priority: Priority) -> Request {
    request_of(records(Resource::default(), [alert(rule, priority)]))
}

fn limited(seconds: u64) -> Verdict {
    Verdict::Limited { wait: Some(Duration::from_secs(seconds)), reason: "ratelimited".into() }
}

fn assert_paced(calls: &[Call]) {
    for pair in calls.windows(2) {
        assert!(pair[1].at - pair[0].at >= SECOND, "{:?}", pair[1].at - pair[0].at);
    }
}

/// Scenario: Slack answers 429 with 30 s, then takes messages; meanwhile more alerts come (X1).
/// Guarantee: the message goes out again after exactly 30 s, nothing before; never more than one message a second; all
/// are delivered in one attempt.
#[tokio::test(start_paused = true)]
async fn x1_a_short_wait_is_sat_out() {
    let fake = Fake::new(|number, _| if number == 1 { limited(30) } else { posted(number) });
    let running = Running::start(bot(json!({})), &fake).await;
    let first = running.export(logs(1));
    sleep(10 * SECOND).await;
    let second = running.export(logs(3));
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Outcome::Delivered, Outcome::Delivered));
    let calls = fake.calls();
    assert_eq!(calls[1].at - calls[0].at, 30 * SECOND);
    assert_eq!(calls[1].message, calls[0].message);
    assert_eq!(calls.len(), 5);
    assert_paced(&calls);
    assert_eq!(counted(&running.cx, "lanner_slack_rate_limited"), 1);
}

/// Scenario: Slack answers 429 with 500 s while four alerts wait; more come while it lasts (X1).
/// Guarantee: everything goes back to the engine with the time that is left; Slack is left alone until then.
#[tokio::test(start_paused = true)]
async fn x1_a_long_wait_is_the_engines() {
    let fake = Fake::new(|number, _| if number == 1 { limited(500) } else { posted(number) });
    let running = Running::start(bot(json!({})), &fake).await;
    let request = logs(4);
    let asked = |outcome: Outcome| match outcome {
        Outcome::Retry { after: Some(after), .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(running.exporter.export(&request).await), 500 * SECOND);
    sleep(100 * SECOND).await;
    assert_eq!(asked(running.exporter.export(&logs(1)).await), 400 * SECOND);
    assert_eq!(fake.calls().len(), 1);
    advance(400 * SECOND).await;
    assert_eq!(running.exporter.export(&request).await, Outcome::Delivered);
    let calls = fake.calls();
    assert_eq!((calls.len(), calls[1].at - calls[0].at), (5, 500 * SECOND));
    assert_paced(&calls);
}

/// Scenario: the first of three alerts is delivered, the second meets a failure of the network, the engine tries again.
/// Guarantee: the first is not posted again, the others are.
#[tokio::test(start_paused = true)]
async fn what_was_posted_is_not_posted_again() {
    let fake = Fake::new(|number, _| match number {
        2 => Verdict::Later { reason: "connection reset".into() },
        number => posted(number),
    });
    let running = Running::start(bot(json!({})), &fake).await;
    let rules = ["a", "b", "c"].map(|rule| alert(rule, Priority::Error));
    let request = request_of(records(Resource::default(), rules));
    assert_eq!(
        running.exporter.export(&request).await,
        Outcome::Retry { after: None, reason: "connection reset".into() }
    );
    assert_eq!(running.exporter.export(&request).await, Outcome::Delivered);
    assert_eq!(fake.lines(), ["*Error* a", "*Error* b", "*Error* b", "*Error* c"]);
    assert_paced(&fake.calls());
}

/// Scenario: the engine gives an attempt up while Slack is being called, and Slack takes the message all the same.
/// Guarantee: the next attempt knows it, and posts only the rest.
#[tokio::test(start_paused = true)]
async fn a_post_of_a_given_up_attempt_counts() {
    /// Slow, so that the attempt ends in the middle of the first call.
    struct Slow(Fake);
    #[async_trait]
    impl Api for Slow {
        async fn call(&self, method: Method, message: &Json) -> Verdict {
            let verdict = self.0.call(method, message).await;
            sleep(8 * SECOND).await;
            verdict
        }
    }
    let fake = Fake::willing();
    let plan = plan(bot(json!({}))).0.unwrap();
    let exporter = Arc::new(SlackExporter::new(plan, Box::new(Slow(fake.clone())), &build_cx()).await.unwrap());
    let running = Arc::clone(&exporter);
    let task = tokio::spawn(async move { running.run(Drain::new()).await });
    let request = logs(2);
    assert!(timeout(5 * SECOND, exporter.export(&request)).await.is_err());
    assert_eq!(exporter.export(&request).await, Outcome::Delivered);
    assert_eq!(fake.calls().len(), 2);
    task.abort();
}

/// Scenario: one message of three is refused for ever; then every one (X1: `invalid_auth`).
/// Guarantee: what was refused is rejected with the reason, in one call each; the rest is delivered.
#[tokio::test(start_paused = true)]
async fn x1_final_errors_end_it() {
    let refused = || Verdict::Refused { reason: "HTTP 200: invalid_auth".into() };
    let fake = Fake::new(move |number, _| if number == 2 || number > 3 { refused() } else { posted(number) });
    let running = Running::start(bot(json!({})), &fake).await;
    let reason = "HTTP 200: invalid_auth".to_owned();
    let partial = Outcome::Partial { rejected: 1, reason: reason.clone() };
    assert_eq!(running.export(logs(3)).await.unwrap(), partial);
    assert_eq!(running.export(logs(2)).await.unwrap(), Outcome::Reject { reason });
    assert_eq!(fake.calls().len(), 5);
}

/// Scenario: 15 warnings at once, then a critical alert behind them.
/// Guarantee: five have messages of their own, the rest is one digest that names rules and numbers; the critical one goes
/// next, in front of all that waits.
#[tokio::test(start_paused = true)]
async fn a_burst_becomes_a_digest_and_urgent_alerts_overtake() {
    let fake = Fake::willing();
    let running = Running::start(bot(json!({})), &fake).await;
    let rules = (0..15).map(|number| alert(if number % 3 == 0 { "x <y>" } else { "shell" }, Priority::Warning));
    let burst = running.export(request_of(records(Resource::default(), rules)));
    sleep(SECOND / 2).await;
    let urgent = running.export(one("escape", Priority::Critical));
    assert_eq!((burst.await.unwrap(), urgent.await.unwrap()), (Outcome::Delivered, Outcome::Delivered));
    let calls = fake.calls();
    let counts: Vec<usize> = calls.iter().map(|call| stands_for(&call.message)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 16);
    assert_eq!(counts.len(), 7);
    let lines = fake.lines();
    let digest = counts.iter().position(|count| *count > 1).unwrap();
    assert!(lines[..3].contains(&"*Critical* escape".to_owned()), "{lines:?}");
    assert_eq!(lines[digest], "*10 more alerts* in 1 s, too many to show each");
    let text = calls[digest].message["attachments"][0]["blocks"][0]["text"]["text"].as_str().unwrap();
    let numbers: usize =
        text.lines().map(|line| line.split_once(" × *Warning* ").unwrap().0.parse::<usize>().unwrap()).sum();
    assert!(numbers == 10 && text.contains("x &lt;y&gt;"), "{text}");
    assert!(calls.iter().all(|call| check(&call.message).is_empty()));
    assert_eq!(counted(&running.cx, "lanner_slack_folded_alerts"), 10);
    assert_eq!(counted(&running.cx, "lanner_slack_messages"), 7);
    assert_paced(&calls);
}

/// Scenario: 500 rules with long names in one digest.
/// Guarantee: the digest is within the limits and its numbers add up.
#[tokio::test(start_paused = true)]
async fn a_digest_of_many_rules_adds_up() {
    let fake = Fake::willing();
    let running = Running::start(bot(json!({"digest_after": "0s"})), &fake).await;
    let rules = (0..500).map(|number| alert(&format!("{number} {}", "&👨\u{200d}👩".repeat(60)), Priority::Notice));
    let request = request_of(records(Resource::default(), rules));
    assert_eq!(running.export(request).await.unwrap(), Outcome::Delivered);
    let digest = &fake.calls()[1].message;
    assert_eq!(check(digest), BTreeSet::new());
    let text = digest["attachments"][0]["blocks"][0]["text"]["text"].as_str().unwrap();
    let sum: usize = text.lines().map(|line| line.split_once(" × ").unwrap().0.parse::<usize>().unwrap()).sum();
    assert_eq!((sum, stands_for(digest)), (499, 499));
}

/// Scenario: 10000 alerts a second for 60 s, in requests as the engine gathers them for ten consumers; a critical alert in
/// the first second and one in the middle (X2).
/// Guarantee: at most one message a second; messages and digests add up to all alerts, each counted once; the first critical
/// alert has a message of its own within 2 s, and one that must wait for a free consumer within 3 s.
#[tokio::test(start_paused = true)]
async fn x2_flood() {
    const TICK: Duration = Duration::from_millis(100);
    let fake = Fake::willing();
    let running = Running::start(bot(json!({})), &fake).await;
    let tick = {
        let rules = (0..1000).map(|number| alert(&format!("rule {}", number % 7), Priority::Notice));
        Batch::logs(records(Resource::default(), rules)).to_otlp()
    };
    // What the engine does: what waits is taken together, up to 2 MiB, by at most ten consumers.
    let waiting = Arc::new(Mutex::new(Vec::<OtlpRequest>::new()));
    let delivered = Arc::new(Mutex::new(0));
    let consumers: Vec<_> = (0..10)
        .map(|_| {
            let (waiting, delivered, exporter) =
                (Arc::clone(&waiting), Arc::clone(&delivered), Arc::clone(&running.exporter));
            tokio::spawn(async move {
                loop {
                    let taken: Vec<OtlpRequest> = {
                        let mut waiting = waiting.lock();
                        let most = waiting.len().min(20);
                        waiting.drain(..most).collect()
                    };
                    if taken.is_empty() {
                        sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                    let items = taken.iter().map(|request| request.items).sum();
                    let bytes = taken.iter().map(|request| &request.bytes[..]).collect::<Vec<_>>().concat().into();
                    let request = Request::new(OtlpRequest { signal: Signal::Logs, bytes, items });
                    assert_eq!(exporter.export(&request).await, Outcome::Delivered);
                    *delivered.lock() += items;
                }
            })
        })
        .collect();
    let start = Instant::now();
    for number in 0..600 {
        waiting.lock().push(tick.clone());
        if number == 5 || number == 300 {
            waiting.lock().insert(
                0,
                Batch::logs(records(Resource::default(), [alert(&format!("escape {number}"), Priority::Critical)]))
                    .to_otlp(),
            );
        }
        sleep(TICK).await;
    }
    let in_time = fake.calls().len();
    while *delivered.lock() < 600_002 {
        sleep(SECOND).await;
        assert!(start.elapsed() < 90 * SECOND, "{}", delivered.lock());
    }
    consumers.iter().for_each(JoinHandle::abort);
    let calls = fake.calls();
    assert!(in_time <= 61, "{in_time}");
    assert_paced(&calls);
    assert_eq!(calls.iter().map(|call| stands_for(&call.message)).sum::<usize>(), 600_002);
    for (number, most) in [(5, 2), (300, 3)] {
        let line = format!("*Critical* escape {number}");
        let told = calls.iter().find(|call| call.message["text"] == line.as_str()).expect("a message of its own");
        let late = told.at - (start + TICK * number);
        assert!(late < most * SECOND, "{number}: {late:?}");
    }
}

/// Scenario: the exporter is drained while nothing is in flight; an export comes when nobody posts any more.
/// Guarantee: `run` ends; the export does not hang for ever but is tried again.
#[tokio::test(start_paused = true)]
async fn the_end() {
    let fake = Fake::willing();
    let plan = plan(bot(json!({}))).0.unwrap();
    let exporter = SlackExporter::new(plan, Box::new(fake), &build_cx()).await.unwrap();
    let drain = Drain::new();
    drain.request();
    assert!(exporter.run(drain).await.is_ok());
    assert!(timeout(180 * SECOND, exporter.export(&logs(1))).await.is_err(), "the engine's time limit ends it");
}
