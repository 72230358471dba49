//! The documentation agrees with the program: its YAML is accepted, its paths exist, its schema is the current one.

use crate::support::lanner::{TempDir, command};
use lanner_engine::component::OPTIONAL;
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

fn assert_names_the_feature(path: &Path, what: &str) {
    let output = command(&["validate", "--config", path.to_str().unwrap()]);
    let told = String::from_utf8(output.stderr).unwrap();
    let errors = told.lines().filter(|line| line.starts_with("error"));
    assert!(errors.clone().count() > 0 && errors.clone().all(|line| line.contains("unknown type")), "{what}:\n{told}");
    assert!(told.contains("`--features"), "{what}:\n{told}");
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

/// The components of which the program says itself that this build does not have them.
fn absent() -> Vec<String> {
    let told = |name: &str| String::from_utf8(command(&["components", name]).stderr).unwrap();
    let optional = OPTIONAL.iter().map(|optional| optional.type_name);
    optional.filter(|name| told(name).contains("this build has no")).map(str::to_owned).collect()
}

/// Scenario: a user copies a YAML block out of a README or a page of the documentation.
/// Guarantee: `lanner validate` accepts it as it is. In the README of a component that needs a cargo feature, a build without
/// it finds nothing else than that, and names the feature.
#[test]
fn yaml_blocks_of_the_docs_validate() {
    let mut pages = Vec::new();
    files(root(), ".md", &mut pages);
    let (dir, absent, mut blocks) = (TempDir::new(), absent(), 0);
    for page in pages.iter().filter(|page| !page.starts_with(root().join("examples"))) {
        let text = std::fs::read_to_string(page).unwrap();
        for (index, block) in text.split("```yaml\n").skip(1).enumerate() {
            let yaml = block.split("```").next().unwrap();
            let path = dir.path().join("block.yaml");
            std::fs::write(&path, yaml).unwrap();
            let what = format!("{} block {}:\n{yaml}", page.display(), index + 1);
            // Below the root, which may have any name.
            let folder = page.strip_prefix(root()).unwrap().parent().and_then(Path::file_name);
            if absent.iter().any(|name| folder.is_some_and(|folder| folder == name.as_str())) {
                assert_names_the_feature(&path, &what);
            } else {
                assert_validates(&path, &what);
            }
            blocks += 1;
        }
    }
    assert!(blocks >= 8, "only {blocks} blocks were found");
}

/// Scenario: a newcomer follows the map of the code.
/// Guarantee: every source file and folder that docs/architecture.md names in backticks exists.
#[test]
fn paths_of_the_architecture_page_exist() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    // Odd pieces are inside backticks; those of fenced blocks have blanks or line breaks in them.
    let named = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = named
        .filter(|text| text.contains('/') && (text.ends_with(".rs") || text.ends_with('/')))
        .filter(|text| !text.contains(char::is_whitespace))
        .collect();
    assert!(paths.len() >= 30, "only {} paths were found: {paths:?}", paths.len());
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "docs/architecture.md names what does not exist: {missing:?}");
}

/// Scenario: a reader follows a link from one page of the project to another.
/// Guarantee: the file or folder that a relative link leads to exists.
#[test]
fn links_between_pages_lead_somewhere() {
    let (mut pages, mut links) = (Vec::new(), 0);
    files(root(), ".md", &mut pages);
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap().split('#').next().unwrap();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            assert!(page.parent().unwrap().join(target).exists(), "{}: {target} does not exist", page.display());
            links += 1;
        }
    }
    assert!(links >= 10, "only {links} links were found");
}

/// Scenario: an editor completes and checks a pipeline by the schema that the file names in its first line.
/// Guarantee: that schema is the one of this program; `LANNER_BLESS=1` writes it anew.
#[test]
fn the_committed_schema_is_the_current_one() {
    let path = root().join("docs/lanner.schema.json");
    let output = command(&["schema"]);
    assert!(output.status.success());
    let current = String::from_utf8(output.stdout).unwrap();
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "docs/lanner.schema.json is out of date; run this test with LANNER_BLESS=1");
    let mut pipelines = Vec::new();
    files(&root().join("pipelines"), ".yaml", &mut pipelines);
    for path in pipelines {
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, "# yaml-language-server: $schema=../docs/lanner.schema.json", "{}", path.display());
    }
}
