//! Whether the machine ran us at all: a virtual one gets less than it wants while its host is busy with others.

use std::fs;

/// From this share of the wanted CPU time on that the host kept, times say nothing about the program.
const STARVED: f64 = 0.25;

/// A look at the machine's CPU time since a moment.
pub struct Machine {
    busy: u64,
    stolen: u64,
}

impl Machine {
    /// From now on.
    pub fn watched() -> Self {
        let (busy, stolen) = times().unwrap_or_default();
        Self { busy, stolen }
    }

    /// Whether the host kept so much that measured times mean nothing. Without the kernel's figures it never did.
    pub fn was_starved(&self) -> bool {
        let Some((busy, stolen)) = times() else { return false };
        let (busy, stolen) = (busy.saturating_sub(self.busy), stolen.saturating_sub(self.stolen));
        stolen as f64 > STARVED * (busy + stolen) as f64
    }
}

/// Ticks of all CPUs that were used, and that were wanted and not given: `/proc/stat`, proc_stat(5).
fn times() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = text.lines().next()?.split_whitespace().skip(1).map_while(|tick| tick.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    Some((ticks[..3].iter().sum(), *ticks.get(7)?))
}
