//! `LANNER__a__b=value` and `--set a.b=value` as layers.
//!
//! A value is text, which may be read as a number or a boolean; only what starts with `[`, `{` or a quote is read
//! as YAML, so that a password with a colon in it stays a password.

use super::{Diagnostic, Node, NodeKey, NodeValue, Origin, codes, scalar, yaml};
use std::sync::Arc;

/// What variables that override the configuration start with.
pub const ENV_PREFIX: &str = "LANNER__";

/// The layer of one environment variable. Parts in capitals are read in small letters, because that is how
/// variables are written; ids and keys that need capitals take `--set`.
pub(crate) fn from_env(name: &str, value: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let rest = name.strip_prefix(ENV_PREFIX)?;
    let origin = Origin::Env(name.into());
    let keys: Vec<String> = rest
        .split("__")
        .map(|part| if part.chars().any(char::is_lowercase) { part.to_owned() } else { part.to_lowercase() })
        .collect();
    if keys.iter().any(String::is_empty) {
        let message = format!("`{name}` does not name a key");
        let finding = Diagnostic::error(codes::BAD_OVERRIDE, message, origin, "");
        findings.push(finding.help("write `LANNER__key__key=value`, two underscores between keys"));
        return None;
    }
    nested(&keys, value, &origin, findings)
}

/// The layer of one `--set` argument.
pub(crate) fn from_set(argument: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let (left, value) = split_at_equals(argument);
    let origin = Origin::Set(left.into());
    let mut refuse = |message: String| {
        let finding = Diagnostic::error(codes::BAD_OVERRIDE, message, origin.clone(), "");
        findings.push(
            finding
                .help("write `--set key.key=value`; quote a part with dots: `exporters.\"otlp_grpc/a.b\".endpoint=x`"),
        );
        None::<Node>
    };
    let Some(value) = value else { return refuse(format!("missing equal sign in `--set {left}`")) };
    match keys(left) {
        Some(keys) => nested(&keys, value, &origin, findings),
        None => refuse(format!("`{left}` does not name a key")),
    }
}

/// The parts before and after the first `=` outside quotes.
fn split_at_equals(argument: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (at, letter) in argument.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '=' if !quoted => return (&argument[..at], Some(&argument[at + 1..])),
            _ => {}
        }
    }
    (argument, None)
}

/// Splits `a."b.c".d`. `None` for an empty part or an open quote.
fn keys(text: &str) -> Option<Vec<String>> {
    let (mut keys, mut key, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.trim().chars() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => keys.push(std::mem::take(&mut key)),
            _ => key.push(letter),
        }
    }
    keys.push(key);
    let whole = !quoted && keys.iter().all(|key| !key.is_empty()) && keys.len() <= yaml::MAX_DEPTH;
    whole.then_some(keys)
}

fn nested(keys: &[String], value: &str, origin: &Origin, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let value = match value.starts_with(['[', '{', '"', '\'']) {
        true => yaml::parse_inline(value, origin, findings)?.value,
        false if scalar::is_null(value) => NodeValue::Null,
        false => NodeValue::Scalar { text: value.into(), plain: true },
    };
    let leaf = Node { origin: origin.clone(), value };
    Some(keys.iter().rev().fold(leaf, |below, key| {
        let key = NodeKey { text: Arc::from(key.as_str()), origin: origin.clone() };
        Node { origin: origin.clone(), value: NodeValue::Map(vec![(key, below)]) }
    }))
}
