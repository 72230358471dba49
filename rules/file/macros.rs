//! Macros in conditions.
//!
//! Promises: a macro sees those that are defined before it; rules see all. Loops and unknown names are found here, with
//! their places, so that compiling can take macros as given.

use super::collect::Collected;
use crate::{
    compile::Macros,
    language::{Expr, ExprKind, Span},
};
use std::collections::{HashMap, HashSet};

/// The trees of all macros that could be read.
#[derive(Debug, Default)]
pub(super) struct Trees {
    trees: HashMap<String, Expr>,
    /// Those that something uses.
    used: HashSet<String>,
}

impl Macros for Trees {
    fn tree(&self, name: &str) -> Option<&Expr> {
        self.trees.get(name)
    }
}

impl Trees {
    pub fn insert(&mut self, name: &str, tree: Expr) {
        self.trees.insert(name.to_owned(), tree);
    }

    pub fn get(&self, name: &str) -> Option<&Expr> {
        self.trees.get(name)
    }

    pub fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Notes which macros a tree uses, and gives the names that are not macros it can see, with their places.
    /// `visibility`: see [`super::collect::Position`]; `None` sees all.
    pub fn unknown(&mut self, tree: &Expr, visibility: Option<usize>, collected: &Collected) -> Vec<(String, Span)> {
        let mut names = Vec::new();
        mentioned(tree, &mut names);
        names.retain(|(name, _)| {
            let seen = collected
                .macros
                .get(name)
                .is_some_and(|known| visibility.is_none_or(|visibility| known.position.index < visibility));
            if seen {
                self.used.insert(name.clone());
            }
            !seen
        });
        names
    }

    /// Macros that need themselves.
    pub fn loops(&self) -> Vec<&str> {
        /// How far a macro has been looked at.
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Open,
            Done,
        }
        let mut seen: HashMap<&str, Seen> = HashMap::new();
        let mut loops = Vec::new();
        for start in self.trees.keys() {
            // Depth first, without recursion: chains of macros may be long.
            let mut stack = vec![(start.as_str(), false)];
            while let Some((name, is_done)) = stack.pop() {
                if is_done {
                    seen.insert(name, Seen::Done);
                    continue;
                }
                if seen.contains_key(name) {
                    continue;
                }
                seen.insert(name, Seen::Open);
                stack.push((name, true));
                let Some((_, tree)) = self.trees.get_key_value(name) else { continue };
                let mut names = Vec::new();
                mentioned(tree, &mut names);
                for (next, _) in names {
                    let Some((next, _)) = self.trees.get_key_value(&next) else { continue };
                    match seen.get(next.as_str()) {
                        Some(Seen::Open) => loops.push(next.as_str()),
                        Some(Seen::Done) => {}
                        None => stack.push((next.as_str(), false)),
                    }
                }
            }
        }
        loops.sort_unstable();
        loops.dedup();
        loops
    }

    /// A tree with its macros put in, for people; `None` if it would have more than about `most` bytes.
    pub fn expanded(&self, tree: &Expr, most: &mut usize, depth: u32) -> Option<Expr> {
        *most = most.checked_sub(size(tree))?;
        let depth = depth.checked_sub(1)?;
        let mut all =
            |parts: &[Expr]| parts.iter().map(|part| self.expanded(part, most, depth)).collect::<Option<Vec<_>>>();
        let kind = match &tree.kind {
            ExprKind::And(parts) => ExprKind::And(all(parts)?),
            ExprKind::Or(parts) => ExprKind::Or(all(parts)?),
            ExprKind::Not(inner) => ExprKind::Not(Box::new(self.expanded(inner, most, depth)?)),
            ExprKind::Macro(name) => return self.expanded(self.trees.get(name)?, most, depth),
            ExprKind::Exists(_) | ExprKind::Compare(_) => tree.kind.clone(),
        };
        Some(Expr { kind, span: tree.span })
    }
}

/// About how many bytes a node has as text, without what is below it.
fn size(tree: &Expr) -> usize {
    /// What a word and the blanks around it have.
    const WORD: usize = 8;
    match &tree.kind {
        ExprKind::Compare(_) | ExprKind::Exists(_) => WORD + tree.span.end.saturating_sub(tree.span.start) as usize,
        _ => WORD,
    }
}

/// The names of the macros that a tree mentions.
fn mentioned(tree: &Expr, names: &mut Vec<(String, Span)>) {
    match &tree.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| mentioned(part, names)),
        ExprKind::Not(inner) => mentioned(inner, names),
        ExprKind::Macro(name) => names.push((name.clone(), tree.span)),
        ExprKind::Exists(_) | ExprKind::Compare(_) => {}
    }
}
