//! The house rules that a machine can check.

use crate::support::lanner::command;
use lanner_engine::component::OPTIONAL;
use std::{collections::BTreeSet, fs, path::Path};

const HEADINGS: [&str; 7] = [
    "## What it does",
    "## Try it",
    "## Configuration",
    "## Promises",
    "## Metrics",
    "## Limits",
    "## Coming from the Collector",
];

/// Scenario: somebody adds a component and forgets a part of it.
/// Guarantee: every component folder is registered under its name, has a README with the fixed headings and a YAML that
/// runs; every registered component has a folder. A component that needs a cargo feature says so in a build without it.
#[test]
fn every_component_is_complete() {
    let output = command(&["components", "--format", "json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for kind in ["receiver", "processor", "connector", "exporter", "extension"] {
        let built: BTreeSet<String> = listed
            .iter()
            .filter(|row| row["kind"] == kind)
            .map(|row| row["type"].as_str().unwrap().to_owned())
            .collect();
        let optional = OPTIONAL.iter().filter(|optional| optional.kind.to_string() == kind);
        let registered = built.iter().cloned().chain(optional.map(|optional| optional.type_name.to_owned())).collect();
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{kind}s"));
        let folders: BTreeSet<String> = fs::read_dir(&crate_folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("README.md").exists() || path.join("config.rs").exists())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(folders, registered, "{kind}s: folders and registered types");
        for name in folders {
            let readme = fs::read_to_string(crate_folder.join(&name).join("README.md")).unwrap();
            for heading in HEADINGS {
                assert!(readme.contains(heading), "{kind}s/{name}/README.md has no `{heading}`");
            }
            assert!(readme.contains("```yaml\n"), "{kind}s/{name}/README.md has no YAML to try");
            let shown = command(&["components", &name]);
            if built.contains(&name) {
                let shown = String::from_utf8(shown.stdout).unwrap();
                assert!(shown.contains("## What it does"), "`lanner components {name}` shows its README");
            } else {
                let told = String::from_utf8(shown.stderr).unwrap();
                assert!(told.contains(&format!("this build has no `{name}`")), "{told}");
            }
        }
    }
}
