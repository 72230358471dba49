//! The running service: telemetry, the graph and what replaces it, signals, and the ledger at the end.
//!
//! Promises
//! - SIGHUP, and with `--watch` a change of the files, loads the configuration again. One that is wrong is reported as at a
//!   start and changes nothing. Requests that come while one is worked on fold into one; during the drain they do nothing.
//! - SIGINT or SIGTERM drains, also in the middle of a reload, which is finished first; the deadline counts from the signal.
//!   A second one exits at once.
//! - Without `--wait-for-valid` the first configuration must work, or the process ends with 1. Later ones never end it.
//! - While no configuration works (with `--wait-for-valid` at the start, or when both a new one and the way back have
//!   failed) the files are looked at, builds are tried again, and `health_check` says that the process is not ready.

mod signals;
mod watch;

use crate::{check::ConfigArgs, cli};
use lanner_engine::{
    component::{BoxError, Registry},
    config::{Loaded, Node},
    delivery::{budget::Budget, ledger::Ledger},
    graph::{Blueprint, Service, Surroundings, SwapError},
    telemetry::{self, Counter, Health, Phase, Status, Telemetry},
};
use signals::Signals;
use std::time::Duration;
use watch::Watch;

/// How soon a configuration is tried again that is valid and could not be built.
const AGAIN: Duration = Duration::from_secs(5);
/// How the health names a configuration that is not the one that runs.
const NAME: &str = "configuration";
/// The extension that tells how the process is while it waits for its first configuration, at its default address.
const HEALTH: &str = "health_check";

/// How to run.
pub struct Settings {
    pub config: ConfigArgs,
    pub registry: Registry,
    /// How long a drain may take.
    pub deadline: Duration,
    /// Reload when the files change.
    pub watch: bool,
    /// Wait instead of ending when the first configuration does not work.
    pub wait_for_valid: bool,
}

/// Why the service has ended.
#[derive(Debug)]
pub enum Ended {
    /// The first configuration is invalid; the findings have been reported.
    Invalid,
    Failed(BoxError),
}

/// What became of one look at the configuration.
enum Applied {
    Runs,
    /// It has findings, which were reported.
    Invalid,
    /// It could not be started, or is not worth the end of what runs.
    NotStarted(BoxError),
    /// The signal to stop came before it ran.
    Stopped,
}

struct Process {
    settings: Settings,
    around: Surroundings,
    service: Service,
    /// Whether a configuration of the user runs.
    works: bool,
    /// Lanner's own telemetry with its part of the configuration, from the first valid one on.
    own: Option<(telemetry::Running, Node)>,
}

/// Runs until a signal, the end of the last receiver or a failure, then drains.
///
/// # Errors
/// [`Ended`].
pub async fn run(settings: Settings) -> Result<(), Ended> {
    // Signals are caught before anything is built, so that one during the start is not lost.
    let signals = Signals::catch().map_err(|error| Ended::Failed(error.into()))?;
    let around = Surroundings {
        telemetry: Telemetry::default(),
        health: Health::default(),
        ledger: Ledger::default(),
        budget: Budget::new(0),
    };
    let service = Service::new(around.clone(), settings.deadline);
    let mut process = Process { settings, around, service, works: false, own: None };
    let result = process.work(&signals).await;
    let Process { around, service, own, .. } = process;
    service.stop(signals.stopped_at()).await;
    if let Some((own, _)) = own {
        own.shutdown().await;
    }
    eprint!("{}", around.ledger);
    result
}

impl Process {
    async fn work(&mut self, signals: &Signals) -> Result<(), Ended> {
        let mut watch = Watch::new(&self.settings.config);
        let mut first = true;
        loop {
            watch.mark().await;
            let applied = self.apply(signals).await;
            if first && !self.works {
                self.not_started(&applied).await?;
            }
            first = false;
            let again = !self.works && matches!(applied, Applied::NotStarted(_));
            let watches = self.settings.watch || !self.works;
            tokio::select! {
                biased;
                () = signals.stop() => {
                    self.service.report(None);
                    return Ok(());
                }
                ended = self.service.ended() => {
                    self.service.report(ended.as_ref());
                    return ended.map_or(Ok(()), |error| Err(Ended::Failed(error.into())));
                }
                () = signals.reload() => tracing::info!("SIGHUP: loading the configuration again"),
                () = watch.changed(), if watches => tracing::info!("the configuration has changed: loading it again"),
                () = tokio::time::sleep(AGAIN), if again => {}
            }
        }
    }

    /// Ends, or waits with nothing but a health endpoint.
    async fn not_started(&mut self, applied: &Applied) -> Result<(), Ended> {
        let problem = match applied {
            Applied::Runs | Applied::Stopped => return Ok(()),
            Applied::Invalid if !self.settings.wait_for_valid => return Err(Ended::Invalid),
            Applied::NotStarted(error) if !self.settings.wait_for_valid => {
                return Err(Ended::Failed(error.to_string().into()));
            }
            Applied::Invalid => "it has errors".to_owned(),
            Applied::NotStarted(error) => error.to_string(),
        };
        eprintln!("lanner: waiting for a configuration that works: {problem}");
        self.around.health.report(NAME, Status::Permanent(problem));
        if let Some(waiting) = Blueprint::of_extension(&self.settings.registry, HEALTH)
            && let Err(error) = self.service.swap(waiting).await
        {
            eprintln!("lanner: nobody can ask how this goes: {error}");
        }
        Ok(())
    }

    /// Loads the configuration and makes it the one that runs.
    async fn apply(&mut self, signals: &Signals) -> Applied {
        let Loaded { document, mut findings, sources } = self.settings.config.load();
        let telemetry = document.as_ref().map(|document| document.telemetry.clone()).unwrap_or_default();
        let blueprint = document.and_then(|document| Blueprint::new(document, &self.settings.registry, &mut findings));
        cli::report(&findings, &sources);
        let Some(blueprint) = blueprint else {
            self.refused("invalid", "it has errors, which are on stderr");
            return Applied::Invalid;
        };
        if let Err(error) = self.tell(&blueprint, telemetry).await {
            return Applied::NotStarted(error);
        }
        let begins = !self.service.is_running();
        let swapped = tokio::select! {
            swapped = self.service.swap(blueprint) => swapped,
            // A start from nothing can be given up at any point.
            () = signals.stop(), if begins => return Applied::Stopped,
        };
        let Err(error) = swapped else {
            self.runs();
            return Applied::Runs;
        };
        match &error {
            SwapError::Refused(_) => self.refused("refused", &error.to_string()),
            SwapError::RolledBack(_) => self.refused("rolled_back", &error.to_string()),
            SwapError::Down(_) => {
                self.refused("failed", &error.to_string());
                self.works = false;
                self.around.health.enter(Phase::Starting);
                self.around.health.report(NAME, Status::Permanent(error.to_string()));
            }
        }
        Applied::NotStarted(error.into())
    }

    /// Starts Lanner's own telemetry, or says that it stays as it is.
    async fn tell(&mut self, blueprint: &Blueprint, written: Node) -> Result<(), BoxError> {
        match &self.own {
            Some((_, before)) if before.says_the_same(&written) => {}
            Some(_) => {
                tracing::warn!("`service.telemetry` has changed; restart to apply that, everything else is reloaded")
            }
            None => {
                let plan = blueprint.plan().telemetry;
                self.own = Some((telemetry::start(plan, &self.around.telemetry).await?, written));
            }
        }
        Ok(())
    }

    fn runs(&mut self) {
        self.around.health.forget(NAME);
        self.around.health.ready();
        if std::mem::replace(&mut self.works, true) {
            self.count("success");
            tracing::info!("The new configuration runs.");
            return;
        }
        for result in ["success", "invalid", "refused", "rolled_back", "failed"] {
            self.reloads(result);
        }
        tracing::info!("Everything is ready. Begin running and processing data.");
    }

    /// A reload did not come about.
    fn refused(&self, result: &'static str, why: &str) {
        if !self.works {
            return;
        }
        tracing::error!("the new configuration is not used: {why}");
        self.count(result);
        let why = format!("the configuration on disk is not the one that runs: {why}");
        self.around.health.report(NAME, Status::Recoverable(why));
    }

    fn count(&self, result: &'static str) {
        self.reloads(result).add(1);
    }

    fn reloads(&self, result: &'static str) -> Counter {
        let help = "Reloads by what became of them.";
        self.around.telemetry.counter("lanner_reloads", help, "{reload}", &[("result", result)])
    }
}
