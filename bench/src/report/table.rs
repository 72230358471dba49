//! Tables, in Markdown and aligned, so that they read well in a terminal too.

use crate::results::{Figures, Row};

/// The targets, each with what it asks for, what was measured, and the verdict.
pub fn targets(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let sign = if row.at_most { "<=" } else { ">=" };
        let aim = row.aim.map_or(String::new(), |aim| format!("{sign} {aim}"));
        let verdict = match row.verdict() {
            "missed" => "**missed**",
            other => other,
        };
        [
            row.what.clone(),
            format!("{} {}", row.measured, row.unit),
            format!("{sign} {}", row.must),
            aim,
            verdict.into(),
        ]
    };
    table(["scenario", "measured", "must", "aim", "reached"], rows.iter().map(line))
}

/// What each scenario showed.
pub fn figures(figures: &[Figures]) -> String {
    let line = |one: &Figures| {
        [
            one.scenario.clone(),
            one.cpu_per_event.to_string(),
            format!("{:.0}", 1e6 / one.cpu_per_event.max(f64::MIN_POSITIVE)),
            one.events_per_second.to_string(),
            format!("{} / {}", one.p50, one.p99),
            one.peak_memory.to_string(),
            one.refused.to_string(),
        ]
    };
    let head = ["scenario", "CPU us/event", "events/CPU s", "events/s", "answer p50 / p99 ms", "peak MB", "refused"];
    table(head, figures.iter().map(line))
}

fn table<const N: usize>(head: [&str; N], lines: impl Iterator<Item = [String; N]>) -> String {
    let lines: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(lines).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let row = |line: &[String; N]| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = widths.map(|width| format!("{}|", "-".repeat(width + 2))).concat();
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| row(line) + &if index == 0 { format!("|{rule}\n") } else { String::new() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a target that is reached and one that is not.
    /// Guarantee: the table has the sign of each bound, and says which is missed; all lines are equally long.
    #[test]
    fn a_missed_target_stands_out() {
        let row = |what: &str, at_most, must, aim, measured| Row {
            what: what.to_owned(),
            unit: "x".to_owned(),
            at_most,
            must,
            aim,
            measured,
        };
        let table = targets(&[row("one", true, 1.6, Some(1.3), 1.2), row("another", false, 10.0, None, 6.2)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[2].contains("<= 1.6") && lines[2].contains("| aim "), "{table}");
        assert!(lines[3].contains(">= 10") && lines[3].contains("**missed**"), "{table}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{table}");
    }
}
