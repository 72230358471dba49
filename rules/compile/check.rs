//! Checks: which operator fits which field.

use super::{CheckKey, CompileErrorKind, Compiler, Type, WarningKind};
use crate::{
    evaluate::{Check, NodeId, OperandId, Test},
    language::{self, Comparison, Modifier, Operator, Right, Span, Value},
    schema::Kind,
};

impl Compiler<'_> {
    pub(super) fn exists(&mut self, left: &language::Operand) -> Option<NodeId> {
        let left = self.left(left)?;
        let key = CheckKey::Exists(left);
        match self.check_ids.get(&key) {
            Some(node) => Some(*node),
            None => Some(self.checked(key, Check { left, test: Test::Exists })),
        }
    }

    pub(super) fn compare(&mut self, comparison: &Comparison, span: Span) -> Option<NodeId> {
        let left = self.left(&comparison.left);
        let right = match &comparison.right {
            Right::Field(field, _) => Some(self.field(field, true)),
            Right::Transform(transform) => Some(self.transform(transform)),
            Right::Value(_) | Right::List(..) => None,
        };
        let left = left?;
        let kind = self.type_of(left);
        self.fits(comparison.operator, comparison.modifier, kind, span)?;
        match (&comparison.right, right) {
            (_, Some(right)) => self.against(left, comparison.operator, right?, span),
            (Right::Value(value), None) => {
                self.values(left, comparison.operator, comparison.modifier, std::slice::from_ref(value))
            }
            (Right::List(values, _), None) => self.values(left, comparison.operator, comparison.modifier, values),
            (Right::Field(..) | Right::Transform(_), None) => None,
        }
    }

    /// Whether an operator fits a type.
    fn fits(&mut self, operator: Operator, modifier: Option<Modifier>, of: Type, span: Span) -> Option<()> {
        let is_membership = matches!(operator, Operator::In | Operator::Intersects);
        if of.is_list && !is_membership {
            self.error(span, CompileErrorKind::ListOperator { operator });
            return None;
        }
        let is_equality = matches!(operator, Operator::Equal | Operator::EqualTwice | Operator::NotEqual);
        let is_bytes_only = matches!(operator, Operator::Bcontains | Operator::BstartsWith);
        let (fits, remedy) = match of.kind {
            Kind::Text | Kind::Any => (!is_bytes_only, "contains or startswith"),
            Kind::Bytes => {
                let inside = matches!(operator, Operator::Contains | Operator::StartsWith | Operator::EndsWith);
                (
                    is_equality || is_membership || is_bytes_only || inside,
                    "=, !=, in, bcontains, bstartswith or contains",
                )
            }
            Kind::Int | Kind::Uint | Kind::Float | Kind::Rank => {
                (is_equality || is_membership || operator.is_numeric(), "=, !=, <, <=, >, >=, in or intersects")
            }
            Kind::Bool => (is_equality || is_membership, "=, !=, in or intersects with true or false"),
            Kind::Ip => (is_equality || is_membership, "=, !=, in or intersects with addresses"),
            Kind::Net => (is_equality || is_membership, "=, !=, in or intersects with networks such as 10.0.0.0/8"),
        };
        if !fits {
            self.error(span, CompileErrorKind::Operator { operator, kind: of.kind.word(), remedy });
            return None;
        }
        if modifier.is_some() && of.is_list {
            self.error(span, CompileErrorKind::Modifier { remedy: "the field has many values, use intersects" });
            return None;
        }
        Some(())
    }

    /// A comparison with another field or with what a transformer makes.
    fn against(&mut self, left: OperandId, operator: Operator, right: OperandId, span: Span) -> Option<NodeId> {
        if operator == Operator::Regex {
            self.error(span, CompileErrorKind::RightField { operator });
            return None;
        }
        let (of, with) = (self.type_of(left), self.type_of(right));
        // A constant that a transformer made is text that can be read as anything.
        if !of.kind.is_like(with.kind) || of.is_list != with.is_list {
            let words = |kind: Type| format!("{}{}", if kind.is_list { "a list of " } else { "" }, kind.kind.word());
            self.error(span, CompileErrorKind::Types { left: words(of), right: words(with) });
            return None;
        }
        let key = CheckKey::Operand(left, operator, right);
        match self.check_ids.get(&key) {
            Some(node) => Some(*node),
            None => Some(self.checked(key, Check { left, test: Test::Against(operator, right) })),
        }
    }

    /// A comparison with what stands in the condition.
    fn values(
        &mut self,
        left: OperandId,
        operator: Operator,
        modifier: Option<Modifier>,
        values: &[Value],
    ) -> Option<NodeId> {
        self.warn_about(left, operator, values);
        self.check_values(left, operator, values)?;
        let of = self.type_of(left);
        let ranks = if of.kind == Kind::Rank { self.ranks(left, values)? } else { Vec::new() };
        let values = if ranks.is_empty() { values } else { &ranks[..] };
        let mut texts: Vec<Vec<u8>> = values.iter().map(|value| value.text.clone()).collect();
        if modifier != Some(Modifier::Oneof) {
            texts.sort_unstable();
            texts.dedup();
        }
        let operator = if operator == Operator::EqualTwice { Operator::Equal } else { operator };
        let key = CheckKey::Values(left, operator, modifier, texts);
        if let Some(node) = self.check_ids.get(&key) {
            return Some(*node);
        }
        let test = match modifier {
            Some(modifier) => self.counted(of, operator, modifier, values)?,
            None if operator.takes_list() => {
                let matcher = self.membership(of.kind, operator, values)?;
                match (of.is_list, operator) {
                    (true, Operator::In) => Test::All(matcher),
                    (true, _) => Test::Any(matcher),
                    (false, _) => Test::One(matcher),
                }
            }
            None => Test::One(self.matcher(of.kind, operator, values.first()?)?),
        };
        // Nothing is in an empty list.
        let never = values.is_empty() && (modifier.is_some() || operator.takes_list());
        if never {
            let node = self.constant(false);
            self.check_ids.insert(key, node);
            return Some(node);
        }
        Some(self.checked(key, Check { left, test }))
    }

    /// Adds a check, or what it says if that is the same for every event.
    fn checked(&mut self, key: CheckKey, check: Check) -> NodeId {
        let is_constant = self.type_of(check.left).is_constant
            && match check.test {
                Test::Against(_, right) => self.type_of(right).is_constant,
                _ => true,
            };
        let node = self.add_check(key.clone(), check);
        if !is_constant {
            return node;
        }
        let holds = self.constant_check(node);
        let node = self.constant(holds);
        self.check_ids.insert(key, node);
        node
    }

    /// Whether the field can have the values that it is compared with.
    fn check_values(&mut self, left: OperandId, operator: Operator, values: &[Value]) -> Option<()> {
        let is_exact = matches!(
            operator,
            Operator::Equal | Operator::EqualTwice | Operator::NotEqual | Operator::In | Operator::Intersects
        );
        let Some(key) = self.plain_field(left).map(|field| field.key).filter(|_| is_exact) else { return Some(()) };
        let mut possible = Some(());
        for value in values {
            if let Err(problem) = self.schema.check_value(key, &value.text) {
                self.error(value.span, problem);
                possible = None;
            }
        }
        possible
    }

    /// The words of a field that has an order, as numbers.
    fn ranks(&mut self, left: OperandId, values: &[Value]) -> Option<Vec<Value>> {
        let key = self.plain_field(left)?.key;
        let ranks: Vec<Option<Value>> = values
            .iter()
            .map(|value| match self.schema.rank(key, &value.text) {
                Ok(rank) => Some(Value { text: rank.to_string().into_bytes(), span: value.span }),
                Err(problem) => {
                    self.error(value.span, problem);
                    None
                }
            })
            .collect();
        ranks.into_iter().collect()
    }

    fn warn_about(&mut self, left: OperandId, operator: Operator, values: &[Value]) {
        for value in values {
            if let Some(kind) = super::warning::misused(&value.text, self.schema) {
                self.warn(value.span, kind);
            }
            if value.text == b"<NA>"
                && let Some(field) = self.plain_field(left)
                && (field.name.starts_with("ka.") || field.name.starts_with("jevt."))
            {
                let field = field.name.to_string();
                self.warn(value.span, WarningKind::NotAvailable { field });
            }
            if operator == Operator::Regex {
                for kind in super::warning::regex(&String::from_utf8_lossy(&value.text)) {
                    self.warn(value.span, kind);
                }
            }
        }
    }
}
