//! Items that are rules: full definitions, updates of an earlier one, and the old way to switch one on or off.

use super::{
    decode::{About, Reader, Wrong},
    diagnostic::Code,
    exception::{self, Exception},
    item::{APPEND_DEPRECATED, OVERRIDE_AND_APPEND},
    node::Node,
    sources::Spot,
    written::Written,
};
use crate::priority::Priority;
use std::collections::BTreeSet;

/// What an item says about a rule.
#[derive(Debug)]
pub(super) struct RuleItem {
    pub name: String,
    pub about: About,
    pub action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Define(Box<Definition>),
    /// Appends come before replacements. The source is only compared.
    Update {
        append: Option<Box<Update>>,
        replace: Option<Box<Update>>,
        source: Option<String>,
    },
    Enable(bool),
}

/// A full rule.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub condition: Written,
    pub output: Written,
    pub description: Written,
    pub priority: Priority,
    pub source: String,
    pub enabled: bool,
    pub capture: bool,
    /// Milliseconds.
    pub capture_duration: u32,
    pub warn_evttypes: bool,
    pub skip_if_unknown_filter: bool,
    pub tags: BTreeSet<String>,
    pub exceptions: Vec<Exception>,
}

/// The parts of a rule that an item has.
#[derive(Debug, Clone, Default)]
pub(super) struct Update {
    pub condition: Option<Written>,
    pub output: Option<Written>,
    pub description: Option<Written>,
    pub priority: Option<Priority>,
    pub enabled: Option<bool>,
    pub capture: Option<bool>,
    pub capture_duration: Option<u32>,
    pub warn_evttypes: Option<bool>,
    pub skip_if_unknown_filter: Option<bool>,
    pub tags: Option<BTreeSet<String>>,
    pub exceptions: Option<Vec<Exception>>,
}

const KEYS: [&str; 15] = [
    "rule",
    "condition",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "override",
    "append",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
];
const APPENDABLE: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const REPLACEABLE: [&str; 11] = [
    "condition",
    "output",
    "desc",
    "priority",
    "tags",
    "exceptions",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

const DEFAULT_SOURCE: &str = "syscall";
const ENABLED_DEPRECATED: &str = "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' entry under the 'override' key (i.e. 'enabled: replace').";

/// What `override` says.
#[derive(Debug, Default)]
pub(super) struct Overrides<'n> {
    append: Vec<(&'n str, Spot)>,
    replace: Vec<(&'n str, Spot)>,
}

impl Overrides<'_> {
    pub fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }

    pub fn appends(&self, key: &str) -> bool {
        self.append.iter().any(|(known, _)| *known == key)
    }

    fn replaces(&self, key: &str) -> bool {
        self.replace.iter().any(|(known, _)| *known == key)
    }
}

/// Reads `override`.
pub(super) fn overrides<'n>(
    item: &'n Node,
    appendable: &[&str],
    replaceable: &[&str],
    about: &About,
    reader: &mut Reader<'_>,
) -> Result<Overrides<'n>, Wrong> {
    let mut overrides = Overrides::default();
    let Some(node) = item.get("override") else { return Ok(overrides) };
    for (key, operation) in node.entries() {
        let name = key.text.as_str();
        let shown = crate::language::shown(name);
        match operation.scalar() {
            Some("append") if appendable.contains(&name) => overrides.append.push((name, key.spot)),
            Some("append") => {
                let message = format!("Key '{shown}' cannot be appended to, use 'replace' instead");
                return Err(reader.error(about, key.spot, message));
            }
            Some("replace") if replaceable.contains(&name) => overrides.replace.push((name, key.spot)),
            Some("replace") => {
                let message = format!("Key '{shown}' cannot be replaced; take it out of `override`");
                return Err(reader.error(about, key.spot, message));
            }
            other => {
                let other = crate::language::shown(other.unwrap_or_default());
                let mut allowed = Vec::new();
                allowed.extend(appendable.contains(&name).then_some("append"));
                allowed.extend(replaceable.contains(&name).then_some("replace"));
                let message = format!(
                    "Invalid override operation for key '{shown}': '{other}'. Allowed values are: {}",
                    allowed.join(" ")
                );
                return Err(reader.error(about, operation.spot, message));
            }
        }
    }
    Ok(overrides)
}

pub(super) fn read(item: &Node, reader: &mut Reader<'_>) -> Result<RuleItem, Wrong> {
    let about = About::new("rule", None, item.spot);
    let name = reader.text(item, "rule", &about)?.text;
    let spot = item.get("rule").map_or(item.spot, |node| node.spot);
    let about = About { name: Some(name.clone()), kind: "rule", spot };
    reader.unknown_keys(item, &KEYS, &about);
    let append = reader.optional_bool(item, "append", &about)?.unwrap_or(false);
    if append {
        reader.warn(Code::DeprecatedItem, &about, spot, APPEND_DEPRECATED);
    }
    let overrides = overrides(item, &APPENDABLE, &REPLACEABLE, &about, reader)?;
    let action = if append && !overrides.is_empty() {
        return Err(reader.error(&about, spot, OVERRIDE_AND_APPEND));
    } else if !overrides.is_empty() {
        read_overrides(item, &overrides, &about, reader)?
    } else if append {
        let update = Update {
            condition: reader.optional_text(item, "condition", &about)?,
            exceptions: exceptions(item, true, &about, reader)?,
            ..Update::default()
        };
        Action::Update { append: Some(Box::new(update)), replace: None, source: source(item) }
    } else if ["condition", "output", "desc", "priority"].iter().all(|key| item.get(key).is_none()) {
        let Some(enabled) = reader.optional_bool(item, "enabled", &about)? else {
            let message = "Item has no mapping for key 'enabled'; a rule needs condition, output, desc and priority, \
                           or `enabled` to switch an earlier one on or off";
            return Err(reader.error(&about, spot, message));
        };
        reader.warn(Code::DeprecatedItem, &about, spot, ENABLED_DEPRECATED);
        Action::Enable(enabled)
    } else {
        Action::Define(Box::new(definition(item, &about, reader)?))
    };
    Ok(RuleItem { name, about, action })
}

/// Everything that is wrong with a definition is reported, not the first thing only.
fn definition(item: &Node, about: &About, reader: &mut Reader<'_>) -> Result<Definition, Wrong> {
    let condition = reader.text(item, "condition", about);
    let output = reader.text(item, "output", about);
    let description = reader.text(item, "desc", about);
    let priority = match reader.text(item, "priority", about) {
        Ok(_) => priority(item, about, reader).and_then(|priority| priority.ok_or(Wrong)),
        Err(wrong) => Err(wrong),
    };
    let source = reader.optional_text(item, "source", about);
    let rest = update(item, &REPLACEABLE[4..], false, about, reader);
    let rest = rest?;
    Ok(Definition {
        condition: condition?,
        output: output?.trimmed(),
        description: description?,
        priority: priority?,
        source: source?.map_or_else(|| DEFAULT_SOURCE.to_owned(), |source| source.text),
        enabled: rest.enabled.unwrap_or(true),
        capture: rest.capture.unwrap_or(false),
        capture_duration: rest.capture_duration.unwrap_or(0),
        warn_evttypes: rest.warn_evttypes.unwrap_or(true),
        skip_if_unknown_filter: rest.skip_if_unknown_filter.unwrap_or(false),
        tags: rest.tags.unwrap_or_default(),
        exceptions: rest.exceptions.unwrap_or_default(),
    })
}

fn read_overrides(
    item: &Node,
    overrides: &Overrides<'_>,
    about: &About,
    reader: &mut Reader<'_>,
) -> Result<Action, Wrong> {
    for (kind, keys) in [("append", &overrides.append), ("replace", &overrides.replace)] {
        for (key, spot) in keys {
            if item.get(key).is_none() {
                let message = format!(
                    "An {kind} override for '{key}' was specified but '{key}' is not defined; add `{key}: ...`"
                );
                return Err(reader.error(about, *spot, message));
            }
        }
    }
    for (key, _) in item.entries() {
        let name = key.text.as_str();
        let can_be = APPENDABLE.contains(&name) || REPLACEABLE.contains(&name);
        if can_be && !overrides.appends(name) && !overrides.replaces(name) {
            let message =
                format!("Unexpected key '{name}': no corresponding entry under 'override' is defined; add one");
            return Err(reader.error(about, key.spot, message));
        }
    }
    let keys = |list: &[(&str, Spot)]| list.iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>();
    let mut read = |keys: Vec<String>, append: bool| -> Result<Option<Box<Update>>, Wrong> {
        if keys.is_empty() {
            return Ok(None);
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        update(item, &keys, append, about, reader).map(|update| Some(Box::new(update)))
    };
    let append = read(keys(&overrides.append), true)?;
    let replace = read(keys(&overrides.replace), false)?;
    Ok(Action::Update { append, replace, source: source(item) })
}

/// Reads those of the keys that the item has.
fn update(item: &Node, keys: &[&str], append: bool, about: &About, reader: &mut Reader<'_>) -> Result<Update, Wrong> {
    let mut update = Update::default();
    for key in keys {
        match *key {
            "condition" => update.condition = reader.optional_text(item, key, about)?,
            "output" => update.output = reader.optional_text(item, key, about)?.map(|output| output.trimmed()),
            "desc" => update.description = reader.optional_text(item, key, about)?,
            "priority" => update.priority = priority(item, about, reader)?,
            "enabled" => update.enabled = reader.optional_bool(item, key, about)?,
            "capture" => update.capture = reader.optional_bool(item, key, about)?,
            "capture_duration" => update.capture_duration = reader.optional_number(item, key, about)?,
            "warn_evttypes" => update.warn_evttypes = reader.optional_bool(item, key, about)?,
            "skip-if-unknown-filter" => update.skip_if_unknown_filter = reader.optional_bool(item, key, about)?,
            "tags" => {
                let tags = reader.optional_texts(item, key, about)?;
                update.tags = tags.map(|tags| tags.into_iter().map(|(tag, _)| tag).collect());
            }
            "exceptions" => update.exceptions = exceptions(item, append, about, reader)?,
            _ => {}
        }
    }
    Ok(update)
}

fn priority(item: &Node, about: &About, reader: &mut Reader<'_>) -> Result<Option<Priority>, Wrong> {
    let Some(text) = reader.optional_text(item, "priority", about)? else { return Ok(None) };
    match Priority::parse(&text.text) {
        Some(priority) => Ok(Some(priority)),
        None => {
            let spot = item.get("priority").map_or(about.spot, |node| node.spot);
            let message = "Invalid priority; write one of emergency, alert, critical, error, warning, notice, \
                           informational, debug";
            Err(reader.error(about, spot, message))
        }
    }
}

/// The source that an update names, if it names one.
fn source(item: &Node) -> Option<String> {
    item.get("source").and_then(Node::scalar).filter(|source| !source.is_empty()).map(str::to_owned)
}

fn exceptions(
    item: &Node,
    append: bool,
    about: &About,
    reader: &mut Reader<'_>,
) -> Result<Option<Vec<Exception>>, Wrong> {
    let Some(node) = item.get("exceptions") else { return Ok(None) };
    if node.is_null() {
        return Ok(Some(Vec::new()));
    }
    exception::read(node, append, about, reader).map(Some)
}
