//! Conditions: and, or, not, checks.

use super::{
    Comparison, Expected, Expr, ExprKind, Modifier, Operand, Operator, Right, Span, SyntaxError, SyntaxErrorKind,
    Value, cursor::Cursor, error::shown,
};

/// How large a condition may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Recursive steps of the parser; a pair of parentheses takes five, and so does a transformer.
    pub depth: u32,
    /// Bytes of the text.
    pub length: usize,
    /// What [`Span::text`] shall be.
    pub text: u32,
    /// Which language it is.
    pub dialect: Dialect,
}

/// Falco's language, or a little more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What rule files are written in.
    #[default]
    Falco,
    /// For conditions that stand alone: there are no macros, so a name without a dot is a field (`priority`), and what is
    /// compared by order may be a word (`priority >= warning`). All else is the same.
    Extended,
}

impl Limits {
    /// For conditions of rule files: ten times deeper.
    pub const RULES: Self = Self { depth: 1000, length: 1 << 20, text: 0, dialect: Dialect::Falco };
    /// For conditions that stand alone.
    pub const EXTENDED: Self = Self { depth: 100, length: 1 << 16, text: 0, dialect: Dialect::Extended };
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, length: 1 << 20, text: 0, dialect: Dialect::Falco }
    }
}

/// Parses a condition.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    parse_with(text, Limits::default())
}

/// Parses a condition of other limits.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse_with(text: &str, limits: Limits) -> Result<Expr, SyntaxError> {
    if text.len() > limits.length {
        let kind = SyntaxErrorKind::TooLong { length: text.len(), limit: limits.length };
        return Err(SyntaxError { kind, span: Span { text: limits.text, start: 0, end: 1 } });
    }
    let mut parser = Parser::new(text, limits);
    if text.bytes().all(super::is_blank) {
        return Err(parser.cursor.error(SyntaxErrorKind::Empty));
    }
    let expr = parser.or()?;
    if parser.cursor.is_at_end() {
        return Ok(expr);
    }
    let after = shown(parser.cursor.last_token());
    Err(parser.cursor.error(SyntaxErrorKind::Trailing { after }))
}

/// Parses a field or a transformer that a text begins with, and says how long it is.
pub(crate) fn parse_operand(text: &str, limits: Limits) -> Result<(Operand, usize), SyntaxError> {
    let mut parser = Parser::new(text, limits);
    let operand = match parser.left()? {
        Some(operand) => operand,
        None => return Err(parser.expected(Expected::TransformerArgument)),
    };
    Ok((operand, parser.cursor.at()))
}

/// Whether a text begins with a transformer and its parenthesis.
pub(crate) fn starts_transformer(text: &str) -> bool {
    Parser::new(text, Limits::default()).transformer().is_some()
}

pub(super) struct Parser<'t> {
    pub cursor: Cursor<'t>,
    depth: u32,
    limit: u32,
    dialect: Dialect,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, limits: Limits) -> Self {
        Self { cursor: Cursor::new(text, limits.text), depth: 0, limit: limits.depth, dialect: limits.dialect }
    }

    /// A field's name.
    pub fn field_name(&mut self) -> Option<&'t str> {
        match self.dialect {
            Dialect::Falco => self.cursor.field_name(),
            Dialect::Extended => self.cursor.field_name().or_else(|| self.cursor.identifier()),
        }
    }

    pub fn expected(&self, what: Expected) -> SyntaxError {
        self.cursor.error(SyntaxErrorKind::Expected(what))
    }

    /// Begins a recursive step. [`Self::leave`] ends it; after an error nothing is read any more.
    pub fn enter(&mut self) -> Result<(), SyntaxError> {
        self.descend(1)
    }

    /// Begins something that counts as so many steps.
    pub fn descend(&mut self, steps: u32) -> Result<(), SyntaxError> {
        self.depth += steps;
        if self.depth < self.limit {
            return Ok(());
        }
        Err(self.cursor.error(SyntaxErrorKind::TooDeep { limit: self.limit }))
    }

    /// Ends a recursive step.
    pub fn leave<T>(&mut self, result: T) -> Result<T, SyntaxError> {
        self.ascend(1);
        Ok(result)
    }

    /// Ends what [`Self::descend`] began.
    pub fn ascend(&mut self, steps: u32) {
        self.depth = self.depth.saturating_sub(steps);
    }

    fn or(&mut self) -> Result<Expr, SyntaxError> {
        self.joined("or", Self::and, ExprKind::Or)
    }

    fn and(&mut self) -> Result<Expr, SyntaxError> {
        self.joined("and", Self::not, ExprKind::And)
    }

    /// One or more parts with `word` between. Behind it stands a blank or a parenthesis.
    fn joined(
        &mut self,
        word: &'static str,
        part: fn(&mut Self) -> Result<Expr, SyntaxError>,
        join: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, SyntaxError> {
        self.enter()?;
        let start = self.cursor.at();
        self.cursor.blanks();
        let first = part(self)?;
        let mut end = first.span.end;
        let mut parts = vec![first];
        self.cursor.blanks();
        while self.cursor.token(word) {
            let next = if self.cursor.blanks() {
                part(self)?
            } else if self.cursor.token("(") {
                self.group()?
            } else {
                return Err(self.expected(Expected::BlankOrParenthesis(word)));
            };
            end = end.max(next.span.end);
            parts.push(next);
            self.cursor.blanks();
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => self.leave(only),
            last => {
                parts.extend(last);
                let span = Span { end, ..self.cursor.span(start, start) };
                self.leave(Expr { kind: join(parts), span })
            }
        }
    }

    /// `not`s and what they negate. Two of them cancel out.
    fn not(&mut self) -> Result<Expr, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        let start = self.cursor.at();
        let mut negated = false;
        while self.cursor.not() {
            negated = !negated;
        }
        let inner = if self.cursor.token("not(") {
            negated = !negated;
            self.group()?
        } else {
            self.check()?
        };
        if !negated {
            return self.leave(inner);
        }
        self.leave(Expr { kind: ExprKind::Not(Box::new(inner)), span: self.cursor.span_from(start) })
    }

    /// What follows a `(`.
    fn group(&mut self) -> Result<Expr, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        let expr = self.or()?;
        self.cursor.blanks();
        if self.cursor.token(")") { self.leave(expr) } else { Err(self.expected(Expected::Close)) }
    }

    fn check(&mut self) -> Result<Expr, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        if self.cursor.token("(") {
            let group = self.group()?;
            return self.leave(group);
        }
        let start = self.cursor.at();
        let kind = match self.left()? {
            Some(left) => self.condition(left)?,
            None => match self.cursor.identifier() {
                Some(name) => ExprKind::Macro(name.to_owned()),
                None => return Err(self.expected(Expected::Check)),
            },
        };
        self.leave(Expr { kind, span: self.cursor.span_from(start) })
    }

    /// What follows a field or a transformer.
    fn condition(&mut self, left: Operand) -> Result<ExprKind, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        if self.cursor.token("exists") {
            return self.leave(ExprKind::Exists(left));
        }
        let Some(operator) = self.operator() else { return Err(self.expected(Expected::Operator)) };
        let mut modifier = None;
        let right = if operator.is_numeric() {
            self.number()?
        } else if operator.takes_list() {
            self.list(true)?
        } else {
            modifier = self.modifier();
            if modifier.is_some() { self.list(false)? } else { self.text()? }
        };
        self.leave(ExprKind::Compare(Box::new(Comparison { left, operator, modifier, right })))
    }

    /// Symbols stand by themselves, list operators may touch what follows, the other words need a blank.
    fn operator(&mut self) -> Option<Operator> {
        Operator::ALL.iter().copied().find(|operator| {
            let word = operator.word();
            let needs_blank = !operator.takes_list() && word.starts_with(|c: char| c.is_ascii_alphabetic());
            if needs_blank { self.cursor.word(word) } else { self.cursor.token(word) }
        })
    }

    /// A modifier needs blanks on both sides and a list behind it; otherwise the word is a value.
    fn modifier(&mut self) -> Option<Modifier> {
        let start = self.cursor.at();
        if self.cursor.blanks()
            && let Some(modifier) = Modifier::ALL.iter().copied().find(|modifier| self.cursor.word(modifier.word()))
        {
            self.cursor.blanks();
            let list = self.cursor.at();
            let is_list = match self.cursor.peek() {
                Some(b'(') => true,
                // `a.b = oneof and ...` compares with the text "oneof".
                _ => self.cursor.identifier().is_some_and(|word| !matches!(word, "and" | "or")),
            };
            if is_list {
                self.cursor.reset(list);
                return Some(modifier);
            }
        }
        self.cursor.reset(start);
        None
    }

    fn number(&mut self) -> Result<Right, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        if let Some(right) = self.right_operand()? {
            return self.leave(right);
        }
        let start = self.cursor.at();
        if let Some(text) = self.cursor.number() {
            return self.leave(Right::Value(Value { text: text.into(), span: self.cursor.span_from(start) }));
        }
        let word = match self.dialect {
            Dialect::Falco => None,
            Dialect::Extended => self.string()?,
        };
        match word {
            Some(value) => self.leave(Right::Value(value)),
            None => Err(self.expected(Expected::Number)),
        }
    }

    fn text(&mut self) -> Result<Right, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        if let Some(right) = self.right_operand()? {
            return self.leave(right);
        }
        match self.string()? {
            Some(value) => self.leave(Right::Value(value)),
            None => Err(self.expected(Expected::Text)),
        }
    }

    /// `(a, b)`, an identifier, or another operand where `operands` allows it.
    fn list(&mut self, operands: bool) -> Result<Right, SyntaxError> {
        self.enter()?;
        self.cursor.blanks();
        let start = self.cursor.at();
        if self.cursor.token("(") {
            let members = self.members()?;
            return self.leave(Right::List(members, self.cursor.span_from(start)));
        }
        if operands && let Some(right) = self.right_operand()? {
            return self.leave(right);
        }
        match self.cursor.identifier() {
            Some(word) => {
                let span = self.cursor.span_from(start);
                self.leave(Right::List(vec![Value { text: word.into(), span }], span))
            }
            None => Err(self.expected(Expected::List)),
        }
    }

    /// What follows the `(` of a list.
    fn members(&mut self) -> Result<Vec<Value>, SyntaxError> {
        let mut members = Vec::new();
        self.cursor.blanks();
        if self.cursor.token(")") {
            return Ok(members);
        }
        loop {
            self.cursor.blanks();
            match self.string()? {
                Some(value) => members.push(value),
                None => return Err(self.expected(Expected::Member)),
            }
            self.cursor.blanks();
            if self.cursor.token(")") {
                return Ok(members);
            }
            if !self.cursor.token(",") {
                return Err(self.expected(Expected::Close));
            }
        }
    }
}
