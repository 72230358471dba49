//! Conditions as text.
//!
//! Promises: [`Display`](std::fmt::Display) writes what [`super::parse`] reads as the same tree. [`Expr::canonical`]
//! writes what Falco shows for a compiled rule, which is meant for people and not always readable again: quotes
//! around arguments of transformers are left out there.

use super::{Argument, Expr, ExprKind, FieldRef, Operand, Right, Transform, Value};
use std::fmt::{self, Write};

impl Expr {
    /// As Falco shows it: groups in parentheses, quotes only where a blank or the like needs them.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = Printer { out: &mut out, style: Style::Canonical }.expr(self);
        out
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { out: f, style: Style::Exact }.expr(self)
    }
}

impl Operand {
    /// As Falco names it, for example in `output_fields`.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = Printer { out: &mut out, style: Style::Canonical }.operand(self);
        out
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Canonical,
    Exact,
}

struct Printer<'w, W> {
    out: &'w mut W,
    style: Style,
}

impl<W: Write> Printer<'_, W> {
    fn expr(&mut self, expr: &Expr) -> fmt::Result {
        match &expr.kind {
            ExprKind::And(parts) => self.group(parts, " and "),
            ExprKind::Or(parts) => self.group(parts, " or "),
            // Two `not`s in a row would cancel out when they are read.
            ExprKind::Not(inner) if self.style == Style::Exact && matches!(inner.kind, ExprKind::Not(_)) => {
                self.out.write_str("not (")?;
                self.expr(inner)?;
                self.out.write_char(')')
            }
            ExprKind::Not(inner) => {
                self.out.write_str("not ")?;
                self.expr(inner)
            }
            ExprKind::Exists(left) => {
                self.operand(left)?;
                self.out.write_str(" exists")
            }
            ExprKind::Compare(comparison) => {
                self.operand(&comparison.left)?;
                write!(self.out, " {} ", comparison.operator.word())?;
                if let Some(modifier) = comparison.modifier {
                    write!(self.out, "{} ", modifier.word())?;
                }
                self.right(&comparison.right)
            }
            // `not` is a macro's name where no blank follows it.
            ExprKind::Macro(name) if name == "not" => self.out.write_str("(not)"),
            ExprKind::Macro(name) => self.out.write_str(name),
        }
    }

    fn group(&mut self, parts: &[Expr], between: &str) -> fmt::Result {
        self.out.write_char('(')?;
        self.all(parts, between, Self::expr)?;
        self.out.write_char(')')
    }

    fn all<T>(&mut self, items: &[T], between: &str, each: fn(&mut Self, &T) -> fmt::Result) -> fmt::Result {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.write_str(between)?;
            }
            each(self, item)?;
        }
        Ok(())
    }

    fn operand(&mut self, operand: &Operand) -> fmt::Result {
        match operand {
            Operand::Field(field) => self.field(field),
            Operand::Transform(transform) => self.transform(transform),
        }
    }

    fn field(&mut self, field: &FieldRef) -> fmt::Result {
        self.out.write_str(&field.name)?;
        self.argument(field.argument.as_deref())
    }

    fn argument(&mut self, argument: Option<&str>) -> fmt::Result {
        let Some(argument) = argument else { return Ok(()) };
        let is_bare = !argument.is_empty() && !argument.contains(['[', ']', '"', '\'']) && !has_space(argument);
        if is_bare {
            return write!(self.out, "[{argument}]");
        }
        self.out.write_char('[')?;
        self.quote(argument.as_bytes())?;
        self.out.write_char(']')
    }

    fn transform(&mut self, transform: &Transform) -> fmt::Result {
        write!(self.out, "{}(", transform.transformer.word())?;
        self.arguments(&transform.arguments)?;
        self.out.write_char(')')?;
        self.argument(transform.key.as_deref())
    }

    fn arguments(&mut self, arguments: &[Argument]) -> fmt::Result {
        let between = if self.style == Style::Canonical { "," } else { ", " };
        self.all(arguments, between, |this, argument| match argument {
            Argument::Text(value) if this.style == Style::Exact => this.quote(&value.text),
            Argument::Text(value) => this.value(value),
            Argument::Operand(operand) => this.operand(operand),
            Argument::List(members, _) => {
                this.out.write_char('(')?;
                this.arguments(members)?;
                this.out.write_char(')')
            }
        })
    }

    fn right(&mut self, right: &Right) -> fmt::Result {
        match right {
            Right::Value(value) => self.value(value),
            Right::List(members, _) => {
                self.out.write_char('(')?;
                self.all(members, ", ", Self::value)?;
                self.out.write_char(')')
            }
            Right::Field(field, _) => {
                self.out.write_str("val(")?;
                self.field(field)?;
                self.out.write_char(')')
            }
            Right::Transform(transform) => self.transform(transform),
        }
    }

    fn value(&mut self, value: &Value) -> fmt::Result {
        let text = std::str::from_utf8(&value.text).ok();
        let needs_quotes = match self.style {
            Style::Canonical => {
                |text: &str| text.contains([' ', '=', '\\', '"', '\'']) || text.contains(is_named_control)
            }
            // A word that could be a modifier needs none: no list can follow it in what is printed here.
            Style::Exact => {
                |text: &str| text.is_empty() || text.contains(['(', ')', ',', '=', '\\', '"', '\'']) || has_space(text)
            }
        };
        match text {
            Some(text) if !needs_quotes(text) => self.out.write_str(text),
            _ => self.quote(&value.text),
        }
    }

    /// Writes a string in double quotes. What is no text is written as `\xHH`.
    fn quote(&mut self, text: &[u8]) -> fmt::Result {
        self.out.write_char('"')?;
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\u{8}' => self.out.write_str("\\b")?,
                    '\u{c}' => self.out.write_str("\\f")?,
                    '\n' => self.out.write_str("\\n")?,
                    '\r' => self.out.write_str("\\r")?,
                    '\t' => self.out.write_str("\\t")?,
                    // A backslash before the closing quote would hide the quote from the scanner, even a doubled one.
                    '\\' if self.style == Style::Exact => self.out.write_str("\\x5c")?,
                    '\\' => self.out.write_str("\\\\")?,
                    '"' => self.out.write_str("\\\"")?,
                    c if c.is_ascii_control() => write!(self.out, "\\x{:02x}", u32::from(c))?,
                    c => self.out.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(self.out, "\\x{byte:02x}")?;
            }
        }
        self.out.write_char('"')
    }
}

fn is_named_control(c: char) -> bool {
    matches!(c, '\u{8}' | '\u{c}' | '\n' | '\r' | '\t')
}

fn has_space(text: &str) -> bool {
    text.contains(|c: char| c.is_whitespace() || c.is_control())
}
