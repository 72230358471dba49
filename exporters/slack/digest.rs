//! The message that tells of many alerts at once.
//!
//! Promises: the numbers in it add up to what it stands for, whatever the number of rules; it fits into one section.

use super::{message, text};
use crate::handover::Ticket;
use lanner_engine::prelude::*;
use serde_json::Value as Json;
use std::{cmp::Reverse, collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Rules that are named; the others are counted together.
const NAMED: usize = 20;
/// Longest name of a rule in the list: with [`NAMED`] of them it stays below a section's limit.
const NAME: usize = 110;

/// An alert that is told in a digest.
pub struct Folded {
    pub rule: Text,
    pub priority: Option<Priority>,
    pub arrived: Instant,
    pub ticket: Ticket,
}

/// The digest of what was folded until `now`.
pub fn digest(folded: &[Folded], now: Instant) -> Json {
    let mut rules: HashMap<(&str, Option<Priority>), usize> = HashMap::new();
    for alert in folded {
        *rules.entry((&alert.rule, alert.priority)).or_default() += 1;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|((rule, priority), count)| (Reverse(*priority), Reverse(*count), *rule));
    let mut lines = Vec::new();
    for ((rule, priority), count) in rules.iter().take(NAMED) {
        let word = priority.map(|priority| format!("*{priority}* ")).unwrap_or_default();
        lines.push(format!("{count} × {word}{}", text::line(rule, NAME)));
    }
    let others = &rules[rules.len().min(NAMED)..];
    if !others.is_empty() {
        let count: usize = others.iter().map(|(_, count)| count).sum();
        lines.push(format!("{count} × {} other rules", others.len()));
    }
    let first = folded.iter().map(|alert| alert.arrived).min().unwrap_or(now);
    let span = now.saturating_duration_since(first).max(Duration::from_secs(1)).as_secs_f64().round();
    let noun = if folded.len() == 1 { "alert" } else { "alerts" };
    let line = format!("*{} more {noun}* in {span} s, too many to show each", folded.len());
    let worst = rules.first().and_then(|((_, priority), _)| *priority);
    message::note(line, message::colour(worst), lines.join("\n"))
}
