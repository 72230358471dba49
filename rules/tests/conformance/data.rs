//! Where the cases are, and counting them. Shared with the tests of the command line, which include this file.

#![allow(dead_code, reason = "each test uses a part")]

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A file or folder of the conformance data; `None`, with a note, where there is none.
///
/// # Panics
/// With `CI` set, where the data must be present.
pub fn path(name: &str) -> Option<PathBuf> {
    // Beside the project, seen from this crate or from the root package.
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|folder| crate_folder.join(folder).join("conformance").join(name));
    let found = places.into_iter().find(|place| place.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the conformance data has no {name}");
        eprintln!("SKIPPED: the conformance data is absent ({name})");
    }
    found
}

/// A JSON file of the conformance data.
pub fn json<T: DeserializeOwned>(name: &str) -> Option<T> {
    let text = std::fs::read_to_string(path(name)?).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// What a run over cases found.
pub struct Tally {
    subject: &'static str,
    passed: usize,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Tally {
    pub fn new(subject: &'static str) -> Self {
        Self { subject, passed: 0, skipped: Vec::new(), failed: Vec::new() }
    }

    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if holds { self.passed += 1 } else { self.failed.push(what()) }
    }

    pub fn skip(&mut self, what: String) {
        self.skipped.push(what);
    }

    /// Prints the counts.
    ///
    /// # Panics
    /// If something failed, or fewer cases than `least` were run.
    pub fn finish(self, least: usize) {
        println!(
            "{}: {} passed, {} skipped, {} failed",
            self.subject,
            self.passed,
            self.skipped.len(),
            self.failed.len()
        );
        for skipped in &self.skipped {
            println!("  skipped: {skipped}");
        }
        assert!(self.failed.is_empty(), "{}:\n{}", self.subject, self.failed.join("\n"));
        assert!(self.passed >= least, "{}: only {} of at least {least} cases were run", self.subject, self.passed);
    }
}
