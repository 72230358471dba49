//! Names: from OpenTelemetry's to Prometheus's, by the rules of the OpenTelemetry specification ("Prometheus and
//! OpenMetrics compatibility") that the Collector follows.
//!
//! Promises: the results match Prometheus's classic grammar, are never empty and never begin with `__`.

use std::borrow::Cow;

/// Kinds of metrics that get different suffixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    /// A monotonic sum: `_total`.
    Total,
    /// A gauge: `_ratio` when its unit is 1.
    Ratio,
    /// Anything else: the unit alone.
    Unit,
}

/// The Prometheus name of a metric without `_total`, and its Prometheus unit (empty when there is none).
/// `suffixes` is the Collector's `add_metric_suffixes`.
pub fn metric(namespace: &str, name: &str, unit: &str, suffix: Suffix, suffixes: bool) -> (String, String) {
    let mut words: Vec<&str> = words(name).collect();
    let mut unit_words = Vec::new();
    if suffixes {
        if suffix == Suffix::Total {
            words.retain(|word| *word != "total");
        }
        unit_words = unit_suffix(unit);
        if unit_words.is_empty() && unit == "1" && suffix == Suffix::Ratio {
            unit_words.push("ratio".to_owned());
        }
    }
    let mut out = String::with_capacity(namespace.len() + name.len() + 16);
    for word in self::words(namespace).chain(words.iter().copied()) {
        push(&mut out, word);
    }
    for word in unit_words.iter().filter(|word| !words.contains(&word.as_str())) {
        push(&mut out, word);
    }
    if out.is_empty() || out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    let unit = unit_words.join("_");
    let unit = if out.ends_with(&unit) { unit } else { String::new() };
    (out, unit)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != ':').filter(|word| !word.is_empty())
}

fn push(out: &mut String, word: &str) {
    if !out.is_empty() {
        out.push('_');
    }
    out.push_str(word);
}

/// `By/s` is `bytes`, `per`, `second`; annotations in braces are no unit.
fn unit_suffix(unit: &str) -> Vec<String> {
    let (main, per) = match unit.split_once('/') {
        Some((main, per)) => (main.trim(), per.trim()),
        None => (unit.trim(), ""),
    };
    let mut found = Vec::new();
    if !main.contains(['{', '}']) {
        found.extend(words(main_unit(main)).map(str::to_owned));
    }
    if !per.is_empty() && !per.contains(['{', '}']) {
        let before = found.len();
        found.extend(words(per_unit(per)).map(str::to_owned));
        if found.len() > before {
            found.insert(before, "per".to_owned());
        }
    }
    found
}

fn main_unit(unit: &str) -> &str {
    match unit {
        "1" => "",
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        other => other,
    }
}

fn per_unit(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

/// A name that is to be kept: only what Prometheus cannot take is replaced.
pub fn exact(name: &str) -> String {
    let clean = |letter: char| if letter.is_ascii_alphanumeric() || letter == ':' { letter } else { '_' };
    let mut out: String = name.chars().map(clean).collect();
    if out.is_empty() || out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// The Prometheus name of a label. Reserved names (`__name__`) cannot come out of events.
pub fn label(name: &str) -> Cow<'_, str> {
    let valid = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let first = name.chars().next().unwrap_or('_');
    if name.chars().all(valid) && first.is_ascii_alphabetic() {
        return Cow::Borrowed(name);
    }
    let clean = name.chars().map(|letter| if valid(letter) { letter } else { '_' });
    let mut out = String::with_capacity(name.len() + 4);
    match first {
        _ if first.is_ascii_digit() => out.push_str("key_"),
        _ if !first.is_ascii_alphabetic() => out.push_str("key"),
        _ => {}
    }
    if name.is_empty() {
        out.push('_');
    }
    out.extend(clean);
    Cow::Owned(out)
}
