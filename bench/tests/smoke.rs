//! The benchmark from end to end, too short to say anything about speed.

use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const BENCH: &str = env!("CARGO_BIN_EXE_lanner-bench");

/// The program to measure: as for the end-to-end tests, or what was built beside this.
fn lanner() -> PathBuf {
    let lanner = env::var_os("LANNER_BINARY").map_or_else(|| Path::new(BENCH).with_file_name("lanner"), PathBuf::from);
    assert!(lanner.exists(), "{} is missing: build it, or say with LANNER_BINARY where it is", lanner.display());
    lanner
}

/// Scenario: two scenarios and the floor, one round, kept in a copy of the documentation.
/// Guarantee: nothing is lost, every scenario has its figures and its verdict, and the page shows them.
#[test]
fn figures_are_measured_and_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let docs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("docs");
    let _ = fs::remove_dir_all(&docs);
    fs::create_dir_all(&docs).unwrap();
    fs::copy(root.join("docs/performance.md"), docs.join("performance.md")).unwrap();
    let mut command = Command::new(BENCH);
    command.current_dir(root).args(["--seconds", "0.2", "--rounds", "1", "--only", "S1,S3-100"]);
    command.arg("--lanner").arg(lanner()).arg("--directory").arg(&docs).arg("--write").arg(&docs);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:#?}");

    let text = fs::read_to_string(docs.join("performance/results.json")).unwrap();
    let results: Value = serde_json::from_str(&text).unwrap();
    let figures = results["targets"]["figures"].as_array().unwrap();
    let names: Vec<_> = figures.iter().map(|figures| figures["scenario"].as_str().unwrap()).collect();
    assert_eq!(names, ["floor", "S1", "S3-100"]);
    for of in ["cpu_per_event", "events_per_second", "peak_memory"] {
        assert!(figures.iter().all(|figures| figures[of].as_f64().is_some_and(|value| value > 0.0)), "{text}");
    }
    let rows = results["targets"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "two scenarios and the memory of both: {text}");
    let page = fs::read_to_string(docs.join("performance.md")).unwrap();
    for row in rows {
        let shown = format!("{} {}", row["measured"].as_f64().unwrap(), row["unit"].as_str().unwrap());
        assert!(page.contains(&shown), "{shown} is not in {page}");
    }
}
