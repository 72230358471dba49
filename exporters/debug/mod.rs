//! `debug` prints what arrives, for people who build a pipeline.
//!
//! Promises: what events hold cannot steer the terminal; printing never holds the pipeline up for longer than the
//! terminal takes, and a terminal that is gone costs the print, not the pipeline. What is not printed is counted.

mod alerts;
mod config;
mod points;
mod sampling;
#[cfg(test)]
mod tests;

use crate::file::otlp_json;
use config::{Config, Output, Verbosity};
use lanner_engine::{net::client::push_escaped, prelude::*, telemetry::Counter};
use parking_lot::Mutex;
use sampling::Sampling;
use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

/// The component type.
pub struct Debug;

impl Component for Debug {
    const TYPE: &'static str = "debug";
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    /// Every config is a sound one.
    type Plan = Config;

    fn plan(config: Config, _: &mut PlanCx<'_>) -> Option<Config> {
        Some(config)
    }
}

#[async_trait]
impl ExporterPlan for Config {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let (out, terminal): (Box<dyn Write + Send>, bool) = match self.output {
            Output::Stderr => (Box::new(io::stderr()), io::stderr().is_terminal()),
            Output::Stdout => (Box::new(io::stdout()), io::stdout().is_terminal()),
        };
        // https://no-color.org
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Box::new(DebugExporter::new(&self, out, colour, cx)))
    }
}

struct DebugExporter {
    verbosity: Verbosity,
    colour: bool,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    sampling: Mutex<Sampling>,
    sampled_out: Counter,
    unwritten: Counter,
}

impl DebugExporter {
    fn new(config: &Config, out: Box<dyn Write + Send>, colour: bool, cx: &BuildCx) -> Self {
        let counter = |reason| {
            cx.telemetry.counter(
                "lanner_debug_unprinted",
                "Requests that the debug exporter took and did not print.",
                "{request}",
                &[("exporter", cx.id.as_str()), ("reason", reason)],
            )
        };
        Self {
            verbosity: config.verbosity,
            colour,
            out: Arc::new(Mutex::new(out)),
            sampling: Mutex::new(Sampling::new(config.sampling_initial, config.sampling_thereafter)),
            sampled_out: counter("sampling"),
            unwritten: counter("write_failed"),
        }
    }

    /// What to print of a request; an error says what is wrong with its bytes.
    fn show(&self, request: &Request) -> Result<String, String> {
        let mut text = String::new();
        let detailed = self.verbosity == Verbosity::Detailed;
        match (self.verbosity, request.signal()) {
            (Verbosity::Basic, _) => alerts::write_summary(request, &mut text),
            (_, Signal::Logs) => {
                let logs = request.logs().map_err(|error| error.to_string())?;
                alerts::write_logs(logs, detailed, self.colour, &mut text);
            }
            (Verbosity::Detailed, signal) => {
                alerts::write_summary(request, &mut text);
                let mut json = Vec::new();
                otlp_json::write_request(signal, request.bytes(), &mut json).map_err(|error| error.to_string())?;
                push_escaped(&mut text, &String::from_utf8_lossy(&json), usize::MAX);
                text.push('\n');
            }
            (Verbosity::Normal, Signal::Metrics) => {
                points::write_metrics(request.bytes(), &mut text).map_err(|error| error.to_string())?;
            }
            (Verbosity::Normal, Signal::Traces) => {
                points::write_traces(request.bytes(), &mut text).map_err(|error| error.to_string())?;
            }
        }
        Ok(text)
    }
}

#[async_trait]
impl Exporter for DebugExporter {
    async fn export(&self, request: &Request) -> Outcome {
        if !self.sampling.lock().pick() {
            self.sampled_out.add(1);
            return Outcome::Delivered;
        }
        let text = match self.show(request) {
            Ok(text) => text,
            Err(reason) => return Outcome::Reject { reason },
        };
        // A terminal may be stopped (Ctrl-S) and a pipe full.
        let out = Arc::clone(&self.out);
        let printed = tokio::task::spawn_blocking(move || {
            let mut out = out.lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        if !matches!(printed.await, Ok(Ok(()))) {
            self.unwritten.add(1);
        }
        Outcome::Delivered
    }
}
