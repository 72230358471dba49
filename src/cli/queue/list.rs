//! `lanner queue list`: what waits, and what was refused.

use super::{failed, place::PlaceArgs};
use crate::cli::{Outcome, print};
use lanner_engine::{component::Registry, config::Duration, delivery::entry::QueueName};
use lanner_queue::QueueStats;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode, sync::Arc};

/// Lists the queues: how many requests wait, how large and how old they are, and their dead letters
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A queue and its dead letters; one of them may be empty.
#[derive(Default)]
struct Row {
    living: QueueStats,
    dead: QueueStats,
    /// Whether the configuration has it; `None` when it is not known.
    used: Option<bool>,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let place = match self.place.find(registry) {
            Ok(place) => place,
            Err(error) => return failed(error),
        };
        let stopped = match place.look() {
            Ok(stopped) => stopped,
            Err(error) => return failed(error),
        };
        let found = stopped.found();
        if found.corrupt_records > 0 {
            let (records, lost) = (found.corrupt_records, found.lost_entries);
            eprintln!("lanner: {records} damaged records, at least {lost} requests lost; the rest is listed");
        }
        let mut rows: BTreeMap<Arc<str>, Row> = BTreeMap::new();
        for name in place.used.iter().flatten() {
            rows.entry(name.to_string().into()).or_default().used = Some(true);
        }
        for stats in stopped.list() {
            let name = stats.name.parse::<QueueName>();
            let key = name.as_ref().map_or_else(|_| Arc::clone(&stats.name), |name| name.living().to_string().into());
            let row = rows.entry(key).or_default();
            row.used = row.used.or(place.used.is_some().then_some(false));
            if name.is_ok_and(|name| name.dead) { row.dead = stats } else { row.living = stats }
        }
        match self.format {
            Format::Text if rows.is_empty() => {
                eprintln!("lanner: there are no queues in `{}`", place.directory().display());
            }
            Format::Text => print(&table(&rows))?,
            Format::Json => {
                let rows: Vec<Value> = rows.iter().map(|(name, row)| as_json(name, row)).collect();
                print(&format!("{:#}", Value::from(rows)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(rows: &BTreeMap<Arc<str>, Row>) -> String {
    let mut lines = vec![["QUEUE", "REQUESTS", "SIZE", "OLDEST", "DEAD LETTERS", "SIZE", "OLDEST"].map(str::to_owned)];
    for (name, row) in rows {
        let cells = |stats: &QueueStats| [stats.entries.to_string(), size(stats.bytes), age(stats)];
        let [entries, bytes, oldest] = cells(&row.living);
        let [letters, of_letters, oldest_letter] = cells(&row.dead);
        lines.push([name.to_string(), entries, bytes, oldest, letters, of_letters, oldest_letter]);
    }
    let mut widths = [0; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    let notes = std::iter::once("").chain(rows.values().map(|row| match row.used {
        Some(false) => "not in the configuration",
        _ => "",
    }));
    for (line, note) in lines.iter().zip(notes) {
        let mut text = String::new();
        for (number, (cell, width)) in line.iter().zip(widths).enumerate() {
            // Writing to a String cannot fail.
            let _ = if number == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        let _ = writeln!(out, "{}", format!("{text}  {note}").trim_end());
    }
    out
}

fn age(stats: &QueueStats) -> String {
    let whole = |oldest: std::time::Duration| Duration::from_secs(oldest.as_secs()).to_string();
    stats.oldest.map_or_else(|| "-".to_owned(), whole)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn as_json(name: &str, row: &Row) -> Value {
    let numbers = |stats: &QueueStats| {
        json!({
            "requests": stats.entries,
            "bytes": stats.bytes,
            "oldest_seconds": stats.oldest.map(|oldest| oldest.as_secs()),
        })
    };
    let mut value = json!({"queue": name, "configured": row.used});
    if let (Some(value), Value::Object(numbers)) = (value.as_object_mut(), numbers(&row.living)) {
        value.extend(numbers);
    }
    value["dead_letters"] = numbers(&row.dead);
    value
}
