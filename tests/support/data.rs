//! Real events for tests. They are not part of the project: a clone without them skips these tests, CI has them.

use std::path::PathBuf;

/// A file of the sample data; `None`, with a note, where there is none.
///
/// # Panics
/// With `CI` set, where the data must be present.
pub fn path(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is absent", path.display());
    eprintln!("SKIPPED: the sample data is absent ({})", path.display());
    None
}

/// The lines of a file of the sample data.
pub fn lines(name: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(path(name)?).unwrap();
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}
