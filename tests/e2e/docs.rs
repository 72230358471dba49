//! Every YAML of the project is a configuration that Lanner accepts.

use crate::support::lanner::{TempDir, command};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` with this ending, without build products and version control.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "testdata" {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn assert_validates(path: &Path, what: &str) {
    let output = command(&["validate", "--config", path.to_str().unwrap()]);
    assert!(output.status.success(), "{what}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Scenario: a user takes a ready-made pipeline.
/// Guarantee: `lanner validate` accepts every YAML file in `pipelines/`.
#[test]
fn pipelines_validate() {
    let mut found = Vec::new();
    files(&root().join("pipelines"), ".yaml", &mut found);
    assert!(found.len() >= 3, "{found:?}");
    for path in found {
        assert_validates(&path, &path.display().to_string());
    }
}

/// Scenario: a user copies a YAML block out of a README or a page of the documentation.
/// Guarantee: `lanner validate` accepts it as it is.
#[test]
fn yaml_blocks_of_the_docs_validate() {
    let mut pages = Vec::new();
    files(root(), ".md", &mut pages);
    let (dir, mut blocks) = (TempDir::new(), 0);
    for page in pages.iter().filter(|page| !page.starts_with(root().join("examples"))) {
        let text = std::fs::read_to_string(page).unwrap();
        for (index, block) in text.split("```yaml\n").skip(1).enumerate() {
            let yaml = block.split("```").next().unwrap();
            let path = dir.path().join("block.yaml");
            std::fs::write(&path, yaml).unwrap();
            assert_validates(&path, &format!("{} block {}:\n{yaml}", page.display(), index + 1));
            blocks += 1;
        }
    }
    assert!(blocks >= 8, "only {blocks} blocks were found");
}
