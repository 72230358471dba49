//! Reading values of items.

use super::{
    diagnostic::{Code, Diagnostic, Severity},
    limits,
    node::Node,
    sources::{Files, Spot},
    written::Written,
};

/// What findings are about.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// `rule`, `macro`...
    pub kind: &'static str,
    /// The name, once it is known.
    pub name: Option<String>,
    pub spot: Spot,
}

impl About {
    pub fn new(kind: &'static str, name: Option<&str>, spot: Spot) -> Self {
        Self { kind, name: name.map(str::to_owned), spot }
    }
}

/// Where findings go.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub list: Vec<(Diagnostic, Spot)>,
    pub has_errors: bool,
}

/// What was wrong is among the findings.
pub(super) struct Wrong;

impl Findings {
    pub fn add(&mut self, severity: Severity, code: Code, about: &About, spot: Spot, message: String, files: &Files) {
        self.has_errors |= severity == Severity::Error;
        if self.list.len() >= limits::FINDINGS && severity == Severity::Warning {
            return;
        }
        let (file, place, excerpt) = files.describe(spot);
        let finding = Diagnostic {
            severity,
            code,
            message,
            item_type: about.kind,
            item_name: about.name.clone(),
            file,
            place,
            excerpt,
        };
        let known = self.list.iter().rev().take(limits::FINDINGS).any(|(known, _)| *known == finding);
        if !known && self.list.len() < 2 * limits::FINDINGS {
            self.list.push((finding, spot));
        }
    }
}

/// Reads the items of one file.
pub(super) struct Reader<'a> {
    pub files: &'a Files,
    pub findings: &'a mut Findings,
}

impl Reader<'_> {
    pub fn error(&mut self, about: &About, spot: Spot, message: impl Into<String>) -> Wrong {
        self.findings.add(Severity::Error, Code::YamlValidate, about, spot, message.into(), self.files);
        Wrong
    }

    pub fn invalid(&mut self, about: &About, spot: Spot, message: impl Into<String>) -> Wrong {
        self.findings.add(Severity::Error, Code::Validate, about, spot, message.into(), self.files);
        Wrong
    }

    pub fn warn(&mut self, code: Code, about: &About, spot: Spot, message: impl Into<String>) {
        self.findings.add(Severity::Warning, code, about, spot, message.into(), self.files);
    }

    /// A text that must be there.
    pub fn text(&mut self, item: &Node, key: &str, about: &About) -> Result<Written, Wrong> {
        match self.optional_text(item, key, about)? {
            Some(text) => Ok(text),
            None => Err(self.error(
                about,
                about.spot,
                format!("Item has no mapping for key '{key}'; add `{key}: ...` to the {}", about.kind),
            )),
        }
    }

    pub fn optional_text(&mut self, item: &Node, key: &str, about: &About) -> Result<Option<Written>, Wrong> {
        let Some(node) = item.get(key) else { return Ok(None) };
        if node.is_null() {
            let message = format!("Mapping for key '{key}' is empty; write a value behind `{key}:`");
            return Err(self.error(about, node.spot, message));
        }
        let Some(text) = node.scalar() else {
            return Err(self.error(about, node.spot, format!("Value is not a scalar value; `{key}` takes one text")));
        };
        if text.is_empty() {
            return Err(self.error(about, node.spot, format!("Value must be non-empty; write a text behind `{key}:`")));
        }
        Ok(Some(Written::scalar(text, node.spot)))
    }

    pub fn optional_bool(&mut self, item: &Node, key: &str, about: &About) -> Result<Option<bool>, Wrong> {
        let Some(text) = self.optional_text(item, key, about)? else { return Ok(None) };
        match boolean(&text.text) {
            Some(value) => Ok(Some(value)),
            None => {
                let spot = item.get(key).map_or(about.spot, |node| node.spot);
                let message = format!("Can't decode YAML scalar value; write `{key}: true` or `{key}: false`");
                Err(self.error(about, spot, message))
            }
        }
    }

    pub fn optional_number(&mut self, item: &Node, key: &str, about: &About) -> Result<Option<u32>, Wrong> {
        let Some(text) = self.optional_text(item, key, about)? else { return Ok(None) };
        match text.text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => {
                let spot = item.get(key).map_or(about.spot, |node| node.spot);
                let message = format!("Can't decode YAML scalar value; write a whole number behind `{key}:`");
                Err(self.error(about, spot, message))
            }
        }
    }

    /// A list of texts; `None` if the key is not there.
    pub fn optional_texts(
        &mut self,
        item: &Node,
        key: &str,
        about: &About,
    ) -> Result<Option<Vec<(String, Spot)>>, Wrong> {
        let Some(node) = item.get(key) else { return Ok(None) };
        let Some(members) = node.list() else {
            return Err(self.error(about, node.spot, format!("Value is not a sequence; write `{key}: [a, b]`")));
        };
        let mut texts = Vec::with_capacity(members.len());
        for member in members {
            match (member.scalar(), member.is_null()) {
                (Some(text), _) => texts.push((text.to_owned(), member.spot)),
                // `[null]` is the word "null" where words are expected.
                (None, true) => texts.push((self.files.slice(member.spot).to_owned(), member.spot)),
                (None, false) => {
                    let message = format!("sequence value is not scalar; `{key}` takes a flat list of texts");
                    return Err(self.error(about, member.spot, message));
                }
            }
        }
        Ok(Some(texts))
    }

    /// Warns of keys that items of this kind do not have.
    pub fn unknown_keys(&mut self, item: &Node, known: &[&str], about: &About) {
        for (key, _) in item.entries() {
            if !known.contains(&key.text.as_str()) {
                let shown = crate::language::shown(&key.text);
                let suggestion = crate::schema::nearest(&key.text, known.iter().copied());
                let suggestion = suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                self.warn(
                    Code::UnknownKey,
                    about,
                    key.spot,
                    format!("Unknown key '{shown}', it is ignored{suggestion}"),
                );
            }
        }
    }
}

/// As YAML 1.1 has it.
fn boolean(text: &str) -> Option<bool> {
    let is_one_case = text.chars().all(char::is_lowercase)
        || text.chars().all(char::is_uppercase)
        || text.starts_with(char::is_uppercase) && text.chars().skip(1).all(char::is_lowercase);
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" if is_one_case => Some(true),
        "n" | "no" | "false" | "off" if is_one_case => Some(false),
        _ => None,
    }
}
