//! And, or, not, macros; folding what is constant.

use super::{CompileErrorKind, Compiler, MAX_DEPTH, MAX_NODES, MacroState, Macros};
use crate::{
    evaluate::{Node, NodeId},
    language::{Expr, ExprKind, Span},
};

impl Compiler<'_> {
    /// `None` if something is wrong, which is then among the errors.
    pub(super) fn expr(&mut self, expr: &Expr, macros: &dyn Macros) -> Option<NodeId> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.error(expr.span, CompileErrorKind::TooDeep);
            return None;
        }
        let node = match &expr.kind {
            ExprKind::And(parts) => self.joined(parts, true, macros),
            ExprKind::Or(parts) => self.joined(parts, false, macros),
            ExprKind::Not(inner) => {
                let inner = self.expr(inner, macros);
                inner.map(|inner| self.not(inner))
            }
            ExprKind::Exists(left) => self.exists(left),
            ExprKind::Compare(comparison) => self.compare(comparison, expr.span),
            ExprKind::Macro(name) => self.expand(name, expr.span, macros),
        };
        self.depth -= 1;
        let node = node?;
        if self.depths[node.index()] > MAX_DEPTH {
            self.error(expr.span, CompileErrorKind::TooDeep);
            return None;
        }
        if self.program.nodes.len() > MAX_NODES {
            self.error(expr.span, CompileErrorKind::TooLarge);
            return None;
        }
        Some(node)
    }

    pub(super) fn constant(&mut self, holds: bool) -> NodeId {
        self.add_node(Node::Constant(holds), 0)
    }

    fn not(&mut self, inner: NodeId) -> NodeId {
        match self.program.nodes[inner.index()] {
            Node::Constant(holds) => self.constant(!holds),
            Node::Not(twice) => twice,
            _ => {
                let depth = self.depths[inner.index()] + 1;
                self.add_node(Node::Not(inner), depth)
            }
        }
    }

    /// All parts are compiled, so that all errors are found.
    fn joined(&mut self, parts: &[Expr], and: bool, macros: &dyn Macros) -> Option<NodeId> {
        let compiled: Vec<Option<NodeId>> = parts.iter().map(|part| self.expr(part, macros)).collect();
        let compiled = compiled.into_iter().collect::<Option<Vec<_>>>()?;
        let mut flat = Vec::with_capacity(compiled.len());
        for part in compiled {
            match &self.program.nodes[part.index()] {
                Node::And(inner) if and => flat.extend(inner.iter().copied()),
                Node::Or(inner) if !and => flat.extend(inner.iter().copied()),
                // `true and x` is x, `false and x` is false; for or the other way round.
                Node::Constant(holds) if *holds == and => {}
                Node::Constant(holds) => {
                    let holds = *holds;
                    return Some(self.constant(holds));
                }
                _ => flat.push(part),
            }
        }
        let mut seen = std::collections::HashSet::new();
        flat.retain(|part| seen.insert(*part));
        match flat.as_slice() {
            [] => Some(self.constant(and)),
            [only] => Some(*only),
            _ => {
                let depth = flat.iter().map(|part| self.depths[part.index()]).max().unwrap_or(0) + 1;
                let flat = flat.into_boxed_slice();
                Some(self.add_node(if and { Node::And(flat) } else { Node::Or(flat) }, depth))
            }
        }
    }

    fn expand(&mut self, name: &str, span: Span, macros: &dyn Macros) -> Option<NodeId> {
        match self.macros.get(name) {
            Some(MacroState::Compiled(node)) => return Some(*node),
            Some(MacroState::Compiling) => {
                self.error(span, CompileErrorKind::MacroLoop { name: name.to_owned() });
                return None;
            }
            Some(MacroState::Broken) => return None,
            None => {}
        }
        let Some(tree) = macros.tree(name) else {
            self.error(span, CompileErrorKind::UnknownMacro { name: name.to_owned() });
            return None;
        };
        self.macros.insert(name.to_owned(), MacroState::Compiling);
        let node = self.expr(tree, macros);
        let state = node.map_or(MacroState::Broken, MacroState::Compiled);
        self.macros.insert(name.to_owned(), state);
        node
    }
}
