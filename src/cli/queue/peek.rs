//! `lanner queue peek`: what is in a queue.

use super::{failed, place::PlaceArgs};
use crate::cli::Outcome;
use jiff::Timestamp;
use lanner_engine::{
    component::Registry,
    delivery::entry::{QueueName, Stored},
};
use lanner_exporters::file::otlp_json;
use lanner_queue::Peeked;
use serde_json::{json, value::RawValue};
use std::{io::Write, process::ExitCode};

/// Prints the oldest requests of a queue, one JSON object a line; `request` is OTLP JSON, and dead letters say why
#[derive(clap::Args)]
pub struct Args {
    /// A queue as `list` shows it, with `/dead` behind it for its dead letters: otlp_grpc:logs/dead
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// So many requests
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    #[command(flatten)]
    place: PlaceArgs,
}

/// An entry that says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the entry at {0} is of no known form; a newer version may have written it")]
struct Unreadable(u64);

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let name: QueueName = match self.queue.parse() {
            Ok(name) => name,
            Err(error) => return failed(error),
        };
        let stopped = match self.place.find(registry).map(|place| place.look()) {
            Ok(Ok(stopped)) => stopped,
            Ok(Err(error)) => return failed(error),
            Err(error) => return failed(error),
        };
        let peeked = match stopped.peek(&self.queue, usize::try_from(self.count).unwrap_or(usize::MAX)) {
            Ok(peeked) => peeked,
            Err(error) => return failed(error),
        };
        let (mut out, mut code) = (std::io::stdout().lock(), ExitCode::SUCCESS);
        for entry in peeked {
            match line(&entry, &name) {
                Ok(line) => writeln!(out, "{line}")?,
                Err(error) => {
                    eprintln!("lanner: {error}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        out.flush()?;
        Ok(code)
    }
}

/// An entry as one line.
fn line(entry: &Peeked, name: &QueueName) -> Result<String, Box<dyn std::error::Error>> {
    let stored = Stored::read(entry.payload.clone(), name.signal).ok_or(Unreadable(entry.offset))?;
    let mut request = Vec::new();
    otlp_json::write_request(name.signal, &stored.request.bytes, &mut request)?;
    let request = RawValue::from_string(String::from_utf8(request)?)?;
    let millis = i64::try_from(entry.appended)?;
    let mut line = json!({
        "appended": Timestamp::from_millisecond(millis)?.to_string(),
        "pipeline": stored.pipeline,
        "items": stored.request.items,
    });
    if let Some(rejection) = stored.rejection {
        line["reason"] = rejection.reason.into();
        line["detail"] = rejection.detail.into();
    }
    // A map that ends with the request, which is not read again.
    let head = line.to_string();
    Ok(format!("{},\"request\":{request}}}", head.strip_suffix('}').unwrap_or(&head)))
}
