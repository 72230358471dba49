//! The texts of one alert: without secrets, and up to the cap.
//!
//! Promise: secrets go first, because half of one is not known as such.

use super::{Settings, original::Original};
use crate::{
    event,
    semantics::secrets::{self, Hints},
};
use std::borrow::Cow;

/// How the texts of one alert are cleaned.
pub(super) struct Texts<'m> {
    max_bytes: usize,
    /// Where its JSON has hints of secrets; none when secrets may stay.
    hints: Option<Hints<'m>>,
}

impl<'m> Texts<'m> {
    /// For what nobody looks at: texts stay as they are.
    pub const UNREAD: Texts<'static> = Texts { max_bytes: usize::MAX, hints: None };

    /// Of an alert of which few texts are wanted: each is searched, not all of the JSON.
    pub fn of_few(settings: &Settings) -> Self {
        Self { max_bytes: settings.max_bytes, hints: settings.redact.then(|| Hints::of("")) }
    }

    /// Of an alert that came like this.
    pub fn of(settings: &Settings, piece: &Original<'m>) -> Self {
        let json = match piece {
            Original::Text(json) => json,
            Original::Map(_) | Original::Parts => "",
        };
        Self { max_bytes: settings.max_bytes, hints: settings.redact.then(|| Hints::of(json)) }
    }

    /// The text up to the cap, at a character boundary.
    #[inline]
    pub fn cut<'t>(&self, text: &'t str) -> &'t str {
        if text.len() <= self.max_bytes { text } else { event::cut(text, self.max_bytes) }
    }

    /// The text without secrets.
    #[inline]
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.hints {
            Some(hints) => hints.redact(text),
            None => Cow::Borrowed(text),
        }
    }

    /// The text of a field without secrets, up to the cap.
    #[inline]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.cut_clean(self.clean(text))
    }

    /// The same for a field whose name may be that of a secret.
    pub fn named_text<'t>(&self, name: &str, text: &'t str) -> Cow<'t, str> {
        self.cut_clean(match &self.hints {
            Some(hints) => hints.redact_named(name, text),
            None => Cow::Borrowed(text),
        })
    }

    /// The same for JSON.
    pub fn json<'t>(&self, json: &'t str) -> Cow<'t, str> {
        self.cut_clean(if self.hints.is_some() { secrets::redact_json(json) } else { Cow::Borrowed(json) })
    }

    #[inline]
    fn cut_clean<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(self.cut(text)),
            Cow::Owned(mut text) => {
                text.truncate(self.cut(&text).len());
                Cow::Owned(text)
            }
        }
    }
}
