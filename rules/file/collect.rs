//! What all files so far have defined.
//!
//! A second full definition of a name takes the place of the first in the order, but is visible only from where it
//! stands: macros see macros that stand before them, lists see lists that stand before them.

use super::{
    decode::{About, Findings, Reader, Wrong},
    diagnostic::Code,
    exception,
    item::{Item, PluginRequirement},
    limits,
    rule_item::{Action, Definition, RuleItem, Update},
    sources::{Files, Spot},
    version::Version,
    written::Written,
};
use crate::schema::Schema;
use std::collections::HashMap;

/// Things with names, in the order in which they were defined first.
#[derive(Debug, Clone)]
pub(super) struct Named<T> {
    pub entries: Vec<T>,
    by_name: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(*self.by_name.get(name)?)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.entries.get_mut(*self.by_name.get(name)?)
    }

    fn insert(&mut self, name: &str, entry: T) {
        self.by_name.insert(name.to_owned(), self.entries.len());
        self.entries.push(entry);
    }
}

/// Where something stands among all items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// Of the first definition.
    pub index: usize,
    /// Of the last definition or change.
    pub visibility: usize,
}

#[derive(Debug, Clone)]
pub(super) struct ListInfo {
    pub name: String,
    pub items: Vec<(String, Spot)>,
    pub position: Position,
    pub about: About,
}

#[derive(Debug, Clone)]
pub(super) struct MacroInfo {
    pub name: String,
    pub condition: Written,
    pub position: Position,
    pub about: About,
}

#[derive(Debug, Clone)]
pub(super) struct RuleInfo {
    pub name: String,
    pub definition: Definition,
    /// Whether nothing is known of its source, so that it is kept unread.
    pub is_unknown: bool,
    pub about: About,
}

/// What all files so far have defined.
#[derive(Debug, Clone, Default)]
pub(super) struct Collected {
    pub lists: Named<ListInfo>,
    pub macros: Named<MacroInfo>,
    pub rules: Named<RuleInfo>,
    pub plugins: Vec<PluginRequirement>,
    next: usize,
}

/// What items are checked against.
pub(super) struct Known<'k> {
    pub engine: Version,
    pub schema: &'k dyn Fn(&str) -> Option<&'k dyn Schema>,
}

impl Collected {
    /// Takes an item. What is wrong is among the findings.
    pub fn take(&mut self, item: Item, known: &Known<'_>, files: &Files, findings: &mut Findings) {
        let mut reader = Reader { files, findings };
        let index = self.next;
        self.next += 1;
        let position = Position { index, visibility: index };
        // What is wrong is among the findings already.
        let _ = match item {
            Item::EngineVersion { version, about } => engine(version, known.engine, &about, &mut reader),
            Item::PluginVersions(requirements) => {
                self.plugins.extend(requirements);
                Ok(())
            }
            Item::List { name, items, append, about } => {
                let new = ListInfo { name, items, position, about };
                self.list(new, append, &mut reader)
            }
            Item::Macro { name, condition, append, about } => {
                let new = MacroInfo { name, condition, position, about };
                self.take_macro(new, append, &mut reader)
            }
            Item::Rule(rule) => self.rule(*rule, known, &mut reader),
        };
    }

    fn list(&mut self, new: ListInfo, append: bool, reader: &mut Reader<'_>) -> Result<(), Wrong> {
        if append {
            let Some(list) = self.lists.get_mut(&new.name) else {
                let message = "List uses 'append' or 'override.items: append' but no list by that name already exists";
                return Err(reader.invalid(&new.about, new.about.spot, message));
            };
            if list.items.len() + new.items.len() > limits::NODES {
                return Err(too_many(&new.about, "items of a list", limits::NODES, reader));
            }
            list.items.extend(new.items);
            list.position.visibility = new.position.visibility;
            return Ok(());
        }
        if let Some(list) = self.lists.get_mut(&new.name) {
            let position = Position { index: list.position.index, ..new.position };
            *list = ListInfo { position, ..new };
            return Ok(());
        }
        if self.lists.entries.len() >= limits::ITEMS {
            return Err(too_many(&new.about, "lists", limits::ITEMS, reader));
        }
        self.lists.insert(&new.name.clone(), new);
        Ok(())
    }

    fn take_macro(&mut self, new: MacroInfo, append: bool, reader: &mut Reader<'_>) -> Result<(), Wrong> {
        if append {
            let Some(known) = self.macros.get_mut(&new.name) else {
                let message =
                    "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists";
                return Err(reader.invalid(&new.about, new.about.spot, message));
            };
            join(&mut known.condition, &new.condition, &new.about, reader)?;
            known.position.visibility = new.position.visibility;
            return Ok(());
        }
        if let Some(known) = self.macros.get_mut(&new.name) {
            let position = Position { index: known.position.index, ..new.position };
            *known = MacroInfo { position, ..new };
            return Ok(());
        }
        if self.macros.entries.len() >= limits::ITEMS {
            return Err(too_many(&new.about, "macros", limits::ITEMS, reader));
        }
        self.macros.insert(&new.name.clone(), new);
        Ok(())
    }

    fn rule(&mut self, item: RuleItem, known: &Known<'_>, reader: &mut Reader<'_>) -> Result<(), Wrong> {
        let RuleItem { name, about, action } = item;
        match action {
            Action::Define(definition) => self.define(name, *definition, about, known, reader),
            Action::Enable(enabled) => match self.rules.get_mut(&name) {
                Some(rule) => {
                    rule.definition.enabled = enabled;
                    Ok(())
                }
                None => {
                    let message = "Rule has 'enabled' key but no rule by that name already exists; check the name and \
                                   the order of the files";
                    Err(reader.invalid(&about, about.spot, message))
                }
            },
            Action::Update { append, replace, source } => {
                let Some(rule) = self.rules.get_mut(&name) else {
                    let message = match append {
                        Some(_) => {
                            "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"
                        }
                        None => {
                            "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists"
                        }
                    };
                    return Err(reader.invalid(&about, about.spot, message));
                };
                if source.is_some_and(|source| source != rule.definition.source) {
                    let message = "Rule has been re-defined with a different source; leave `source` out";
                    return Err(reader.invalid(&about, about.spot, message));
                }
                let schema = if rule.is_unknown { None } else { (known.schema)(&rule.definition.source) };
                if let Some(update) = append {
                    self::append(rule, *update, &about, schema, reader)?;
                }
                if let Some(update) = replace {
                    self::replace(rule, *update, schema, reader)?;
                }
                Ok(())
            }
        }
    }

    fn define(
        &mut self,
        name: String,
        mut definition: Definition,
        about: About,
        known: &Known<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<(), Wrong> {
        if self.rules.get(&name).is_some_and(|rule| rule.definition.source != definition.source) {
            let message = "Rule has been re-defined with a different source; give one of the two another name";
            return Err(reader.invalid(&about, about.spot, message));
        }
        let schema = (known.schema)(&definition.source);
        if schema.is_none() {
            let source = crate::language::shown(&definition.source);
            reader.warn(Code::UnknownSource, &about, about.spot, format!("Unknown source {source}, skipping"));
        }
        for exception in &mut definition.exceptions {
            exception::check(exception, schema, reader)?;
        }
        let new = RuleInfo { name, definition, is_unknown: schema.is_none(), about };
        if let Some(rule) = self.rules.get_mut(&new.name) {
            *rule = new;
            return Ok(());
        }
        if self.rules.entries.len() >= limits::ITEMS {
            return Err(too_many(&new.about, "rules", limits::ITEMS, reader));
        }
        self.rules.insert(&new.name.clone(), new);
        Ok(())
    }
}

fn engine(required: Version, engine: Version, about: &About, reader: &mut Reader<'_>) -> Result<(), Wrong> {
    if engine.satisfies(required) {
        return Ok(());
    }
    let message = format!("Rules require engine version {required}, but engine version is {engine}");
    Err(reader.invalid(about, about.spot, message))
}

fn too_many(about: &About, what: &str, limit: usize, reader: &mut Reader<'_>) -> Wrong {
    reader.invalid(about, about.spot, format!("more than {limit} {what}"))
}

fn join(text: &mut Written, more: &Written, about: &About, reader: &mut Reader<'_>) -> Result<(), Wrong> {
    if text.text.len() + more.text.len() >= limits::CONDITION {
        return Err(too_many(about, "bytes in one text", limits::CONDITION, reader));
    }
    text.append(more);
    Ok(())
}

fn append(
    rule: &mut RuleInfo,
    update: Update,
    about: &About,
    schema: Option<&dyn Schema>,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    let has_any = update.condition.is_some()
        || update.output.is_some()
        || update.description.is_some()
        || update.tags.is_some()
        || update.exceptions.is_some();
    if !has_any {
        let message = "Appended rule must have exceptions or condition property";
        return Err(reader.invalid(about, about.spot, message));
    }
    let definition = &mut rule.definition;
    let texts = [
        (&mut definition.condition, update.condition),
        (&mut definition.output, update.output),
        (&mut definition.description, update.description),
    ];
    for (text, more) in texts {
        if let Some(more) = more {
            join(text, &more, about, reader)?;
        }
    }
    definition.tags.extend(update.tags.into_iter().flatten());
    for mut new in update.exceptions.into_iter().flatten() {
        match definition.exceptions.iter_mut().find(|known| known.name == new.name) {
            None => {
                if new.fields.is_some() && new.values.is_empty() {
                    let message = "Rule exception must have values property with a list of values";
                    return Err(reader.invalid(&new.about, new.about.spot, message));
                }
                exception::check(&mut new, schema, reader)?;
                definition.exceptions.push(new);
            }
            Some(known) => {
                let what = if new.fields.is_some() { Some("fields") } else { None };
                let what = what.or(new.comps.is_some().then_some("comps"));
                if let Some(what) = what {
                    let message =
                        format!("Can not append exception {what} to existing exception, only values; leave them out");
                    return Err(reader.invalid(&new.about, new.about.spot, message));
                }
                known.values.extend(new.values);
            }
        }
    }
    Ok(())
}

fn replace(
    rule: &mut RuleInfo,
    update: Update,
    schema: Option<&dyn Schema>,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    fn set<T>(value: &mut T, new: Option<T>) {
        if let Some(new) = new {
            *value = new;
        }
    }
    let mut exceptions = update.exceptions;
    for exception in exceptions.iter_mut().flatten() {
        exception::check(exception, schema, reader)?;
    }
    let definition = &mut rule.definition;
    set(&mut definition.condition, update.condition);
    set(&mut definition.output, update.output);
    set(&mut definition.description, update.description);
    set(&mut definition.priority, update.priority);
    set(&mut definition.enabled, update.enabled);
    set(&mut definition.capture, update.capture);
    set(&mut definition.capture_duration, update.capture_duration);
    set(&mut definition.warn_evttypes, update.warn_evttypes);
    set(&mut definition.skip_if_unknown_filter, update.skip_if_unknown_filter);
    set(&mut definition.tags, update.tags);
    set(&mut definition.exceptions, exceptions);
    Ok(())
}
