//! `AlertParts`: an alert that does not come as JSON, part by part.
//!
//! Promises: the record is the one that the same alert gets as JSON, as far as the parts carry it: output fields come as
//! text and get their types back (`types`); they are sorted by name, as Falco writes them in JSON; the limits are the same.

use super::{alert::Alert, field::Field, field::MAX_ITEMS, fields::Fields, reasons, time::Time, types::typed};
use crate::event::Priority;
use std::borrow::Cow;

/// The parts of an alert. Empty texts and `<NA>` count as missing.
#[derive(Clone, Debug, Default)]
pub struct AlertParts<'a> {
    pub hostname: &'a str,
    pub rule: &'a str,
    /// The source's name; when it is missing, the rule and the fields decide, as for JSON without `source`.
    pub source: &'a str,
    pub output: &'a str,
    /// Falco's enumeration: 0 Emergency to 7 Debug. Another number is kept as its digits, without severity.
    pub priority: i32,
    /// Seconds since 1970, and nanoseconds of the second.
    pub time: Option<(i64, i32)>,
    pub tags: Vec<&'a str>,
    /// Names and texts, in any order; the last of a repeated name wins.
    pub fields: Vec<(&'a str, &'a str)>,
}

impl<'a> AlertParts<'a> {
    /// The alert as the JSON reader would have read it.
    pub(super) fn into_alert(mut self) -> Alert<'a> {
        let text = |text: &'a str| Some(Cow::Borrowed(text)).filter(|_| !text.is_empty() && text != "<NA>");
        let internal = self.source == "internal" || self.rule.starts_with("Falco internal:");
        let mut alert = Alert {
            hostname: text(self.hostname),
            rule: text(self.rule),
            source: text(self.source),
            output: text(self.output),
            priority: priority(self.priority),
            time: match self.time {
                Some((seconds, nanos)) => Time::Timestamp { seconds, nanos },
                None => Time::Missing,
            },
            fields: Fields::with_capacity(self.fields.len().min(64)),
            ..Alert::default()
        };
        if self.tags.len() > MAX_ITEMS {
            self.tags.truncate(MAX_ITEMS);
            alert.degraded.add(reasons::LIST_CUT);
        }
        alert.tags = self.tags.into_iter().map(Cow::Borrowed).collect();
        // Stable, so that the last of a repeated name stays the last.
        self.fields.sort_by_key(|(name, _)| *name);
        for (name, text) in self.fields {
            let value = typed(name, text, internal);
            if let Field::List { cut: true, .. } = value {
                alert.degraded.add(reasons::LIST_CUT);
            }
            alert.fields.insert(name.into(), value);
        }
        if alert.fields.dropped > 0 {
            alert.degraded.add(reasons::FIELDS_CUT);
        }
        alert
    }
}

fn priority(number: i32) -> Field<'static> {
    // `Priority::ALL` begins with the least urgent.
    let known = usize::try_from(number).ok().and_then(|number| Priority::ALL.iter().rev().nth(number));
    known.map_or(Field::Int(number.into()), |known| Field::Text(known.title().into()))
}
