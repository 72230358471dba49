//! One graph after the other, on a paused clock.

use super::*;
use crate::{delivery::ledger::Row, graph::SwapError};

/// Runs reloads of one service.
struct Reloaded {
    service: Service,
    around: Surroundings,
    notes: Arc<Notes>,
}

impl Reloaded {
    fn new() -> Self {
        let around = Surroundings {
            telemetry: Telemetry::default(),
            health: Health::default(),
            ledger: Ledger::default(),
            budget: Budget::new(0),
        };
        let service = Service::new(around.clone(), Duration::from_secs(10));
        Self { service, around, notes: Arc::default() }
    }

    async fn swap(&mut self, yaml: &str) -> Result<(), SwapError> {
        let swap = self.service.swap(blueprint(yaml));
        let swapped = NOTES.scope(Arc::clone(&self.notes), swap).await;
        // Whatever has started or ended has noted it when the paused clock moves.
        tokio::time::sleep(Duration::from_millis(1)).await;
        swapped
    }

    fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.steps.lock())
    }

    fn row(&self, destination: &str) -> Row {
        let rows = self.around.ledger.rows();
        rows.into_iter().find(|row| row.destination == destination).unwrap()
    }

    async fn stop(self) -> Ledger {
        self.service.stop(tokio::time::Instant::now()).await;
        assert!(self.around.ledger.adds_up(), "{}", self.around.ledger);
        assert_eq!(self.around.budget.used(), 0, "memory is held for nothing");
        self.around.ledger
    }
}

const SIMPLE: &str = "\
receivers: {source: {records: 3}}
processors: {holder: }
exporters: {sink: }
extensions: {lamp: }
service:
  extensions: [lamp]
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [source], processors: [holder], exporters: [sink]}}
";

/// Scenario: a reload while a stage in the middle holds records.
/// Guarantee: what it held is delivered; the old parts stop, receivers first, before any new one starts, and an extension
/// that is written as before is not touched.
#[tokio::test(start_paused = true)]
async fn a_reload_stops_before_it_starts() {
    let mut graph = Reloaded::new();
    graph.swap(SIMPLE).await.unwrap();
    graph.take_notes();
    graph.swap(&SIMPLE.replace("records: 3", "records: 2")).await.unwrap();
    let mut notes = graph.take_notes();
    assert_eq!(notes[..3], ["stop source", "stop holder", "stop sink"]);
    notes.drain(..3);
    notes.sort();
    assert_eq!(notes, ["consumed", "start holder", "start sink", "start source"]);
    assert_eq!(graph.around.health.components().len(), 4);
    let ledger = graph.stop().await;
    let rows = ledger.rows();
    assert_eq!(rows.len(), 2, "one account for each, whatever the number of reloads:\n{ledger}");
    assert!(rows.iter().all(|row| (row.accepted, row.delivered) == (5, 5)), "{ledger}");
}

/// Scenario: a reload to something that cannot be built; one whose rehearsal succeeds and whose build fails; one where the
/// way back fails as well.
/// Guarantee: the first touches nothing; after the second the former graph runs again; after the third nothing runs, and the
/// next that works does.
#[tokio::test(start_paused = true)]
async fn a_reload_that_fails() {
    let mut graph = Reloaded::new();
    graph.swap(SIMPLE).await.unwrap();
    graph.take_notes();
    let broken = SIMPLE
        .replace("exporters: {sink: }", "exporters: {sink: , sink/broken: }")
        .replace("[sink]", "[sink, sink/broken]");
    graph.notes.fail(&["sink/broken"]);
    let refused = graph.swap(&broken).await;
    assert!(matches!(&refused, Err(SwapError::Refused(error)) if error.to_string().contains("sink/broken")));
    assert!(graph.take_notes().is_empty(), "nothing was touched");
    let late = broken.replace("records: 3}", "records: 3}, source/late: ").replace("[source]", "[source, source/late]");
    graph.notes.fail_after_rehearsal(&["source/late"]);
    assert!(matches!(graph.swap(&late).await, Err(SwapError::RolledBack(_))));
    assert!(graph.take_notes().contains(&"start source".to_owned()), "it runs again");
    graph.notes.fail_after_rehearsal(&["sink/broken", "source"]);
    assert!(matches!(graph.swap(&broken).await, Err(SwapError::Down(_))));
    assert!(!graph.service.is_running());
    graph.notes.fail(&[]);
    graph.swap(SIMPLE).await.unwrap();
    assert!(graph.service.is_running());
    let ledger = graph.stop().await;
    let delivered: Vec<u64> = ledger.rows().iter().map(|row| row.delivered).collect();
    assert_eq!(delivered, [9, 9, 0], "in the stage, at the sink, at the one that never ran:\n{ledger}");
}

/// Scenario: an exporter whose sink is down is kept, changed in its queue, taken out and brought back over reloads.
/// Guarantee: what waits is delivered by the successor, once; what waited for the one that was taken out is rejected when its
/// time is over; the books close for each, whenever it was there.
#[tokio::test(start_paused = true)]
async fn queues_outlive_graphs() {
    let both = SIMPLE
        .replace("processors: [holder], ", "")
        .replace("exporters: {sink: }", "exporters: {sink: , sink/b: }")
        .replace("[sink]", "[sink, sink/b]");
    let mut graph = Reloaded::new();
    graph.notes.down(true);
    graph.swap(&both).await.unwrap();
    graph.swap(&both.replace("sink: ,", "sink: {sending_queue: {sizer: items, queue_size: 50}},")).await.unwrap();
    assert_eq!((graph.row("sink").queued, graph.row("sink/b").queued), (6, 6));
    let size = graph.around.telemetry.metric("otelcol_exporter_queue_size").unwrap();
    let sizes: Vec<i64> = size.series.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [6, 2], "in items, in requests");
    let alone = both.replace("[sink, sink/b]", "[sink]");
    graph.swap(&alone).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let gone = graph.row("sink/b");
    assert_eq!((gone.accepted, gone.queued, gone.rejected.len()), (6, 0, 1), "{gone}");
    graph.notes.down(false);
    graph.swap(&both).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((graph.row("sink").accepted, graph.row("sink").delivered), (12, 12));
    assert_eq!((graph.row("sink/b").accepted, graph.row("sink/b").delivered), (9, 3));
    let missed = graph.around.telemetry.metric("lanner_pipeline_missed_items").unwrap();
    assert_eq!(missed.series.iter().map(|(_, items)| *items).sum::<i64>(), 3);
    graph.stop().await;
}

/// Scenario: the sink does not answer at all when the reload comes.
/// Guarantee: the reload waits for it no longer than the hand-over, the attempt is given up, and the successor makes it again.
#[tokio::test(start_paused = true)]
async fn an_attempt_in_flight_does_not_hold_a_reload() {
    let direct = SIMPLE.replace("processors: [holder], ", "");
    let mut graph = Reloaded::new();
    graph.notes.hang(true);
    graph.swap(&direct).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    graph.notes.hang(false);
    let began = tokio::time::Instant::now();
    graph.swap(&direct.replace("records: 3", "records: 1")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let row = graph.row("sink");
    assert_eq!((row.accepted, row.delivered), (4, 4));
    graph.stop().await;
}
