//! Whole graphs from YAML, planned and run as the program does, with tiny components that note when they start and
//! stop. Every scenario ends with the ledger: the books must close.

mod reload;

use super::{Blueprint, RunError, Service, Surroundings};
use crate::{
    component::PipelineId,
    config::{Inputs, load, render},
    delivery::{budget::Budget, ledger::Ledger},
    prelude::*,
    telemetry::{Health, Status, Telemetry},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// What the components of one test note.
#[derive(Default)]
struct Notes {
    steps: Mutex<Vec<String>>,
    noted: Notify,
    sink: Mutex<SinkState>,
    /// Components that cannot be built, and whether a rehearsal does not notice.
    broken: Mutex<(Vec<String>, bool)>,
}

/// How all sinks of a test are.
#[derive(Clone, Copy, Default, PartialEq)]
enum SinkState {
    #[default]
    Up,
    Down,
    Hanging,
}

impl Notes {
    fn note(&self, step: impl Into<String>) {
        self.steps.lock().push(step.into());
        self.noted.notify_one();
    }

    fn down(&self, down: bool) {
        *self.sink.lock() = if down { SinkState::Down } else { SinkState::Up };
    }

    fn hang(&self, hang: bool) {
        *self.sink.lock() = if hang { SinkState::Hanging } else { SinkState::Up };
    }

    fn fail(&self, components: &[&str]) {
        *self.broken.lock() = (components.iter().map(|id| (*id).to_owned()).collect(), false);
    }

    fn fail_after_rehearsal(&self, components: &[&str]) {
        self.fail(components);
        self.broken.lock().1 = true;
    }

    async fn until(&self, step: &str) {
        while !self.steps.lock().iter().any(|noted| noted == step) {
            self.noted.notified().await;
        }
    }
}

tokio::task_local! {
    /// Where components that are being built find the notes of their test.
    static NOTES: Arc<Notes>;
}

/// A component of any kind that is planned and built without more ado.
macro_rules! component {
    ($name:ident, $type:literal, $signals:ident -> $produces:ident, $config:ty) => {
        struct $name;

        impl Component for $name {
            const TYPE: &'static str = $type;
            const STABILITY: Stability = Stability::Stable;
            const SIGNALS: Signals = Signals::$signals;
            const PRODUCES: Signals = Signals::$produces;
            const README: &'static str = "";
            type Config = $config;
            type Plan = $config;

            fn plan(config: $config, _: &mut PlanCx<'_>) -> Option<$config> {
                Some(config)
            }
        }
    };
}

component!(Source, "source", LOGS -> NONE, SourceConfig);
component!(Half, "half", LOGS -> NONE, Nothing);
component!(Watcher, "watcher", LOGS -> NONE, Nothing);
component!(Holder, "holder", LOGS -> NONE, Nothing);
component!(Bridge, "bridge", LOGS -> LOGS, Nothing);
component!(Sink, "sink", LOGS -> NONE, Nothing);
component!(Lamp, "lamp", NONE -> NONE, Nothing);

const ALL: &[Factory] = &[
    Factory::receiver::<Source>(),
    Factory::transform::<Half>(),
    Factory::built_transform::<Watcher>(),
    Factory::stage::<Holder>(),
    Factory::connector::<Bridge>(),
    Factory::router::<Points>(),
    Factory::exporter::<Sink>(DeliveryDefaults::REMOTE),
    Factory::extension::<Lamp>(),
];

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

/// Brings one batch, then ends as told.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SourceConfig {
    records: usize,
    then: Then,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Then {
    #[default]
    Wait,
    End,
    Fail,
    Panic,
}

/// What runs, with the notes it writes to.
struct Running<T>(T, Arc<Notes>, ComponentId);

impl<T> Running<T> {
    fn build(inner: T, cx: &BuildCx) -> Result<Box<Self>, BoxError> {
        let (broken, late) = NOTES.with(|notes| notes.broken.lock().clone());
        if broken.iter().any(|id| id == cx.id.as_str()) && !(late && cx.is_rehearsal()) {
            return Err("the test broke it".into());
        }
        Ok(Self::new(inner, cx))
    }

    fn new(inner: T, cx: &BuildCx) -> Box<Self> {
        Box::new(Self(inner, NOTES.with(Arc::clone), cx.id.clone()))
    }

    async fn stand_by(&self, drain: &Drain) {
        self.1.note(format!("start {}", self.2));
        drain.requested().await;
        self.1.note(format!("stop {}", self.2));
    }
}

#[async_trait]
impl ReceiverPlan for SourceConfig {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Running::build(*self, cx)?)
    }
}

#[async_trait]
impl Receiver for Running<SourceConfig> {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let mut logs = Logs::default();
        for number in 0..self.0.records {
            let record = LogRecord { time_unix_nano: number as u64, ..LogRecord::default() };
            logs.push(Arc::default(), Arc::default(), record);
        }
        out.consume(Batch::logs(logs)).await?;
        self.1.note("consumed");
        match self.0.then {
            Then::Wait => self.stand_by(&drain).await,
            Then::End => {}
            Then::Fail => return Err("the tap is broken".into()),
            Then::Panic => panic!("the tap burst"),
        }
        Ok(())
    }
}

/// Routes records by the number that the source gave them: the first to the first pipeline, and round.
struct Points;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PointsConfig {
    to: Vec<PipelineId>,
}

impl Component for Points {
    const TYPE: &'static str = "points";
    const STABILITY: Stability = Stability::Stable;
    const SIGNALS: Signals = Signals::LOGS;
    const PRODUCES: Signals = Signals::LOGS;
    const README: &'static str = "";
    type Config = PointsConfig;
    type Plan = Vec<Route>;

    fn plan(config: PointsConfig, cx: &mut PlanCx<'_>) -> Option<Vec<Route>> {
        let numbered = config.to.iter().enumerate();
        Some(numbered.map(|(number, id)| cx.routes_to(&format!("to[{number}]"), id)).collect())
    }
}

impl Router for Vec<Route> {
    fn route(&self, _: &Resource, record: &LogRecord, routes: &mut Routes) {
        routes.add(self[record.time_unix_nano as usize % self.len()]);
    }

    fn route_unread(&self, routes: &mut Routes) {
        routes.extend(self);
    }
}

impl Transform for Nothing {
    fn apply(&self, mut batch: Batch, out: &mut Emitter<'_>) {
        if let Some(logs) = batch.as_logs_mut() {
            for group in &mut logs.groups {
                let kept = group.records.len() / 2;
                out.discard(group.records.len() - kept, "half");
                group.records.truncate(kept);
            }
        }
        out.emit(batch);
    }
}

#[async_trait]
impl TransformPlan for Nothing {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn BuiltTransform>, BoxError> {
        Ok(Running::new((), cx))
    }
}

impl Transform for Running<()> {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit(batch);
    }
}

#[async_trait]
impl BuiltTransform for Running<()> {
    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        self.stand_by(&drain).await;
        Ok(())
    }
}

#[async_trait]
impl StagePlan for Nothing {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Stage>, BoxError> {
        Ok(Running::new(Mutex::<Vec<Batch>>::default(), cx))
    }
}

/// Holds everything until it is drained.
#[async_trait]
impl Stage for Running<Mutex<Vec<Batch>>> {
    fn absorb(&self, batch: Batch) {
        self.0.lock().push(batch);
    }

    async fn run(&self, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        self.stand_by(&drain).await;
        let held = std::mem::take(&mut *self.0.lock());
        for batch in held {
            out.consume(batch).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ExporterPlan for Nothing {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(Running::build((), cx)?)
    }
}

#[async_trait]
impl Exporter for Running<()> {
    async fn export(&self, _: &Request) -> Outcome {
        let state = *self.1.sink.lock();
        match state {
            SinkState::Up => Outcome::Delivered,
            SinkState::Down => Outcome::Retry { after: None, reason: "down".to_owned() },
            SinkState::Hanging => std::future::pending().await,
        }
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        self.stand_by(&drain).await;
        Ok(())
    }
}

#[async_trait]
impl ExtensionPlan for Nothing {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Extension>, BoxError> {
        Ok(Running::new((), cx))
    }
}

#[async_trait]
impl Extension for Running<()> {
    async fn run(self: Box<Self>, drain: Drain) -> Result<(), BoxError> {
        self.stand_by(&drain).await;
        Ok(())
    }
}

/// Two pipelines share the receiver; one halves and holds what it gets, and goes on behind a connector.
const FORKED: &str = "\
receivers: {source: {records: 4, then: THEN}}
processors: {half: , holder: , watcher: }
connectors: {bridge: }
exporters: {sink/whole: , sink/half: }
extensions: {lamp: }
service:
  extensions: [lamp]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs/whole: {receivers: [source], exporters: [sink/whole]}
    logs/half: {receivers: [source], processors: [half, watcher, holder], exporters: [bridge]}
    logs/behind: {receivers: [bridge], exporters: [sink/half]}
";

/// What is left of a graph that was run.
struct Ended {
    result: Result<(), RunError>,
    steps: Vec<String>,
    ledger: Ledger,
    health: Health,
}

impl Ended {
    /// Accepted and delivered items of a pipeline at a destination.
    fn row(&self, pipeline: &str, destination: &str) -> (u64, u64) {
        let rows = self.ledger.rows();
        let row = rows.iter().find(|row| row.pipeline == pipeline && row.destination == destination);
        row.map(|row| (row.accepted, row.delivered)).unwrap_or_else(|| panic!("{}", self.ledger))
    }
}

fn blueprint(yaml: &str) -> Blueprint {
    let inputs = Inputs { embedded: Some(("test.yaml".into(), yaml.into())), ..Inputs::default() };
    let loaded = load(&inputs);
    let mut findings = loaded.findings;
    let planned = loaded.document.and_then(|document| Blueprint::new(document, &Registry::new([ALL]), &mut findings));
    planned.unwrap_or_else(|| panic!("{}", render::human(&findings, &loaded.sources, false)))
}

/// Plans, builds and runs `yaml`; the drain is given once the source's batch was taken.
async fn run(yaml: &str) -> Ended {
    run_until(yaml, true).await
}

/// The same, but the drain is given only when `told` says so.
async fn run_until(yaml: &str, told: bool) -> Ended {
    let around = Surroundings {
        telemetry: Telemetry::default(),
        health: Health::default(),
        ledger: Ledger::default(),
        budget: Budget::new(0),
    };
    let (notes, drain) = (Arc::new(Notes::default()), Drain::new());
    let mut service = Service::new(around.clone(), Duration::from_secs(10));
    NOTES.scope(Arc::clone(&notes), service.swap(blueprint(yaml))).await.unwrap();
    assert!(notes.steps.lock().is_empty(), "nothing runs before everything is built");
    let running = tokio::spawn(service.run(drain.clone()));
    notes.until("consumed").await;
    // Whatever can start has started, and a failure has been seen, when the paused clock moves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(told || running.is_finished());
    drain.request();
    let result = running.await.unwrap();
    assert!(around.ledger.adds_up(), "{}", around.ledger);
    assert_eq!(around.budget.used(), 0, "memory is held for nothing");
    let steps = notes.steps.lock().clone();
    Ended { result, steps, ledger: around.ledger, health: around.health }
}

/// The notes that begin so, exporters in the order of their names, because they start and stop together.
fn steps(ended: &Ended, word: &str) -> Vec<String> {
    let mut steps: Vec<String> =
        ended.steps.iter().filter_map(|step| step.strip_prefix(word)).map(|id| id.trim().to_owned()).collect();
    if let Some(first) = steps.iter().position(|id| id.starts_with("sink/")) {
        steps[first..first + 2].sort();
    }
    steps
}

/// Scenario: a receiver shared by two pipelines, one of which drops half, holds the rest in a stage in its middle and
/// goes on behind a connector; then a stop.
/// Guarantee: the halved copy does not show in the other pipeline, what stages hold is flushed in order, every book
/// closes; components start from the back to the front and stop the other way.
#[tokio::test(start_paused = true)]
async fn a_stop_flushes_everything_in_order() {
    let ended = run(&FORKED.replace("THEN", "wait")).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.row("logs/whole", "sink/whole"), (4, 4));
    assert_eq!(ended.row("logs/half", "holder"), (4, 2));
    assert_eq!(ended.row("logs/half after holder", "bridge"), (2, 2));
    assert_eq!(ended.row("logs/behind", "sink/half"), (2, 2));
    assert_eq!(steps(&ended, "start"), ["lamp", "sink/half", "sink/whole", "watcher", "holder", "bridge", "source"]);
    assert_eq!(steps(&ended, "stop"), ["source", "holder", "bridge", "watcher", "sink/half", "sink/whole", "lamp"]);
    assert!(ended.health.components().iter().all(|(_, status, _)| *status == Status::Ok));
    assert_eq!(ended.health.components().len(), 7);
}

/// Scenario: the receiver fails, or panics, after its batch was taken.
/// Guarantee: the run ends with the component and the reason, which its health shows too; everything else still stops
/// in order, and what was taken arrives.
#[tokio::test(start_paused = true)]
async fn a_failure_stops_everything_in_order() {
    for (then, text) in [
        ("fail", "receiver \"source\" stopped: the tap is broken"),
        ("panic", "receiver \"source\" panicked: the tap burst"),
    ] {
        let ended = run(&FORKED.replace("THEN", then)).await;
        let error = ended.result.as_ref().unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(matches!(error, RunError::Panicked { .. }), then == "panic");
        assert_eq!(ended.row("logs/whole", "sink/whole"), (4, 4));
        assert_eq!(ended.row("logs/behind", "sink/half"), (2, 2));
        assert_eq!(steps(&ended, "stop"), ["holder", "bridge", "watcher", "sink/half", "sink/whole", "lamp"]);
        let source = ended.health.components().into_iter().find(|(name, ..)| &**name == "receiver:source").unwrap();
        assert_eq!(source.1, Status::Permanent(text.to_owned()));
    }
}

/// Scenario: the receiver comes to its end after its batch was taken; then the same beside a receiver that goes on.
/// Guarantee: the first graph stops by itself, in order, without an error and with everything delivered; the second runs
/// on until it is told to stop.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_receiver_is_a_drain() {
    let ended = run_until(&FORKED.replace("THEN", "end"), false).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.row("logs/whole", "sink/whole"), (4, 4));
    assert_eq!(ended.row("logs/behind", "sink/half"), (2, 2));
    assert_eq!(steps(&ended, "stop"), ["holder", "bridge", "watcher", "sink/half", "sink/whole", "lamp"]);
    let both = FORKED
        .replace("THEN}", "end}, source/other: {records: 0}")
        .replace("receivers: [source]", "receivers: [source, source/other]");
    let ended = run(&both).await;
    ended.result.as_ref().unwrap();
    assert_eq!(steps(&ended, "stop")[0], "source/other", "it was running until then");
    assert_eq!(ended.row("logs/whole", "sink/whole"), (4, 4));
}

/// Written against the flow: what is fed stands before what feeds it.
const ROUTED: &str = "\
receivers: {source: {records: 5, then: wait}}
processors: {holder/in: , holder/a: , holder/behind: }
connectors: {bridge: , points: {to: [logs/b, logs/a]}}
exporters: {sink/a: , sink/b: }
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs/behind: {receivers: [bridge], processors: [holder/behind], exporters: [sink/b]}
    logs/b: {receivers: [points], exporters: [bridge]}
    logs/a: {receivers: [points], processors: [holder/a], exporters: [sink/a]}
    logs/in: {receivers: [source], processors: [holder/in], exporters: [points]}
";

/// Scenario: stages in front of a router, behind it, and behind a connector behind it, all full when the stop comes.
/// Guarantee: each is stopped after whatever feeds it, so that everything arrives; the router's books show what each
/// pipeline took.
#[tokio::test(start_paused = true)]
async fn a_stop_flushes_through_routers_and_connectors() {
    let ended = run(ROUTED).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.row("logs/in", "holder/in"), (5, 5));
    assert_eq!(ended.row("logs/in after holder/in", "points"), (5, 5));
    assert_eq!(ended.row("logs/a after holder/a", "sink/a"), (2, 2));
    assert_eq!(ended.row("logs/b", "bridge"), (3, 3));
    assert_eq!(ended.row("logs/behind after holder/behind", "sink/b"), (3, 3));
    let stops = steps(&ended, "stop");
    assert_eq!(stops, ["source", "holder/in", "holder/a", "bridge", "holder/behind", "sink/a", "sink/b"]);
}
