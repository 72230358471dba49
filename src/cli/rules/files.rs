//! Rule files for the subcommands: read in order, everything that is wrong reported in one run.
//!
//! A file that cannot be read or loaded does not keep the findings of the others from being reported; what it would have
//! defined is missing then, as in Falco.

use super::super::{Format, print};
use lanner_rules::{
    file::{Code, Diagnostic, Loader, Options, Severity, limits},
    language::Place,
    ruleset::Ruleset,
};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What is written instead of a path for standard input.
pub const STDIN: &str = "-";

/// Rules, and everything that was found about them.
pub struct Loaded {
    pub ruleset: Ruleset,
    pub findings: Vec<Diagnostic>,
}

/// Loads files, and the `*.yaml` and `*.yml` files of folders in the order of their names.
pub fn load(paths: &[PathBuf], options: Options) -> Loaded {
    let mut loader = Loader::new(options);
    let mut findings = Vec::new();
    for path in paths {
        let files = match listed(path) {
            Ok(files) => files,
            Err(error) => {
                findings.push(unreadable(path, &error));
                continue;
            }
        };
        for file in files {
            match read(&file) {
                Ok(text) => findings.extend(loader.load(&shown(&file), &text).diagnostics),
                Err(error) => findings.push(unreadable(&file, &error)),
            }
        }
    }
    Loaded { ruleset: loader.finish(), findings }
}

/// The path, or what is in it.
fn listed(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    let is_yaml = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    files.retain(|file| is_yaml(file) && !file.is_dir());
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other("no *.yaml or *.yml file is in this folder"));
    }
    Ok(files)
}

/// Reads no more than the loader takes, which then says that it is too much.
fn read(path: &Path) -> io::Result<String> {
    let most = limits::TOTAL_BYTES as u64 + 1;
    let mut text = String::new();
    match path.as_os_str() == STDIN {
        true => io::stdin().lock().take(most).read_to_string(&mut text)?,
        false => File::open(path)?.take(most).read_to_string(&mut text)?,
    };
    Ok(text)
}

/// How a path is called in findings.
fn shown(path: &Path) -> String {
    if path.as_os_str() == STDIN { "<stdin>".to_owned() } else { path.display().to_string() }
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: Code::FileRead,
        message: format!("the file cannot be read: {error}; name one that can"),
        item_type: "file",
        item_name: None,
        file: shown(path).into(),
        place: Place { line: 1, column: 1 },
        excerpt: String::new(),
    }
}

/// Whether something keeps a file from being loaded.
pub fn has_errors(findings: &[Diagnostic]) -> bool {
    count(findings, Severity::Error) > 0
}

pub fn count(findings: &[Diagnostic], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// `1 rule`, `2 rules`.
pub fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Shows findings: for people on stderr, for programs on stdout in the shape that `lanner validate` has.
pub fn report(findings: &[Diagnostic], format: Format) -> io::Result<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        severity: &'static str,
        code: &'static str,
        message: &'a str,
        file: &'a str,
        line: u32,
        column: u32,
        path: String,
        help: Option<&'a str>,
    }
    match format {
        Format::Human => findings.iter().for_each(|finding| eprintln!("{finding}\n")),
        Format::Json => {
            let rows: Vec<_> = findings
                .iter()
                .map(|finding| Row {
                    severity: if finding.severity == Severity::Error { "error" } else { "warning" },
                    code: finding.code.name(),
                    message: &finding.message,
                    file: &finding.file,
                    line: finding.place.line,
                    column: finding.place.column,
                    path: match &finding.item_name {
                        Some(name) => format!("{}::{name}", finding.item_type),
                        None => finding.item_type.to_owned(),
                    },
                    // The remedy is in the message.
                    help: None,
                })
                .collect();
            print(&serde_json::to_string_pretty(&rows)?)?;
        }
    }
    Ok(())
}
