//! The table, the ratio, the verdict.

use crate::{Error, measure::Measured};
use std::time::Duration;

pub const HEAD: &str = "round  peer       events  failed  lost  CPU s/million  events/CPU s  RSS peak MiB";

pub fn line(round: u32, peer: &str, measured: &Measured) -> String {
    format!(
        "{round:>5}  {peer:<8} {:>8}  {:>6}  {:>4}  {:>13.2}  {:>12.0}  {:>12.1}",
        measured.delivered,
        measured.sent.failed,
        measured.lost(),
        measured.cpu_per_million(),
        1e6 / measured.cpu_per_million().max(f64::MIN_POSITIVE),
        measured.peak_memory as f64 / 1024.0,
    )
}

pub fn seconds(length: Duration) -> String {
    format!("{} s", length.as_secs_f64())
}

/// Medians, and the ratio: the median over the rounds of Lanner divided by the floor of the same round.
pub fn summary(floors: &[Measured], lanners: &[Measured]) -> String {
    let cost = |all: &[Measured]| median(all.iter().map(Measured::cpu_per_million).collect());
    let ratios =
        floors.iter().zip(lanners).map(|(floor, lanner)| lanner.cpu_per_million() / floor.cpu_per_million()).collect();
    format!(
        "median CPU s per million events: floor {:.2}, lanner {:.2}; ratio {:.2}",
        cost(floors),
        cost(lanners),
        median(ratios)
    )
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// # Errors
/// Something was lost or refused, or nothing was sent at all: then the figures mean nothing.
pub fn verdict(floors: &[Measured], lanners: &[Measured]) -> Result<(), Error> {
    let all = || floors.iter().chain(lanners);
    let lost: u64 = all().map(Measured::lost).sum();
    let failed: u64 = all().map(|measured| measured.sent.failed).sum();
    if lost > 0 || failed > 0 {
        return Err(format!("{lost} accepted events did not arrive, {failed} requests failed").into());
    }
    if all().any(|measured| measured.delivered == 0) {
        return Err("a peer took no event".into());
    }
    Ok(())
}
