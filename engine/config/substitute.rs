//! References to variables and files, filled in after parsing and merging.
//!
//! Promises: only string leaves are looked at, so a value never makes a key, whatever it says; what a reference
//! gives is not looked at again; no more than [`MAX_TOTAL`] bytes come in.
//!
//! `${env:NAME}`, `${NAME}`, `${env:NAME:-default}` (only when unset), `${file:PATH}`, `$$` for a dollar sign. A
//! value that is one reference and nothing else may become a number or a boolean; inside text it is text.
//! Unset without default: a warning and null, as in the Collector.

use super::{Diagnostic, Node, NodeValue, Origin, codes, node::Path, scalar};
use std::{
    collections::{BTreeMap, HashMap},
    io::Read as _,
    sync::Arc,
};

/// Largest file of a reference.
pub const MAX_FILE: u64 = 64 << 10;
/// Most bytes all references together may bring in.
pub const MAX_TOTAL: usize = 8 << 20;
/// References inside the default of a reference.
const MAX_NESTING: usize = 8;

/// Fills in all references of a tree.
pub(crate) fn substitute(tree: &mut Node, env: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) -> FilledIn {
    let mut filler = Filler { env, findings, left: MAX_TOTAL, filled: FilledIn::default() };
    filler.node(tree, &Path::default());
    filler.filled
}

/// What references gave, so that findings show the reference and not the value: it may be a secret in a wrong place.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilledIn(HashMap<Origin, (Arc<str>, Arc<str>)>);

impl FilledIn {
    /// Puts the reference in the place of its value wherever a finding shows it.
    pub fn hide(&self, findings: &mut [Diagnostic]) {
        for finding in findings {
            let Some((written, value)) = self.0.get(&finding.origin) else { continue };
            // Text for a list is checked word by word.
            let words = std::iter::once(&**value).chain(value.split(',').map(str::trim));
            for word in words.filter(|word| !word.is_empty()) {
                let shown = format!("`{word}`");
                if finding.message.contains(&shown) {
                    finding.message = finding.message.replace(&shown, &format!("`{written}`"));
                    // What to write instead is made of the value, too.
                    finding.help = finding.help.take().filter(|help| !help.contains(word));
                }
            }
        }
    }
}

struct Filler<'a> {
    env: &'a BTreeMap<String, String>,
    findings: &'a mut Vec<Diagnostic>,
    left: usize,
    filled: FilledIn,
}

/// Where the reference stands that is being filled in.
struct Site<'a> {
    origin: &'a Origin,
    path: &'a Path,
}

/// What a reference stands for.
enum Filled {
    Nothing,
    /// From outside: may become any scalar.
    Text(String),
    /// Written as empty in the config itself.
    Empty,
}

impl Filler<'_> {
    fn node(&mut self, node: &mut Node, path: &Path) {
        match &mut node.value {
            NodeValue::Null => {}
            NodeValue::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &path.index(index));
                }
            }
            NodeValue::Map(entries) => {
                for (key, value) in entries {
                    self.node(value, &path.key(&key.text));
                }
            }
            // A variable's value is data, not configuration text.
            NodeValue::Scalar { .. } if matches!(node.origin, Origin::Env(_)) => {}
            NodeValue::Scalar { text, .. } if !text.contains('$') => {}
            NodeValue::Scalar { text, plain } => {
                let (text, plain) = (Arc::clone(text), *plain);
                node.value = self.scalar(&text, plain, &Site { origin: &node.origin, path });
                if let NodeValue::Scalar { text: value, .. } = &node.value {
                    self.filled.0.insert(node.origin.clone(), (text, Arc::clone(value)));
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, plain: bool, site: &Site<'_>) -> NodeValue {
        if let Some(inner) = text.strip_prefix("${")
            && let Some(end) = matching_brace(inner)
            && end + 1 == inner.len()
        {
            return match self.reference(&inner[..end], site, 0) {
                Filled::Text(text) if !scalar::is_null(&text) => NodeValue::Scalar { text: text.into(), plain: true },
                Filled::Empty => NodeValue::Scalar { text: "".into(), plain: false },
                Filled::Text(_) | Filled::Nothing => NodeValue::Null,
            };
        }
        let mut has_references = false;
        let filled = self.text(text, site, 0, &mut has_references);
        NodeValue::Scalar { text: filled.into(), plain: plain && !has_references }
    }

    /// Fills in the references inside a text.
    fn text(&mut self, text: &str, site: &Site<'_>, nesting: usize, has_references: &mut bool) -> String {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            if let Some(next) = behind.strip_prefix('$') {
                out.push('$');
                rest = next;
            } else if let Some(inner) = behind.strip_prefix('{') {
                let Some(end) = matching_brace(inner) else {
                    self.bad(
                        site,
                        "a reference without its closing brace".into(),
                        "close it with `}`, or write `$$` for a dollar sign",
                    );
                    out.push_str(&rest[at..]);
                    return out;
                };
                *has_references = true;
                if let Filled::Text(value) = self.reference(&inner[..end], site, nesting) {
                    out.push_str(&value);
                }
                rest = &inner[end + 1..];
            } else {
                out.push('$');
                rest = behind;
            }
        }
        out.push_str(rest);
        out
    }

    fn reference(&mut self, content: &str, site: &Site<'_>, nesting: usize) -> Filled {
        if nesting >= MAX_NESTING {
            self.bad(site, format!("references nested more than {MAX_NESTING} deep"), "write the default out");
            return Filled::Nothing;
        }
        if let Some(path) = content.strip_prefix("file:") {
            return self.file(path, site);
        }
        let name = content.strip_prefix("env:").unwrap_or(content);
        let (name, default) = match name.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (name, None),
        };
        if !is_name(name) {
            let help = "references are `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}`; a dollar sign is `$$`";
            let message = match content.split_once(':') {
                Some((scheme, _)) if scheme != "env" => {
                    format!("`${{{content}}}`: scheme \"{scheme}\" is not supported")
                }
                _ => format!("`${{{content}}}`: `{name}` is not the name of a variable"),
            };
            self.bad(site, message, help);
            return Filled::Nothing;
        }
        match (self.env.get(name), default) {
            (Some(value), _) if value.is_empty() => Filled::Nothing,
            (Some(value), _) => self.take(value.clone(), site),
            (None, Some("")) => Filled::Empty,
            (None, Some(default)) => {
                let default = self.text(default, site, nesting + 1, &mut false);
                Filled::Text(default)
            }
            (None, None) => {
                let message = format!("the environment variable `{name}` is not set; the value is null");
                let finding = Diagnostic::warning(codes::UNSET, message, site.origin.clone(), site.path);
                self.findings.push(finding.help(format!("set it, or write a default: `${{env:{name}:-...}}`")));
                Filled::Nothing
            }
        }
    }

    fn file(&mut self, path: &str, site: &Site<'_>) -> Filled {
        let read = std::fs::File::open(path).and_then(|file| {
            let mut text = String::new();
            file.take(MAX_FILE + 1).read_to_string(&mut text).map(|_| text)
        });
        let problem = match read {
            Ok(text) if text.len() as u64 <= MAX_FILE => {
                let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
                return self.take(text.to_owned(), site);
            }
            Ok(_) => format!("it has more than {MAX_FILE} bytes"),
            Err(error) => reason(&error),
        };
        let message = format!("cannot read `{path}`: {problem}");
        let finding = Diagnostic::error(codes::UNREADABLE_REFERENCE, message, site.origin.clone(), site.path);
        self.findings
            .push(finding.help("give the path of a small text file; a relative path starts at the working directory"));
        Filled::Nothing
    }

    fn take(&mut self, text: String, site: &Site<'_>) -> Filled {
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                Filled::Text(text)
            }
            None => {
                let message = format!("references bring in more than {MAX_TOTAL} bytes");
                self.findings.push(Diagnostic::error(codes::BUDGET, message, site.origin.clone(), site.path));
                Filled::Nothing
            }
        }
    }

    fn bad(&mut self, site: &Site<'_>, message: String, help: &str) {
        let finding = Diagnostic::error(codes::BAD_REFERENCE, message, site.origin.clone(), site.path);
        self.findings.push(finding.help(help));
    }
}

/// Where the brace stands that closes the reference `inner` is the inside of.
fn matching_brace(inner: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut before = None;
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' if before == Some('$') => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = Some(letter);
    }
    None
}

/// The Collector's grammar of variable names.
fn is_name(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// An I/O error in words that are the same on every machine.
pub(crate) fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "it is a directory".into(),
        ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => error.to_string(),
    }
}
