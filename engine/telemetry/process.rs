//! What the kernel knows about this process: CPU time, memory, age. What it does not tell is left out, never 0.

use crate::exposition::{Family, Kind, Number, Point, Series};
use std::{fs, sync::LazyLock, time::Instant};

/// The kernel counts CPU time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One metric: name, help, unit, whether it only grows, value.
pub type Reading = (&'static str, &'static str, &'static str, bool, f64);

/// Notes the time from which the age counts.
pub fn started() {
    LazyLock::force(&STARTED);
}

/// The metrics that can be read now.
pub fn readings() -> Vec<Reading> {
    let cpu = cpu_seconds().map(|seconds| {
        ("otelcol_process_cpu_seconds", "Total CPU user and system time in seconds", "s", true, seconds)
    });
    let memory = resident_bytes()
        .map(|bytes| ("otelcol_process_memory_rss", "Total physical memory (resident set size)", "By", false, bytes));
    let age = STARTED.elapsed().as_secs_f64();
    let age = ("otelcol_process_uptime", "Uptime of the process", "s", true, age);
    cpu.into_iter().chain(memory).chain([age]).collect()
}

/// The same as families.
pub fn families() -> Vec<Family> {
    let family = |(name, help, _, grows, value): Reading| Family {
        name: name.into(),
        help: help.into(),
        unit: String::new(),
        kind: if grows { Kind::ExactCounter } else { Kind::Gauge },
        series: vec![Series {
            labels: Vec::new(),
            point: Point::Number(Number::Float(value)),
            timestamp_ms: None,
            created: 0,
        }],
    };
    readings().into_iter().map(family).collect()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may contain anything, so fields are counted from the last one that closes.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()?.checked_add(fields.get(12)?.parse().ok()?)?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.checked_mul(1024)? as f64)
}
