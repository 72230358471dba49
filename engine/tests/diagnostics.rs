//! Broken configurations and what is said about them, word for word.
//!
//! A case is `invalid/<case>.yaml` with `<case>.stderr`, and `<case>.json` where the machine form is tested, too.
//! `LANNER_BLESS=1 cargo test -p lanner-engine --test diagnostics` writes them anew. Comments at the top of a case
//! give what is not in the file: `# env: NAME=value`, `# set: a.b=value`, `# then: file` (the next layer).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

mod support;

use lanner_engine::{
    config::{Inputs, Level, codes, load, render},
    graph::plan,
};
use std::path::{Path, PathBuf};

/// What a case gives in both forms, and whether a plan came of it.
struct Said {
    human: String,
    json: String,
    planned: bool,
    errors: usize,
}

fn run(inputs: &Inputs) -> Said {
    let loaded = load(inputs);
    let mut findings = loaded.findings;
    let planned = match &loaded.document {
        Some(document) => plan(document, &support::registry(), &mut findings).is_some(),
        None => false,
    };
    Said {
        human: render::human(&findings, &loaded.sources, false),
        json: render::json(&findings, &loaded.sources),
        planned,
        errors: findings.iter().filter(|finding| finding.level == Level::Error).count(),
    }
}

fn inputs(case: &Path) -> Inputs {
    let mut inputs = Inputs { files: vec![case.to_owned()], ..Inputs::default() };
    let text = std::fs::read_to_string(case).unwrap();
    for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
        match line.split_once(": ") {
            Some(("env", variable)) => {
                let (name, value) = variable.split_once('=').unwrap();
                inputs.env.insert(name.into(), value.into());
            }
            Some(("set", argument)) => inputs.sets.push(argument.into()),
            Some(("then", file)) => inputs.files.push(case.with_file_name(file)),
            _ => {}
        }
    }
    inputs
}

/// The cases, relative to the crate, so that goldens name them alike on every machine.
fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir("tests/invalid").unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    cases
}

fn blessing() -> bool {
    std::env::var_os("LANNER_BLESS").is_some()
}

/// Scenario: every broken configuration of the folder.
/// Guarantee: exactly the findings of its golden file, byte for byte, twice in a row; with an error no plan.
#[test]
fn says_what_the_golden_files_say() {
    let (mut different, cases) = (Vec::new(), cases());
    assert!(cases.len() >= 35, "{} cases", cases.len());
    for case in &cases {
        let inputs = inputs(case);
        let said = run(&inputs);
        let again = run(&inputs);
        assert_eq!((&said.human, &said.json), (&again.human, &again.json), "{} varies", case.display());
        assert_eq!(said.planned, said.errors == 0, "{}:\n{}", case.display(), said.human);
        for (extension, text) in [("stderr", &said.human), ("json", &said.json)] {
            let golden = case.with_extension(extension);
            if extension == "json" && !golden.exists() {
                continue;
            }
            if blessing() {
                std::fs::write(&golden, text).unwrap();
            } else if std::fs::read_to_string(&golden).unwrap_or_default() != *text {
                different.push(format!("--- {}\n{text}", golden.display()));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Scenario: the table of codes beside the golden files.
/// Guarantee: every code is shown by at least one case, and explained with a wrong and a right example.
#[test]
fn every_code_is_shown_and_explained() {
    let goldens: String =
        cases().iter().map(|case| std::fs::read_to_string(case.with_extension("stderr")).unwrap_or_default()).collect();
    let mut missing: Vec<&str> = codes::TABLE.iter().map(|code| code.code).collect();
    missing.retain(|code| !goldens.contains(&format!("[{code}]")));
    assert!(missing.is_empty(), "no case shows {missing:?}");
    for code in codes::TABLE {
        assert!(!code.explanation.is_empty() && !code.right.is_empty() && code.wrong != code.right, "{}", code.code);
        assert_eq!(codes::explain(&code.code.to_lowercase()).map(|found| found.code), Some(code.code));
    }
    let mut sorted: Vec<&str> = codes::TABLE.iter().map(|code| code.code).collect();
    sorted.dedup();
    assert_eq!(sorted.len(), codes::TABLE.len());
}

/// Scenario: one file with mistakes of every phase.
/// Guarantee: all of them are reported in one run.
#[test]
fn reports_all_mistakes_of_a_file() {
    let said = run(&inputs(Path::new("tests/invalid/all_in_one.yaml")));
    assert!(said.errors >= 8, "{}", said.human);
    for code in
        ["L0003", "L0103", "L0104", "L0105", "L0107", "L0110", "L0201", "L0203", "L0207", "L0210", "L0212", "L0301"]
    {
        assert!(said.human.contains(code), "{code} is missing in:\n{}", said.human);
    }
}

/// Scenario: findings about a line with a secret in it, and about the secret itself.
/// Guarantee: neither form of output shows the secret.
#[test]
fn findings_do_not_show_secrets() {
    let file = "exporters:\n  slack:\n    webhook_url: [https://hooks.example/hunter2]\n    token: hunter2\n  otlp_grpc:\n    headers:\n      authorization:\n        - hunter2\n";
    let loaded_from = |text: &str| Inputs { embedded: Some(("secret.yaml".into(), text.into())), ..Inputs::default() };
    let said = run(&loaded_from(file));
    assert!(said.errors >= 3 && !said.json.contains("hunter2"), "{}", said.json);
    let shown: Vec<&str> = said.human.lines().filter(|line| line.contains("hunter2")).collect();
    assert_eq!(shown, [] as [&str; 0]);
}

/// Scenario: variables that hold secrets end up in keys of other types.
/// Guarantee: findings show the reference, not the value.
#[test]
fn findings_do_not_show_what_references_gave() {
    let file = "receivers:\n  falco_http:\n    hold: ${env:TOKEN}\n  docker_logs:\n    start_at: ${env:TOKEN}\nservice:\n  pipelines:\n    logs:\n      receivers: [\"${env:TOKEN}\"]\n";
    let env = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
    let said = run(&Inputs { embedded: Some(("secret.yaml".into(), file.into())), env, ..Inputs::default() });
    assert!(said.errors >= 3 && said.human.contains("`${env:TOKEN}` is not a duration"), "{}", said.human);
    assert!(!said.human.contains("`hunter2`") && !said.json.contains("`hunter2`"), "{}", said.human);
}
