use super::*;
use lanner_engine::{
    component::Factory,
    config::plan_body,
    semantics::is_alert,
    testing::{Capture, Mood},
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Far more than any of these tests should take; the clocks are paused.
const LATE: Duration = Duration::from_secs(3600);

fn run(config: Config) -> (Capture, Drain, tokio::task::JoinHandle<Result<(), BoxError>>) {
    let (capture, drain) = (Capture::new(), Drain::new());
    let running = tokio::spawn(Box::new(Source::new(config)).run(capture.consumer(), drain.clone()));
    (capture, drain, running)
}

async fn stop(drain: Drain, running: tokio::task::JoinHandle<Result<(), BoxError>>) {
    drain.request();
    timeout(LATE, running).await.expect("ends on drain").unwrap().unwrap();
}

fn rules(records: &[LogRecord]) -> Vec<String> {
    records.iter().map(|record| record.attrs.get_str(&keys::RULE).unwrap_or("(none)").to_owned()).collect()
}

/// Scenario: the default attack, twice, on a paused clock.
/// Guarantee: six different alerts in order, one a second; the second attack starts `interval` after the first;
/// each is an alert that says it is synthetic.
#[tokio::test(start_paused = true)]
async fn an_attack_is_told_step_by_step() {
    let start = Instant::now();
    let (capture, drain, running) = run(Config { count: 12, ..Config::default() });
    timeout(LATE, capture.items(6)).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
    timeout(LATE, capture.items(7)).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 30);
    timeout(LATE, capture.items(12)).await.unwrap();
    stop(drain, running).await;
    let records = capture.records();
    let rules = rules(&records);
    assert_eq!(rules[0], "Attach/Exec Pod");
    assert_eq!(rules[1], "Terminal shell in container");
    assert_eq!(rules[..6], rules[6..]);
    for record in &records {
        assert!(is_alert(record), "{record:?}");
        assert_eq!(record.attrs.get(&keys::SYNTHETIC), Some(&Value::Bool(true)));
        assert!(record.time_unix_nano > 0 && record.body.as_str().is_some());
    }
}

/// Scenario: two runs with the same seed and one with another.
/// Guarantee: the same rules and processes for the same seed, others for the other.
#[test]
fn a_seed_fixes_the_story() {
    let tell = |seed| {
        let mut source = Source::new(Config { seed, scenario: Scenario::Mixed, ..Config::default() });
        let logs = source.make(200);
        let pid = Key::intern("process.pid");
        logs.records()
            .map(|r| (r.attrs.get_str(&keys::RULE).map(str::to_owned), r.attrs.get(&pid).cloned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tell(7), tell(7));
    assert_ne!(tell(7), tell(8));
    let kinds: std::collections::BTreeSet<_> = tell(7).into_iter().map(|(rule, _)| rule).collect();
    assert!(kinds.len() >= 6, "everyday alerts and an attack: {kinds:?}");
}

/// Scenario: the alerts of both scenarios go through the mapping.
/// Guarantee: nothing about them is odd: they look like Falco's own.
#[test]
fn made_up_alerts_are_in_order() {
    for scenario in [Scenario::Attack, Scenario::Mixed] {
        let mut source = Source::new(Config { scenario, ..Config::default() });
        for _ in 0..100 {
            let alert: Arc<str> = source.story.next(now()).into();
            let summary = source.mapper.map_body(&alert, now(), &source.scope, &mut Logs::default());
            assert_eq!((summary.alerts, summary.records()), (1, 1), "{alert}");
            assert!(summary.degraded.is_empty(), "{:?} {alert}", summary.degraded);
        }
    }
}

/// Scenario: 2000 alerts a second for two seconds, on a paused clock.
/// Guarantee: the rate is met to the percent.
#[tokio::test(start_paused = true)]
async fn a_high_rate_is_met() {
    let start = Instant::now();
    let (capture, drain, running) = run(Config { rate: 2000.0, scenario: Scenario::Mixed, ..Config::default() });
    timeout(LATE, capture.items(4_000)).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!((1.97..2.03).contains(&seconds), "{seconds}");
    stop(drain, running).await;
}

/// Scenario: the pipeline is full for a minute, then free.
/// Guarantee: the alert that waited arrives, nothing is counted as failed, and at most a second's worth is caught up.
#[tokio::test(start_paused = true)]
async fn a_full_pipeline_is_waited_for() {
    let (capture, drain, running) = run(Config { rate: 10.0, scenario: Scenario::Mixed, ..Config::default() });
    capture.set(Mood::Busy);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(capture.records().len(), 0);
    capture.set(Mood::Taking);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let count = capture.records().len();
    assert!((1..=25).contains(&count), "{count}");
    assert!(capture.failed().is_empty());
    stop(drain, running).await;
}

/// Scenario: drain while the pipeline is full.
/// Guarantee: it ends, and what it held is counted.
#[tokio::test(start_paused = true)]
async fn drain_ends_a_held_alert() {
    let (capture, drain, running) = run(Config::default());
    capture.set(Mood::Busy);
    timeout(LATE, capture.waiting(1)).await.unwrap();
    stop(drain, running).await;
    assert_eq!(capture.failed()["draining"], 1);
}

/// Scenario: rates that cannot be kept, an unknown scenario.
/// Guarantee: errors with a remedy; the defaults have none.
#[test]
fn mistakes_are_found_before_start() {
    let factory = Factory::receiver::<Generator>();
    for yaml in ["rate: 0", "rate: -1", "rate: 1e9", "rate: .nan", "scenario: quiet"] {
        assert!(plan_body(&factory, yaml).planned.is_none(), "{yaml}");
    }
    let trial = plan_body(&factory, "{}");
    assert!(trial.findings.is_empty(), "{}", trial.rendered());
}
