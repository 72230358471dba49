//! Bounds: keys, bytes, time.

use super::*;
use lanner_engine::testing::Mood;

/// Scenario: five rules, and room for two groups.
/// Guarantee: the others pass as they are, each time, counted under their own outcome.
#[tokio::test(start_paused = true)]
async fn records_of_further_groups_pass() {
    let bench = Bench::start(json!({"max_keys": 2})).await;
    for round in 0..2 {
        bench.send((0..5).map(|rule| alert(&format!("r{rule}"), format!("{round}-{rule}")))).await;
    }
    assert_eq!(bench.out().len(), 8);
    assert_eq!(bench.metric("lanner_aggregate_records", "over_limit"), 6);
    bench.assert_adds_up(10);
    bench.pass(300 * SECOND).await;
    bench.send([alert("r4", "after")]).await;
    assert_eq!(bench.metric("lanner_aggregate_records", "over_limit"), 6, "closed windows make room");
    assert_eq!(total(&bench.stop().await), 11);
}

/// Scenario: X9: a million alerts with a million distinct keys; then repeats with large attributes.
/// Guarantee: keys and bytes stay below their bounds, and every alert comes out.
#[tokio::test(start_paused = true)]
async fn x9_distinct_keys_are_bounded() {
    let alerts: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let config = json!({"group_by": ["rule"], "max_keys": 5_000, "max_bytes": 4_000_000, "window": {"size": "1h"}});
    let bench = Bench::start(config).await;
    let groups = |bench: &Bench| {
        bench.stage.durable.change(|groups, _| (groups.folded(), groups.cells.bytes.get(), groups.cells.keys.get()))
    };
    for start in (0..alerts).step_by(1000) {
        bench.stage.absorb(batch((start..start + 1000).map(|number| alert(&format!("rule {number}"), number))));
        bench.capture.items(start + 1000).await;
    }
    let (_, bytes, keys) = groups(&bench);
    assert_eq!(keys, 5000);
    assert!(bytes < 4_000_000, "{bytes}");
    let large = "x".repeat(10_000);
    for number in 0..5000 {
        let mut repeat = alert(&format!("rule {number}"), format!("again {number}"));
        repeat.attrs.set("process.command_line", large.as_str());
        bench.stage.absorb(batch([repeat]));
    }
    bench.pass(SECOND).await;
    let (folded, bytes, _) = groups(&bench);
    assert!(bytes <= 4_000_000 && bytes > 3_900_000, "{bytes}");
    assert!((100..1000).contains(&folded), "{folded}");
    bench.assert_adds_up(alerts as i64 + 5000);
    assert_eq!(total(&bench.stop().await), alerts as u64 + 5000);
}

/// Scenario: alerts of 600 rules are suppressed.
/// Guarantee: rules that have no series of their own any more are counted together; nothing is missing.
#[tokio::test(start_paused = true)]
async fn series_of_rules_are_bounded() {
    let bench = Bench::start(json!({})).await;
    bench
        .send((0..600).flat_map(|rule| (0..2).map(move |uid| alert(&format!("r{rule}"), format!("{rule}-{uid}")))))
        .await;
    let metric = bench.telemetry.metric("security_alerts_suppressed").unwrap();
    assert_eq!(metric.series.len(), 501 * 4);
    let overflow = metric.series.iter().filter(|(labels, _)| labels.contains(&("otel_metric_overflow", "true".into())));
    assert_eq!(overflow.map(|(_, value)| value).sum::<i64>(), 100);
    bench.assert_adds_up(1200);
}

/// Scenario: the pipeline takes nothing; senders go on until the stage is full; then it takes again.
/// Guarantee: full at a bound, windows wait meanwhile, and everything comes out.
#[tokio::test(start_paused = true)]
async fn a_stuck_pipeline_fills_the_stage_up_to_a_bound() {
    let bench = Bench::start(json!({"window": {"size": "10s"}, "group_by": ["rule"]})).await;
    bench.capture.set(Mood::Busy);
    let mut sent = 0;
    while !bench.stage.is_full() {
        assert!(sent < 10_000);
        let mut record = alert(&format!("r{sent}"), sent);
        record.attrs.set("process.command_line", "x".repeat(10_000));
        bench.stage.absorb(batch([record]));
        bench.stage.absorb(batch([alert(&format!("r{sent}"), format!("again {sent}"))]));
        sent += 1;
    }
    bench.pass(60 * SECOND).await;
    assert_eq!(bench.stage.durable.change(|groups, _| groups.folded()), sent);
    bench.capture.set(Mood::Taking);
    bench.pass(60 * SECOND).await;
    assert_eq!(total(&bench.out()), 2 * sent);
    bench.assert_adds_up(2 * sent as i64);
}

/// Scenario: D23: the wall clock jumps back an hour and forward a day while a window is open.
/// Guarantee: the window ends after its size, whatever the wall clock says.
#[tokio::test(start_paused = true)]
async fn d23_windows_ignore_steps_of_the_wall_clock() {
    let (real, step) = (Clock::starting_at(START), Arc::new(std::sync::atomic::AtomicI64::new(0)));
    let read = Arc::clone(&step);
    let clock = Clock::from_fn(move || {
        let Now { unix, monotonic } = real.now();
        Now { unix: unix.saturating_add_signed(read.load(std::sync::atomic::Ordering::Relaxed)), monotonic }
    });
    let bench = Bench::start_on(json!({}), &MemoryStorage::default(), Capture::new(), clock).await;
    bench.send([alert("shell", 1), alert("shell", 2)]).await;
    for (seconds, hours) in [(100, -1), (100, 24), (99, 0)] {
        step.store(hours * 3_600_000_000_000, std::sync::atomic::Ordering::Relaxed);
        bench.pass(seconds * SECOND).await;
        bench.send([alert("shell", format!("{hours}"))]).await;
        assert_eq!(bench.out().len(), 1);
    }
    bench.pass(SECOND).await;
    assert_eq!(bench.bodies(), ["shell happened", "4 more in 5m: shell"]);
}

/// Scenario: a million alerts of 20 rules, nearly all repeats.
/// Guarantee: absorbing one takes less than 2 us (checked in release builds only).
#[tokio::test(start_paused = true)]
async fn cost_of_absorb() {
    let bench = Bench::start(json!({})).await;
    let rounds = if cfg!(debug_assertions) { 100 } else { 5000 };
    let batches: Vec<Batch> = (0..20)
        .map(|rule| {
            let mut record = alert(&format!("rule number {rule}"), 0);
            record.attrs.remove(&semantics::keys::UID);
            batch([record])
        })
        .collect();
    let begin = std::time::Instant::now();
    for _ in 0..rounds {
        for batch in &batches {
            bench.stage.absorb(batch.clone());
        }
    }
    let each = begin.elapsed().as_nanos() / (rounds * batches.len()) as u128;
    println!("absorb: {each} ns per alert");
    assert!(cfg!(debug_assertions) || each < 2000, "{each} ns");
}
