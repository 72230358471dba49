//! What was measured, as it is kept: `docs/performance/results.json`, of which the page and its pictures are made.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path, process::Command};

/// Below the folder of the documentation.
const FILE: &str = "performance/results.json";

/// Both parts, as far as they were measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub targets: Option<Targets>,
    pub scaling: Option<Scaling>,
}

/// Where, when and how.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conditions {
    pub date: String,
    pub cpu: String,
    pub cpus: usize,
    pub pinning: String,
    pub seconds: f64,
    pub rounds: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Targets {
    pub conditions: Conditions,
    /// One `fdatasync` of a small write, in milliseconds.
    pub fdatasync: f64,
    pub rows: Vec<Row>,
    pub figures: Vec<Figures>,
    /// Why they are not to be kept.
    #[serde(skip)]
    pub problems: Vec<String>,
}

/// A target and what became of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    pub what: String,
    pub unit: String,
    /// Whether smaller is better.
    pub at_most: bool,
    pub must: f64,
    pub aim: Option<f64>,
    pub measured: f64,
}

/// What a scenario showed: medians of the rounds, the sum of what was refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figures {
    pub scenario: String,
    /// Microseconds.
    pub cpu_per_event: f64,
    pub events_per_second: f64,
    /// Milliseconds until an answer.
    pub p50: f64,
    pub p99: f64,
    /// MB.
    pub peak_memory: f64,
    /// Requests.
    pub refused: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Scaling {
    pub conditions: Conditions,
    pub panels: Vec<Panel>,
    /// Why they are not to be kept.
    #[serde(skip)]
    pub problems: Vec<String>,
}

/// One plot.
#[derive(Debug, Serialize, Deserialize)]
pub struct Panel {
    pub title: String,
    pub x: String,
    pub y: String,
    /// Where on the axis, and what is written there.
    pub ticks: Vec<(f64, String)>,
    pub log_x: bool,
    pub log_y: bool,
    pub series: Vec<Series>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Row {
    /// How the measured value stands to the target.
    pub fn verdict(&self) -> &'static str {
        let holds = |bound: f64| if self.at_most { self.measured <= bound } else { self.measured >= bound };
        match self.aim {
            Some(aim) if holds(aim) => "aim",
            _ if holds(self.must) => "must",
            _ => "missed",
        }
    }
}

impl Conditions {
    /// Of this machine, now.
    pub fn now(pinning: String, cpus: usize, seconds: f64, rounds: u32) -> Self {
        let date = Command::new("date").args(["-u", "+%F"]).output().map(|output| output.stdout).unwrap_or_default();
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cpu = name.map_or("unknown CPU", |(_, name)| name.trim()).to_owned();
        Self { date: String::from_utf8_lossy(&date).trim().to_owned(), cpu, cpus, pinning, seconds, rounds }
    }
}

impl Results {
    /// Those of the documentation in this folder; none when there are none yet.
    pub fn read(docs: &Path) -> Result<Self, Error> {
        let path = docs.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&path)?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    pub fn write(&self, docs: &Path) -> Result<(), Error> {
        let path = docs.join(FILE);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }
}

/// As many digits as mean something: three.
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(2 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: targets from above and from below, with and without an aim.
    /// Guarantee: the verdict is the best of what holds; a value at the bound holds.
    #[test]
    fn verdicts_name_the_best_that_holds() {
        let row = |at_most, aim, measured| {
            let (what, unit) = (String::new(), String::new());
            Row { what, unit, at_most, must: 2.0, aim, measured }.verdict()
        };
        assert_eq!([3.0, 2.0, 1.5, 1.0].map(|x| row(true, Some(1.5), x)), ["missed", "must", "aim", "aim"]);
        assert_eq!([1.0, 2.0, 9.0].map(|x| row(false, Some(9.0), x)), ["missed", "must", "aim"]);
        assert_eq!([1.0, 3.0].map(|x| row(true, None, x)), ["must", "missed"]);
        assert_eq!(row(true, Some(1.0), f64::NAN), "missed");
    }

    /// Scenario: values of all sizes.
    /// Guarantee: three digits are kept, zero and what is no number stay.
    #[test]
    fn three_digits_are_kept() {
        assert_eq!([0.012_345, 1.2345, 1234.5, 0.0].map(rounded), [0.0123, 1.23, 1230.0, 0.0]);
        assert!(rounded(f64::NAN).is_nan());
    }
}
