//! A schema that is a table.

use super::{ArgumentSpec, FieldSpec, ImpossibleValue, Kind, Schema};
use std::collections::{HashMap, HashSet};

/// A row of a table of fields.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// Whether it has many values.
    pub is_list: bool,
    /// What may stand in brackets.
    pub argument: ArgumentSpec,
    /// Whether `name.argument` is the same as `name[argument]`.
    pub dotted: bool,
    /// Whether it can stand only on the left side, untransformed.
    pub plain_only: bool,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
}

impl Row {
    /// A field with one value and no argument.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            is_list: false,
            argument: ArgumentSpec::None,
            dotted: false,
            plain_only: false,
            deprecated: None,
        }
    }

    /// The same with many values.
    pub const fn list(mut self) -> Self {
        self.is_list = true;
        self
    }

    /// The same with an argument.
    pub const fn with(mut self, argument: ArgumentSpec) -> Self {
        self.argument = argument;
        self
    }
}

/// A schema that is a table.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    rows: Vec<Row>,
    by_name: HashMap<&'static str, usize>,
    /// Fields whose values are known: what they are called, and the values.
    values: Vec<(&'static str, &'static str, HashSet<&'static [u8]>)>,
}

impl Catalog {
    /// A catalog of these fields; the number of a field is its place. The first of two rows with one name counts.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut catalog = Self::default();
        for row in rows {
            catalog.by_name.entry(row.name).or_insert(catalog.rows.len());
            catalog.rows.push(row);
        }
        catalog
    }

    /// Says which values a field can have. `what` is what a value is called in messages.
    #[must_use]
    pub fn with_values(
        mut self,
        field: &'static str,
        what: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        self.values.push((field, what, values.into_iter().map(str::as_bytes).collect()));
        self
    }

    /// The row of a number.
    pub fn row(&self, key: u32) -> Option<&Row> {
        self.rows.get(key as usize)
    }

    fn spec(&self, index: usize, implied: Option<String>) -> Option<FieldSpec> {
        let row = self.rows.get(index)?;
        Some(FieldSpec {
            key: u32::try_from(index).ok()?,
            kind: row.kind,
            is_list: row.is_list,
            argument: row.argument,
            implied,
            plain_only: row.plain_only,
            deprecated: row.deprecated,
        })
    }
}

impl Schema for Catalog {
    fn field(&self, name: &str) -> Option<FieldSpec> {
        if let Some(index) = self.by_name.get(name) {
            return self.spec(*index, None);
        }
        // The longest name that is a prefix, up to a dot.
        let mut end = name.len();
        while let Some(dot) = name.get(..end).and_then(|head| head.rfind('.')) {
            end = dot;
            let head = name.get(..dot).unwrap_or_default();
            if let Some(index) = self.by_name.get(head)
                && self.rows.get(*index).is_some_and(|row| row.dotted)
            {
                return self.spec(*index, name.get(dot + 1..).map(str::to_owned));
            }
        }
        None
    }

    fn names(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.name).collect()
    }

    fn check_value(&self, key: u32, value: &[u8]) -> Result<(), ImpossibleValue> {
        let Some(row) = self.row(key) else { return Ok(()) };
        for (name, what, values) in &self.values {
            if *name == row.name && !values.contains(value) {
                let value = crate::language::shown(&String::from_utf8_lossy(value));
                let known = values.iter().filter_map(|value| std::str::from_utf8(value).ok());
                let suggestion = super::nearest(&value, known);
                let suggestion = suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                return Err(ImpossibleValue(format!("unknown {what} {value}{suggestion}")));
            }
        }
        Ok(())
    }
}
