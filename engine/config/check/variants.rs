//! `anyOf` and `oneOf`: optional values, words with descriptions, and enums that carry data.

use super::{Checker, expected, fits, leaf, types};
use crate::config::{Node, NodeValue, Origin, node::Path};
use serde_json::Value;

impl<'a> Checker<'a> {
    pub(super) fn variants(&mut self, node: &Node, key: &Origin, variants: &'a [Value], path: &Path) -> Option<Node> {
        let variants: Vec<&'a Value> = variants.iter().map(|variant| self.doc.resolve(variant)).collect();
        let nullable = variants.iter().any(|variant| types(variant) == ["null"]);
        if nullable && node.is_null() {
            return None;
        }
        let variants: Vec<&'a Value> = variants.into_iter().filter(|variant| types(variant) != ["null"]).collect();
        if let [only] = variants[..] {
            return self.value(node, key, only, path);
        }
        if variants.iter().all(|variant| leaf::choices(variant).is_some()) {
            return self.choice(node, key, &variants, path);
        }
        if let NodeValue::Map(_) = node.value
            && let Some(tag) = tag(&variants)
        {
            return self.tagged(node, key, tag, &variants, path);
        }
        let fitting: Vec<&'a Value> = variants.iter().copied().filter(|variant| may_be(node, variant)).collect();
        match fitting[..] {
            [] => {
                let mut names: Vec<&str> = variants.iter().flat_map(|variant| types(variant)).collect();
                names.dedup();
                self.wrong_type(node, key, &expected(&names), path)
            }
            [only] => self.value(node, key, only, path),
            _ => self.nearest(node, key, &fitting, path),
        }
    }

    /// The variant with the fewest problems.
    fn nearest(&mut self, node: &Node, key: &Origin, variants: &[&'a Value], path: &Path) -> Option<Node> {
        let tries = variants.iter().map(|variant| {
            let mut checker = Checker { problems: Vec::new(), left_out: Vec::new(), ..*self };
            let kept = checker.value(node, key, variant, path);
            (checker, kept)
        });
        let (checker, kept) = tries.min_by_key(|(checker, _)| checker.problems.len())?;
        let Checker { problems, left_out, .. } = checker;
        self.problems.extend(problems);
        self.left_out.extend(left_out);
        kept
    }

    /// The variant that the value of the tag names.
    fn tagged(&mut self, node: &Node, key: &Origin, tag: &str, variants: &[&'a Value], path: &Path) -> Option<Node> {
        let named = |variant: &Value| variant.get("properties").and_then(|known| known.get(tag)).cloned();
        let written = node.entry(tag).filter(|(_, value)| !value.is_null());
        let Some((name, value)) = written else {
            return self.nearest(node, key, variants, path);
        };
        let chosen = variants.iter().find(|variant| {
            let word = named(variant);
            word.is_some_and(|word| {
                leaf::choices(&word).is_some_and(|words| value.text().is_some_and(|text| words.contains(&text)))
            })
        });
        match chosen {
            Some(variant) => self.value(node, key, variant, path),
            None => {
                let words: Vec<Value> = variants.iter().filter_map(|variant| named(variant)).collect();
                self.choice(value, &name.origin, &words.iter().collect::<Vec<_>>(), &path.key(tag));
                None
            }
        }
    }
}

/// The key that tells the variants apart: every variant allows only its own word for it.
fn tag<'a>(variants: &[&'a Value]) -> Option<&'a str> {
    let first = variants.first()?.get("properties")?.as_object()?;
    first.keys().map(String::as_str).find(|key| {
        let words =
            |variant: &&Value| variant.get("properties").and_then(|known| leaf::choices(known.get(*key)?)).is_some();
        variants.iter().all(words)
    })
}

/// Whether a value may be of the variant, seen from outside.
fn may_be(node: &Node, variant: &Value) -> bool {
    if let Some(words) = leaf::choices(variant) {
        return node.text().is_some_and(|text| words.contains(&text)) && node.text().is_some();
    }
    let types = types(variant);
    let shape = types.is_empty() || types.iter().any(|name| fits(node, name, variant));
    // An enum that carries data is a map with one key, the name of the variant.
    let required = variant.get("required").and_then(Value::as_array);
    let closed = variant.get("additionalProperties") == Some(&Value::Bool(false));
    match (required.map(Vec::as_slice), &node.value) {
        (Some([name]), NodeValue::Map(entries)) if closed && entries.len() == 1 => {
            shape && name.as_str().is_some_and(|name| node.get(name).is_some())
        }
        _ => shape,
    }
}
