//! Items: requirements, lists, macros. What an item is, is said by the first known key that it has.

use super::{
    decode::{About, Reader, Wrong},
    diagnostic::Code,
    node::Node,
    rule_item::{self, RuleItem},
    sources::Spot,
    version::Version,
    written::Written,
};
use crate::language::{is_blank, is_delimiter, is_name, shown};

/// What an item says.
#[derive(Debug)]
pub(super) enum Item {
    EngineVersion { version: Version, about: About },
    PluginVersions(Vec<PluginRequirement>),
    List { name: String, items: Vec<(String, Spot)>, append: bool, about: About },
    Macro { name: String, condition: Written, append: bool, about: About },
    Rule(Box<RuleItem>),
}

/// Plugins of which one must be there.
#[derive(Debug, Clone)]
pub(super) struct PluginRequirement {
    pub alternatives: Vec<(String, Version)>,
    pub about: About,
}

pub(super) const APPEND_DEPRECATED: &str =
    "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' instead.";
pub(super) const OVERRIDE_AND_APPEND: &str = "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. 'condition: append') under 'override' instead.";

/// Reads an item. `None`: it is nothing known, or wrong.
pub(super) fn read(item: &Node, reader: &mut Reader<'_>) -> Option<Item> {
    let about = About::new("rules content item", None, item.spot);
    if item.entries().is_empty() && !matches!(item.value, super::node::NodeValue::Map(_)) {
        let message = "Unexpected element type. Each element should be a yaml associative array.";
        reader.error(&about, item.spot, message);
        return None;
    }
    let result = if item.get("required_engine_version").is_some() {
        engine_version(item, reader)
    } else if item.get("required_plugin_versions").is_some() {
        plugin_versions(item, reader)
    } else if item.get("list").is_some() {
        list(item, reader)
    } else if item.get("macro").is_some() {
        macro_item(item, reader)
    } else if item.get("rule").is_some() {
        rule_item::read(item, reader).map(|rule| Item::Rule(Box::new(rule)))
    } else {
        let message = "Unknown top level item; it should have one of the keys rule, macro, list, \
                       required_engine_version or required_plugin_versions";
        reader.warn(Code::UnknownItem, &about, item.spot, message);
        return None;
    };
    result.ok()
}

fn engine_version(item: &Node, reader: &mut Reader<'_>) -> Result<Item, Wrong> {
    const KEY: &str = "required_engine_version";
    let about = About::new(KEY, None, item.spot);
    let text = reader.text(item, KEY, &about)?.text;
    let spot = item.get(KEY).map_or(item.spot, |node| node.spot);
    let about = About { spot, ..about };
    reader.unknown_keys(item, &[KEY], &about);
    match Version::parse_engine(&text) {
        Some(version) => Ok(Item::EngineVersion { version, about }),
        None => {
            let text = shown(&text);
            let message = format!(
                "Unable to parse engine version '{text}' as a semver string. Expected \"x.y.z\" semver format."
            );
            Err(reader.error(&about, spot, message))
        }
    }
}

fn plugin_versions(item: &Node, reader: &mut Reader<'_>) -> Result<Item, Wrong> {
    const KEY: &str = "required_plugin_versions";
    let about = About::new(KEY, None, item.spot);
    reader.unknown_keys(item, &[KEY], &about);
    let Some(node) = item.get(KEY) else { return Err(Wrong) };
    let Some(entries) = node.list() else {
        return Err(reader.error(&about, node.spot, "Value of required_plugin_versions must be a sequence"));
    };
    let mut requirements = Vec::new();
    for entry in entries {
        let mut alternatives = vec![plugin(entry, reader)?];
        let about = About::new("required_plugin_versions entry", Some(&alternatives[0].0), entry.spot);
        if let Some(node) = entry.get("alternatives") {
            let Some(others) = node.list() else {
                let message = "Value of plugin version alternatives must be a sequence";
                return Err(reader.error(&about, node.spot, message));
            };
            for other in others {
                let other = plugin(other, reader)?;
                if alternatives.iter().any(|(name, _)| *name == other.0) {
                    let message = format!("Defined multiple alternative version requirements for plugin '{}'", other.0);
                    return Err(reader.invalid(&about, node.spot, message));
                }
                alternatives.push(other);
            }
        }
        requirements.push(PluginRequirement { alternatives, about });
    }
    Ok(Item::PluginVersions(requirements))
}

fn plugin(entry: &Node, reader: &mut Reader<'_>) -> Result<(String, Version), Wrong> {
    let about = About::new("required_plugin_versions entry", None, entry.spot);
    if entry.entries().is_empty() {
        return Err(reader.error(&about, entry.spot, "Plugin version must be a mapping with `name` and `version`"));
    }
    let name = reader.text(entry, "name", &about)?.text;
    let about = About { name: Some(name.clone()), ..about };
    let version = reader.text(entry, "version", &about)?.text;
    match Version::parse(&version) {
        Some(version) => Ok((name, version)),
        None => {
            let (name, version) = (shown(&name), shown(&version));
            let message = format!("Invalid required version '{version}' for plugin '{name}'; write it as x.y.z");
            Err(reader.invalid(&about, entry.spot, message))
        }
    }
}

fn list(item: &Node, reader: &mut Reader<'_>) -> Result<Item, Wrong> {
    let about = About::new("list", None, item.spot);
    let name = reader.text(item, "list", &about)?.text;
    let about = About { name: Some(name.clone()), ..about };
    let is_word = !name.bytes().any(|byte| is_blank(byte) || is_delimiter(byte) || matches!(byte, b'"' | b'\''));
    if !is_word {
        let message = "List has an invalid name. List names should match a regular expression: [^()\"'[:space:]=,]+";
        reader.warn(Code::InvalidListName, &about, item.spot, message);
    }
    reader.unknown_keys(item, &["list", "items", "append", "override"], &about);
    let Some(items) = reader.optional_texts(item, "items", &about)? else {
        return Err(reader.error(&about, item.spot, "Item has no mapping for key 'items'; write `items: []`"));
    };
    let append = appends(item, "items", &about, reader)?;
    Ok(Item::List { name, items, append, about })
}

fn macro_item(item: &Node, reader: &mut Reader<'_>) -> Result<Item, Wrong> {
    let about = About::new("macro", None, item.spot);
    let name = reader.text(item, "macro", &about)?.text;
    let about = About { name: Some(name.clone()), ..about };
    if !is_name(&name) {
        let message =
            "Macro has an invalid name. Macro names should match a regular expression: [a-zA-Z]+[a-zA-Z0-9_]*";
        reader.warn(Code::InvalidMacroName, &about, item.spot, message);
    }
    reader.unknown_keys(item, &["macro", "condition", "append", "override"], &about);
    let condition = reader.text(item, "condition", &about)?;
    let append = appends(item, "condition", &about, reader)?;
    Ok(Item::Macro { name, condition, append, about })
}

/// Whether a list or a macro is appended to: with `append: true` or with `override`.
fn appends(item: &Node, key: &str, about: &About, reader: &mut Reader<'_>) -> Result<bool, Wrong> {
    let append = reader.optional_bool(item, "append", about)?.unwrap_or(false);
    if append {
        reader.warn(Code::DeprecatedItem, about, item.spot, APPEND_DEPRECATED);
    }
    let overrides = rule_item::overrides(item, &[key], &[key], about, reader)?;
    if append && !overrides.is_empty() {
        return Err(reader.error(about, item.spot, OVERRIDE_AND_APPEND));
    }
    Ok(append || overrides.appends(key))
}
