//! Findings for people and for programs.
//!
//! Promises: the same findings give the same bytes; control characters of a config never reach the terminal; a
//! value behind a key that names a secret is not shown, nor is the rest of its line, whatever the finding is about (S9).

use super::{Diagnostic, Level, Origin, Sources, source::Place};
use serde::Serialize;
use std::fmt::Write as _;

/// Whether to colour what goes to a terminal: `NO_COLOR` (any value but empty) says no.
pub fn wants_color(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

/// The findings as rustc shows them, and a last line that counts them.
pub fn human(findings: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut out = String::new();
    for finding in findings {
        let (word, hue) = match finding.level {
            Level::Error => ("error", "1;31"),
            Level::Warning => ("warning", "1;33"),
        };
        let head = paint(hue, &format!("{word}[{}]", finding.code));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{head}{}", paint("1", &format!(": {}", clean(&finding.message))));
        snippet(&mut out, &finding.origin, sources, &finding.path, hue, &paint);
        if let Some((origin, what)) = &finding.related {
            let place = locate(origin, sources);
            let _ = writeln!(out, "   {} {}: {}", paint("1;34", "="), paint("1", &place), clean(what));
        }
        if let Some(help) = &finding.help {
            let _ = writeln!(out, "   {} {}: {}", paint("1;34", "="), paint("1", "help"), clean(help));
        }
        out.push('\n');
    }
    out.push_str(&summary(findings));
    out.push('\n');
    out
}

/// `2 errors, 1 warning`.
pub fn summary(findings: &[Diagnostic]) -> String {
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    let warnings = findings.len() - errors;
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

/// The findings as a JSON array.
pub fn json(findings: &[Diagnostic], sources: &Sources) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        severity: Level,
        code: &'a str,
        message: String,
        file: Option<String>,
        line: Option<usize>,
        column: Option<usize>,
        path: &'a str,
        help: Option<&'a str>,
    }
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            let place = sources.place(&finding.origin);
            let mut message = finding.message.clone();
            if let Some((origin, what)) = &finding.related {
                let _ = write!(message, " ({}: {what})", locate(origin, sources));
            }
            if matches!(finding.origin, Origin::Env(_) | Origin::Set(_)) {
                let _ = write!(message, " (from {})", locate(&finding.origin, sources));
            }
            Row {
                severity: finding.level,
                code: finding.code,
                message,
                file: file_name(&finding.origin),
                line: place.as_ref().map(|place| place.line),
                column: place.as_ref().map(|place| place.column),
                path: &finding.path,
                help: finding.help.as_deref(),
            }
        })
        .collect();
    // Strings and numbers always serialize.
    let mut text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    text.push('\n');
    text
}

fn file_name(origin: &Origin) -> Option<String> {
    match origin {
        Origin::File { file, .. } => Some(file.display().to_string()),
        _ => None,
    }
}

/// Where something was written, in one line.
pub(crate) fn locate(origin: &Origin, sources: &Sources) -> String {
    match (sources.place(origin), origin) {
        (Some(place), _) => format!("{}:{}:{}", clean(&place.file.to_string_lossy()), place.line, place.column),
        (None, Origin::File { file, .. }) => clean(&file.to_string_lossy()),
        (None, Origin::Env(name)) => format!("environment variable {}", clean(name)),
        (None, Origin::Set(argument)) => format!("--set {}", clean(argument)),
        (None, Origin::Default) => "built-in default".into(),
    }
}

fn snippet(
    out: &mut String,
    origin: &Origin,
    sources: &Sources,
    path: &str,
    hue: &str,
    paint: &dyn Fn(&str, &str) -> String,
) {
    let behind = match origin {
        // A place in a file is found by line; elsewhere the path is what helps.
        Origin::File { .. } => String::new(),
        _ if path.is_empty() => String::new(),
        _ => format!(" ({})", clean(path)),
    };
    if *origin == Origin::Default && path.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {} {}{behind}", paint("1;34", "-->"), locate(origin, sources));
    let Some(place) = sources.place(origin) else { return };
    if place.text.trim().is_empty() {
        return;
    }
    let (line, from, width) = shown(&place);
    let number = place.line.to_string();
    let blank = " ".repeat(number.len());
    let bar = paint("1;34", "|");
    let carets = paint(hue, &"^".repeat(width));
    let _ = writeln!(out, "{blank} {bar}\n{} {bar} {line}", paint("1;34", &number));
    let _ = writeln!(out, "{blank} {bar} {}{carets}", " ".repeat(from));
}

/// A line as it may be shown, with the place and number of its carets.
fn shown(place: &Place<'_>) -> (String, usize, usize) {
    /// Columns of a line that are shown.
    const WIDEST: usize = 160;
    let (from, mut width) = (place.column - 1, place.width);
    let mut line = place.text.to_owned();
    if let Some(value) = secret_value(&line) {
        let kept = line[..value].chars().count();
        line.replace_range(value.., super::Secret::REDACTED);
        if from >= kept {
            width = super::Secret::REDACTED.len();
            return (clean(&line), kept, width);
        }
        width = width.min(kept - from);
    }
    let skipped = from.saturating_sub(WIDEST / 2);
    let cut: String = clean(&line).chars().skip(skipped).take(WIDEST).collect();
    let from = from - skipped;
    let width = width.min(cut.chars().count().saturating_sub(from)).max(1);
    (cut, from, width)
}

/// Where the value starts of the first key in the line that names a secret, unless the value is a reference.
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(colon, _)| {
        let (before, value) = (&line[..colon], &line[colon + 1..]);
        // Elsewhere a colon is part of a text, as in a URL.
        let ends_a_key = value.is_empty() || value.starts_with(char::is_whitespace) || before.ends_with(['"', '\'']);
        let word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
        let key = before.trim_end_matches(['"', '\'']).rsplit(|letter| !word(letter)).next()?;
        let written = value.trim();
        let is_reference = written.trim_start_matches(['"', '\'']).starts_with("${");
        // A webhook's `url` is its key, and headers have names of all kinds.
        let names_one = names_secret(key) || matches!(key, "url" | "headers");
        let secret = ends_a_key && names_one && !written.is_empty() && !is_reference;
        secret.then(|| line.len() - value.trim_start().len())
    })
}

/// Whether a key says that its value is a secret.
pub(crate) fn names_secret(key: &str) -> bool {
    const WORDS: [&str; 14] = [
        "password",
        "token",
        "secret",
        "api_key",
        "apikey",
        "routing_key",
        "hash_key",
        "key_pem",
        "private_key",
        "seed",
        "authorization",
        "webhook_url",
        "proxy_url",
        "bearer",
    ];
    let key = key.to_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

/// Text without anything that steers a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
