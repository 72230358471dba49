//! What `validate` says.

use crate::file_log::{FileLog, config::Config, search::Search};
use lanner_engine::{component::Factory, config::plan_body};
use std::{fs, path::Path};

fn messages(yaml: &str) -> Vec<String> {
    plan_body(&Factory::receiver::<FileLog>(), yaml).findings.iter().map(|finding| finding.message.clone()).collect()
}

/// Scenario: a Collector user's configuration, and one with every mistake there is.
/// Guarantee: the first passes without a word; in the second each mistake is reported.
#[test]
fn mistakes_are_found_before_the_start() {
    let passes = "include: [/var/log/*.log]\nexclude: [/var/log/x.log]\nstart_at: beginning\npoll_interval: 200ms\nencoding: utf-8\nmax_log_size: 1MiB\nfingerprint_size: 1kb\nmax_concurrent_files: 1024\nforce_flush_period: 500ms\ninclude_file_name: true\ninclude_file_path: true\n";
    assert_eq!(messages(passes), [""; 0]);
    let wrong = "include: ['/var/[', '/ok']\nexclude: ['{a']\npoll_interval: 0s\nmax_log_size: 3\nmax_concurrent_files: 0\nmax_files: 0\nformat: text\nnon_json: skip\nsemantics: {k8s_audit: {attributes: {x: nowhere}}}\n";
    let found = messages(wrong).join("\n");
    for place in ["not a pattern", "`poll_interval`", "`max_log_size`", "max_concurrent_files", "max_files", "pointer"]
    {
        assert!(found.contains(place), "{place}: {found}");
    }
    assert_eq!(found.matches("not a pattern").count(), 2, "{found}");
    assert!(messages("{}")[0].contains("include") || messages("{}")[0].contains("no file"), "{:?}", messages("{}"));
    assert!(messages("include: [/a]\nmax_log_size: 1 parsec")[0].contains("not a size"));
    assert!(messages("include: [/a]\nsemantics: {falco: {keep_original: true}}")[0].contains("no effect"));
    assert_eq!(serde_json::to_value(Config::default()).unwrap()["max_log_size"], 1 << 20);
}

/// Scenario: patterns of all kinds over a small tree, absolute and relative, with excludes.
/// Guarantee: exactly the files that the pattern means, in order; folders that cannot match are not opened.
#[test]
fn patterns_find_what_they_mean() {
    let folder = super::rig::Scratch::new();
    for name in ["a.log", "b.txt", "x/a.log", "x/y/a.log", "x/y/b.log", "z[1]/a.log", "pods/ns_p_1/c/0.log"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let find = |include: &[&str], exclude: &[&str]| -> Vec<String> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let search = Search::new(&owned(include), &owned(exclude), folder.path()).unwrap();
        let found = search.walk(|path, obstacle| panic!("{}: {obstacle:?}", path.display()));
        let name = |path: &Path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        found.keys().map(|path| name(path)).collect()
    };
    assert_eq!(find(&["*.log"], &[]), ["a.log"]);
    assert_eq!(find(&["./b.txt", "nothing.log", "no/such/folder/*.log"], &[]), ["b.txt"]);
    assert_eq!(find(&["*/*.log"], &[]), ["x/a.log", "z[1]/a.log"]);
    assert_eq!(find(&["**/a.log"], &["x/**"]), ["a.log", "z[1]/a.log"]);
    assert_eq!(find(&["x/y/[ab].log"], &["**/b.*"]), ["x/y/a.log"]);
    assert_eq!(find(&["{x,x/y}/a.log"], &[]), ["x/a.log", "x/y/a.log"]);
    assert_eq!(find(&["pods/*/*/*.log"], &[]), ["pods/ns_p_1/c/0.log"]);
    assert_eq!(find(&["z\\[1\\]/a.log"], &[]), ["z[1]/a.log"]);
}
