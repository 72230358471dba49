//! Real events for tests. They are not part of the project: a clone without them skips these tests, CI has them.
//! Crates include this file with `#[path]`.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests")]

use std::path::{Path, PathBuf};

/// A file of the sample data; `None`, with a note, where there is none.
///
/// # Panics
/// With `CI` set, where the data must be present.
pub fn path(name: &str) -> Option<PathBuf> {
    // Beside the project, seen from the root package or from a crate in it.
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared/data", "../../shared/data"].map(|folder| crate_folder.join(folder).join(name));
    let found = places.into_iter().find(|place| place.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the sample data has no {name}");
        eprintln!("SKIPPED: the sample data is absent ({name})");
    }
    found
}

/// The lines of a file of the sample data.
pub fn lines(name: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(path(name)?).unwrap();
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}
