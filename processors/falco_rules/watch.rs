//! Keeping rules current while they are used.
//!
//! Promises: files are looked at once per interval and read only when one may have changed; rules that cannot be used never
//! replace others, and are told of once: in the log with all findings, in the health of the processor with the first one's
//! place, until they are put right; looking and compiling never hold up events.

use super::{
    compiled::Compiled,
    ruleset::{Look, RuleLoader, Seen, Unusable},
};
use arc_swap::ArcSwap;
use lanner_engine::{
    prelude::*,
    telemetry::{Health, Status},
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Watches the files of one processor.
pub struct Watch {
    loader: Arc<RuleLoader>,
    /// What was seen last.
    seen: Mutex<Seen>,
    interval: Duration,
    health: Health,
    /// As the health of components is named.
    name: String,
}

/// Looks at the files, beside the tasks that serve events.
pub async fn look(loader: &Arc<RuleLoader>, seen: Seen) -> Result<Look, BoxError> {
    let loader = Arc::clone(loader);
    Ok(tokio::task::spawn_blocking(move || loader.look(seen)).await?)
}

impl Watch {
    /// Goes on from what was seen when the processor was built.
    pub fn new(loader: Arc<RuleLoader>, seen: Seen, interval: Duration, cx: &BuildCx) -> Self {
        let name = format!("{}:{}", Kind::Processor, cx.id);
        Self { loader, seen: Mutex::new(seen), interval, health: cx.health.clone(), name }
    }

    /// Replaces the rules whenever other ones can be used, until drained.
    pub async fn run(&self, rules: &ArcSwap<Compiled>, drain: Drain) -> Result<(), BoxError> {
        if self.interval.is_zero() || self.loader.sources.places.is_empty() {
            drain.requested().await;
            return Ok(());
        }
        let metrics = &self.loader.metrics;
        let mut seen = self.seen.lock().clone();
        let mut told: Option<String> = None;
        loop {
            tokio::select! {
                biased;
                () = drain.requested() => return Ok(()),
                () = sleep(self.interval) => {}
            }
            let fault;
            (seen, fault) = match look(&self.loader, seen).await? {
                Look::Same(now) => {
                    let fault = now.fault.clone();
                    (now, fault)
                }
                Look::Loaded(now, loaded) => {
                    let enabled = loaded.enabled_count();
                    tracing::info!(processor = metrics.processor(), rules = enabled, "Rules were loaded anew.");
                    metrics.rules.set(i64::try_from(enabled).unwrap_or(i64::MAX));
                    metrics.reloads_done.add(1);
                    rules.store(Arc::new(loaded));
                    (now, None)
                }
                Look::Unusable(now, error) => {
                    let brief = error.brief();
                    // A file that is away is found to be away again and again; files are found wrong when they change.
                    let is_known = matches!(error, Unusable::Unreadable(_)) && told.as_ref() == Some(&brief);
                    if !is_known {
                        metrics.reloads_failed.add(1);
                        let text = "Changed rules cannot be used; the rules before stay";
                        tracing::error!(processor = metrics.processor(), "{text}: {error}");
                    }
                    (now, Some(brief))
                }
            };
            if fault != told {
                let status = fault.clone().map_or(Status::Ok, Status::Recoverable);
                self.health.report(&self.name, status);
                told = fault;
            }
        }
    }
}
