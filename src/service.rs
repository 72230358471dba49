//! The running service: telemetry, the graph, signals, and the ledger at the end.

use lanner_engine::{
    component::{BoxError, Drain},
    delivery::{budget::Budget, ledger::Ledger},
    graph::{Graph, Plan, Surroundings},
    telemetry::{self, Health, Telemetry},
};
use std::time::Duration;

/// Runs a checked configuration until a signal or a failure, then drains for at most `deadline`.
///
/// # Errors
/// A component could not be built, or failed while running.
pub async fn run(plan: Plan, deadline: Duration) -> Result<(), BoxError> {
    // Signals are caught before anything is built, so that one during the start is not lost.
    let drain = Drain::new();
    watch_signals(drain.clone())?;
    let telemetry = Telemetry::default();
    let around = Surroundings {
        budget: Budget::new(plan.admission.limit_bytes()),
        ledger: Ledger::default(),
        health: Health::default(),
        telemetry: telemetry.clone(),
    };
    let own = telemetry::start(plan.telemetry.clone(), &telemetry).await?;
    let result = match Graph::build(plan, &around).await {
        Ok(graph) => graph.run(drain, deadline).await.map_err(BoxError::from),
        Err(error) => Err(error.into()),
    };
    own.shutdown().await;
    eprint!("{}", around.ledger);
    result
}

/// Asks for a drain at the first SIGINT, SIGTERM or SIGHUP (there is no reload yet), and exits at the second.
fn watch_signals(drain: Drain) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            // 128 + the number of the signal, as shells report it.
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                _ = hangup.recv() => 129,
            };
            if drain.is_requested() {
                eprintln!("lanner: second signal, exiting at once; what is queued is lost");
                std::process::exit(code);
            }
            drain.request();
        }
    });
    Ok(())
}
