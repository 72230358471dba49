//! `file` writes to a file, one JSON object per line.
//!
//! Promises: see `writer`; a request is delivered once the operating system has all of its lines. Requests are
//! written one after the other, in the order in which their attempts start.

mod config;
pub mod otlp_json;
pub(crate) mod records;
mod rotation;
#[cfg(test)]
mod tests;
mod writer;

use config::{Config, Format, Plan};
use lanner_engine::prelude::*;
use parking_lot::Mutex;
use std::sync::Arc;
use writer::Writer;

/// The component type.
pub struct FileSink;

impl Component for FileSink {
    const TYPE: &'static str = "file";
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot open `{path}`: {error}; `create_directory: true` makes a missing directory")]
struct CannotOpen {
    path: String,
    error: std::io::Error,
}

struct FileExporter {
    writer: Arc<Mutex<Writer>>,
    format: Format,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let path = self.path.display().to_string();
        let writer = Writer::open(self.path, self.create_directory, self.rotation)
            .map_err(|error| CannotOpen { path, error })?;
        Ok(Box::new(FileExporter { writer: Arc::new(Mutex::new(writer)), format: self.format }))
    }
}

#[async_trait]
impl Exporter for FileExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let mut lines = Vec::new();
        if self.format == Format::Records && request.signal() == Signal::Logs {
            match request.logs() {
                Ok(logs) => records::write_records(logs, &mut lines),
                Err(error) => return Outcome::Reject { reason: error.to_string() },
            }
        }
        let (signal, bytes, writer) = (request.signal(), request.bytes().clone(), Arc::clone(&self.writer));
        let records = self.format == Format::Records && signal == Signal::Logs;
        // Disks make one wait; the work goes on to its end when the attempt is abandoned, so lines stay whole.
        let work = tokio::task::spawn_blocking(move || {
            if !records {
                if let Err(error) = otlp_json::write_request(signal, &bytes, &mut lines) {
                    return Outcome::Reject { reason: error.to_string() };
                }
                lines.push(b'\n');
            }
            match writer.lock().append(&lines) {
                Ok(()) => Outcome::Delivered,
                Err(error) => Outcome::Retry { after: None, reason: error.to_string() },
            }
        });
        work.await.unwrap_or_else(|error| Outcome::Retry { after: None, reason: error.to_string() })
    }
}
