//! Names in conditions: macros that are there and can be seen, lists that surprise, and what nothing uses.

use super::{
    build::Build,
    collect::MacroInfo,
    decode::About,
    diagnostic::{Code, Severity},
};
use crate::language::{Expr, ExprKind, Modifier, Operator, Right};

impl Build<'_> {
    /// A list's name is replaced wherever it stands in a condition, so it must not be a word that means something else.
    pub(super) fn check_list_names(&mut self) {
        let collected = self.collected;
        for list in &collected.lists.entries {
            let is_word = Operator::from_word(&list.name).is_some()
                || Modifier::from_word(&list.name).is_some()
                || matches!(list.name.as_str(), "and" | "or" | "not" | "exists" | "val");
            let what = if is_word {
                "a word of the language"
            } else if collected.macros.get(&list.name).is_some() {
                "the name of a macro"
            } else {
                continue;
            };
            let name = crate::language::shown(&list.name);
            let message = format!(
                "the list's name '{name}' is {what} too, and is replaced by its items wherever it stands; rename the list"
            );
            self.about(Severity::Warning, Code::Surprise, &list.about, message);
        }
    }

    /// A list that is not defined is just a text; one that is almost called so was probably meant.
    pub(super) fn check_values(&mut self, tree: &Expr, about: &About) {
        match &tree.kind {
            ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| self.check_values(part, about)),
            ExprKind::Not(inner) => self.check_values(inner, about),
            ExprKind::Compare(comparison) => {
                let Right::List(values, _) = &comparison.right else { return };
                let [value] = values.as_slice() else { return };
                let Ok(text) = std::str::from_utf8(&value.text) else { return };
                if !text.contains('_') || self.lists.items(text).is_some() {
                    return;
                }
                let known = self.collected.lists.entries.iter().map(|list| list.name.as_str());
                if let Some(meant) = crate::schema::nearest(text, known) {
                    let text = crate::language::shown(text);
                    let message = format!("there is no list '{text}', so this is a text; did you mean `{meant}`?");
                    self.report(Severity::Warning, Code::Surprise, about, value.span, message);
                }
            }
            ExprKind::Exists(_) | ExprKind::Macro(_) => {}
        }
    }

    pub(super) fn read_macros(&mut self) {
        for MacroInfo { name, condition, about, .. } in &self.collected.macros.entries {
            if let Ok(tree) = self.read(condition, about) {
                self.macros.insert(name, tree);
            }
        }
        for MacroInfo { name, about, position, .. } in &self.collected.macros.entries {
            let Some(tree) = self.macros.get(name).cloned() else { continue };
            self.check_names(&tree, Some(position.visibility), about);
        }
        let loops: Vec<String> = self.macros.loops().into_iter().map(str::to_owned).collect();
        for name in loops {
            let Some(known) = self.collected.macros.get(&name) else { continue };
            let message = format!(
                "reference loop in macro '{name}': it needs itself; take it out of one of the macros it is made of"
            );
            self.about(Severity::Error, Code::Validate, &known.about, message);
        }
    }

    /// Reports names that are not macros which can be seen.
    pub(super) fn check_names(&mut self, tree: &Expr, visibility: Option<usize>, about: &About) {
        for (name, span) in self.macros.unknown(tree, visibility, self.collected) {
            let shown = crate::language::shown(&name);
            let remedy = match self.collected.macros.get(&name) {
                Some(_) => "; it is defined further down, move it before this macro".to_owned(),
                None if self.collected.lists.get(&name).is_some() => {
                    "; there is a list of this name, write for example `field in (...)`".to_owned()
                }
                None => {
                    let known = self.collected.macros.entries.iter().map(|known| known.name.as_str());
                    let nearest = crate::schema::nearest(&name, known);
                    nearest.map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default()
                }
            };
            let message = format!("Undefined macro '{shown}' used in filter.{remedy}");
            self.report(Severity::Error, Code::Validate, about, span, message);
        }
    }

    pub(super) fn unused(&mut self) {
        let collected = self.collected;
        for known in &collected.macros.entries {
            if !self.macros.is_used(&known.name) {
                let message = "Macro not referred to by any other rule/macro".to_owned();
                self.about(Severity::Warning, Code::UnusedMacro, &known.about, message);
            }
        }
        let unused: Vec<usize> = self.lists.unused().collect();
        for list in unused.into_iter().filter_map(|index| collected.lists.entries.get(index)) {
            let message = "List not referred to by any other rule/macro".to_owned();
            self.about(Severity::Warning, Code::UnusedList, &list.about, message);
        }
    }
}
