use super::*;
use crate::testing::counted;
use tokio::time::{sleep, timeout};

/// Scenario: 1000 alerts of one rule and host at once, with one urgent among them, and another rule (X5).
/// Guarantee: two events: what waits for one alert is one event, which shows the most urgent and counts all.
#[tokio::test(start_paused = true)]
async fn what_waits_for_one_alert_is_one_event() {
    let fake = Fake::willing();
    let running = Running::start(config(json!({})), &fake).await;
    let storm = (0..1000).map(|number| match number {
        500 => alert("shell", Priority::Critical).body("the urgent one"),
        _ => alert("shell", Priority::Notice),
    });
    let other = running.export([alert("escape", Priority::Error)]);
    assert_eq!(running.export(storm).await.unwrap(), Outcome::Delivered);
    assert_eq!(other.await.unwrap(), Outcome::Delivered);
    assert_eq!(fake.accepted(), ["trigger the urgent one", "trigger escape"]);
    let event = &fake.events()[0];
    assert_eq!(
        (&event["payload"]["custom_details"]["alerts"], &event["payload"]["severity"]),
        (&json!(1000), &json!("critical"))
    );
    assert_eq!(counted(&running.cx, "lanner_pagerduty_joined_alerts"), 999);
    assert_eq!(counted(&running.cx, "lanner_pagerduty_events"), 2);
}

/// Scenario: 300 different alerts at once (X5).
/// Guarantee: never more than 120 calls in any 60 s, the first 120 at once; all are delivered within three minutes, one urgent
/// alert that comes last goes with the next call.
#[tokio::test(start_paused = true)]
async fn x5_at_most_120_a_minute() {
    let fake = Fake::willing();
    let running = Running::start(config(json!({"resolve_after": "0s"})), &fake).await;
    let start = Instant::now();
    let storm = running.export((0..300).map(|number| alert(&format!("rule {number}"), Priority::Warning)));
    sleep(30 * SECOND).await;
    assert_eq!(fake.events().len(), 120);
    let urgent = running.export([alert("urgent", Priority::Emergency)]);
    assert_eq!((storm.await.unwrap(), urgent.await.unwrap()), (Outcome::Delivered, Outcome::Delivered));
    let times = fake.times();
    assert_eq!(times.len(), 301);
    for (first, at) in times.iter().zip(&times[120..]) {
        assert!(*at - *first >= MINUTE);
    }
    assert!(times[300] - start < 3 * MINUTE);
    assert_eq!(fake.accepted()[120], "trigger urgent");
}

/// Scenario: an incident's trigger fails; before the engine brings it again, the record that closes the incident comes (X5).
/// Guarantee: the resolve goes back to the engine until the trigger has arrived; nothing stays open.
#[tokio::test(start_paused = true)]
async fn x5_a_resolve_does_not_overtake_its_trigger() {
    let fake = Fake::new(|number, _| if number == 1 { later() } else { Verdict::Accepted });
    let running = Running::start(config(json!({})), &fake).await;
    let trigger = request([incident("opened", "I1")]);
    let resolve = request([incident("closed", "I1")]);
    assert!(matches!(running.exporter.export(&trigger).await, Outcome::Retry { after: None, .. }));
    let Outcome::Retry { after: Some(after), .. } = running.exporter.export(&resolve).await else { panic!() };
    assert_eq!(running.exporter.export(&trigger).await, Outcome::Delivered);
    sleep(after).await;
    assert_eq!(running.exporter.export(&resolve).await, Outcome::Delivered);
    assert_eq!(fake.accepted(), ["trigger opened", "resolve"]);
    assert!(fake.open().is_empty());
}

/// Scenario: trigger, resolve and trigger of one alert wait together; the engine gives an attempt up whose trigger waits.
/// Guarantee: they leave in that order; the trigger that was given up is not overtaken either.
#[tokio::test(start_paused = true)]
async fn x5_the_order_of_one_alert_holds() {
    let fake = Fake::willing();
    let running = Running::start(config(json!({})), &fake).await;
    let states = ["opened", "updated", "closed", "opened again"].map(|state| incident(state, "I1"));
    assert_eq!(running.export(states).await.unwrap(), Outcome::Delivered);
    assert_eq!(fake.accepted(), ["trigger updated", "resolve", "trigger opened again"]);

    let slow = Fake::new(|number, _| if number == 1 { limited(20) } else { Verdict::Accepted });
    let running = Running::start(config(json!({})), &slow).await;
    let first = running.export([alert("first", Priority::Emergency)]);
    let (trigger, resolve) = (request([incident("opened", "I2")]), request([incident("closed", "I2")]));
    assert!(timeout(10 * SECOND, running.exporter.export(&trigger)).await.is_err());
    assert!(matches!(running.exporter.export(&resolve).await, Outcome::Retry { after: Some(_), .. }));
    assert_eq!(running.exporter.export(&trigger).await, Outcome::Delivered);
    assert_eq!(running.exporter.export(&resolve).await, Outcome::Delivered);
    assert_eq!(first.await.unwrap(), Outcome::Delivered);
    assert_eq!(slow.accepted(), ["trigger first", "trigger opened", "resolve"]);
}

/// Scenario: PagerDuty answers 429 with 20 s, then with 300 s; refuses one event for ever (X5: 400).
/// Guarantee: a short wait is sat out to the second, a long one is the engine's; what is refused is rejected after one call.
#[tokio::test(start_paused = true)]
async fn x5_waits_and_refusals() {
    let refused = || Verdict::Refused { reason: "HTTP 400 Bad Request: 'severity' is invalid".into() };
    let fake = Fake::new(move |number, event| match number {
        1 => limited(20),
        3 => limited(300),
        _ if told(event) == "trigger bad" => refused(),
        _ => Verdict::Accepted,
    });
    let running = Running::start(config(json!({})), &fake).await;
    assert_eq!(running.export([alert("a", Priority::Error)]).await.unwrap(), Outcome::Delivered);
    let bad = running.export([alert("bad", Priority::Error), alert("good", Priority::Notice)]);
    assert!(matches!(bad.await.unwrap(), Outcome::Retry { after: Some(after), .. } if after == 300 * SECOND));
    sleep(100 * SECOND).await;
    let early = running.export([alert("b", Priority::Error)]).await.unwrap();
    assert!(matches!(early, Outcome::Retry { after: Some(after), .. } if after == 200 * SECOND), "{early:?}");
    sleep(200 * SECOND).await;
    let outcome = running.export([alert("bad", Priority::Error), alert("good", Priority::Notice)]).await.unwrap();
    assert!(matches!(outcome, Outcome::Partial { rejected: 1, .. }), "{outcome:?}");
    let times = fake.times();
    assert_eq!((times[1] - times[0], times[3] - times[2]), (20 * SECOND, 300 * SECOND));
    assert_eq!(fake.events().iter().filter(|event| told(event) == "trigger bad").count(), 2);
    assert_eq!(counted(&running.cx, "lanner_pagerduty_rate_limited"), 2);
}
