//! The committed figures, and what a new one is beside them.

use crate::Error;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

/// So much more, as a part of the baseline, is a slowdown.
pub const MARGIN: f64 = 0.05;

const HEAD: &str = "\
# Instructions per event of the hot functions: bench/instructions/src/functions.rs says what each is.
# `LANNER_BLESS=1 make instructions` writes this file anew; say in the commit why a figure went up.
";

/// Where figures come from: those of other surroundings are not comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// As the compiler names itself.
    pub compiler: String,
    /// As far as code is chosen by it.
    pub cpu: String,
}

/// The committed figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub surroundings: Surroundings,
    /// Instructions per event by function.
    pub figures: BTreeMap<String, f64>,
}

/// What a figure is beside its baseline.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Slower,
    Faster,
    /// There is no figure to compare with.
    New,
}

impl Verdict {
    /// Of a figure `now` where there was one `before`.
    pub fn of(before: Option<f64>, now: f64) -> Self {
        match before {
            None => Self::New,
            Some(before) if now > before * (1.0 + MARGIN) => Self::Slower,
            Some(before) if now < before * (1.0 - MARGIN) => Self::Faster,
            Some(_) => Self::Same,
        }
    }
}

impl Surroundings {
    /// Those of this program. Valgrind passes on AVX2 and nothing newer.
    pub fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        let cpu = if std::arch::is_x86_feature_detected!("avx2") { "x86_64 with AVX2" } else { "x86_64 without AVX2" };
        #[cfg(not(target_arch = "x86_64"))]
        let cpu = std::env::consts::ARCH;
        Self { compiler: env!("LANNER_COMPILER").to_owned(), cpu: cpu.to_owned() }
    }
}

impl Baseline {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baseline.toml")
    }

    /// Reads the committed figures.
    pub fn load() -> Result<Self, Error> {
        let path = Self::path();
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).ok_or_else(|| format!("{} cannot be read; write it anew", path.display()).into())
    }

    /// Writes them.
    pub fn save(&self) -> Result<(), Error> {
        Ok(fs::write(Self::path(), self.to_text())?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !(line.is_empty() || line.starts_with(['#', '['])));
        let mut pairs = lines.map(|line| line.split_once(" = "));
        let mut said = |name: &str| {
            let (key, value) = pairs.next()??;
            (key == name).then(|| value.trim_matches('"').to_owned())
        };
        let surroundings = Surroundings { compiler: said("compiler")?, cpu: said("cpu")? };
        let figures = pairs.map(|pair| {
            let (name, figure) = pair?;
            Some((name.to_owned(), figure.parse().ok()?))
        });
        Some(Self { surroundings, figures: figures.collect::<Option<_>>()? })
    }

    fn to_text(&self) -> String {
        let Surroundings { compiler, cpu } = &self.surroundings;
        let mut text = format!("{HEAD}\ncompiler = \"{compiler}\"\ncpu = \"{cpu}\"\n\n[instructions_per_event]\n");
        for (name, figure) in &self.figures {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} = {figure:.0}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let surroundings = Surroundings { compiler: "rustc 1.0.0 (abc 2015-05-15)".into(), cpu: "x86_64".into() };
        Baseline { surroundings, figures: [("filter".into(), 1200.0), ("count".into(), 7.0)].into() }
    }

    /// Scenario: figures around both edges of the margin.
    /// Guarantee: more than 5 % above is a slowdown, more than 5 % below a gain, all between is the same; a function
    /// without a figure is new.
    #[test]
    fn a_slowdown_is_one_beyond_the_margin() {
        assert_eq!(Verdict::of(Some(1000.0), 1051.0), Verdict::Slower);
        assert_eq!(Verdict::of(Some(1000.0), 1049.0), Verdict::Same);
        assert_eq!(Verdict::of(Some(1000.0), 951.0), Verdict::Same);
        assert_eq!(Verdict::of(Some(1000.0), 949.0), Verdict::Faster);
        assert_eq!(Verdict::of(None, 949.0), Verdict::New);
    }

    /// Scenario: a baseline is written and read again; one is damaged.
    /// Guarantee: it is the same; a damaged one is not half read.
    #[test]
    fn a_baseline_is_read_as_written() {
        let text = baseline().to_text();
        assert_eq!(Baseline::parse(&text), Some(baseline()));
        assert_eq!(Baseline::parse(&text.replace("1200", "12oo")), None);
        assert_eq!(Baseline::parse(&text.replace("cpu = ", "cpu: ")), None);
    }

    /// Scenario: the committed file.
    /// Guarantee: it can be read, and has a figure for every function that needs nothing beside the project, and for no
    /// other than known ones.
    #[test]
    fn the_committed_baseline_is_complete() {
        let figures = Baseline::load().unwrap().figures;
        let names: Vec<&str> = crate::functions::ALL.iter().map(|function| function.name).collect();
        assert!(figures.keys().all(|name| names.contains(&name.as_str())), "{figures:?}");
        assert!(names.iter().all(|name| figures.contains_key(*name)), "{figures:?}");
    }
}
