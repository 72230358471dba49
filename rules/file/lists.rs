//! Lists in conditions.
//!
//! They are put in as text, before the condition is read, also inside quotes: that is what Falco does, and rules depend
//! on it. A name is found where a blank, `(`, `)`, `,`, `=` or an end of the text stands on both sides. What a list puts
//! in is searched for the lists that were defined after it.

use super::{
    collect::{Collected, ListInfo},
    exception_text::quoted,
    limits,
    sources::Spot,
    written::Written,
};
use crate::language::is_delimiter;
use std::collections::HashMap;

/// The lists, with lists in them put in.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_name: HashMap<String, usize>,
    resolved: Vec<Resolved>,
    /// Bytes that may still be put in.
    budget: usize,
}

#[derive(Debug)]
struct Resolved {
    items: Vec<String>,
    spot: Spot,
    used: bool,
}

/// How many lists may be put into each other while a condition is read.
const MAX_DEPTH: usize = 64;

/// More text than is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Lists {
    /// Puts lists into lists: an item that names one defined before is replaced by its items, one level deep.
    pub fn new(collected: &Collected) -> Self {
        let mut lists = Self { budget: limits::CONDITIONS, ..Self::default() };
        let mut used = Vec::new();
        for (index, list) in collected.lists.entries.iter().enumerate() {
            let mut items = Vec::with_capacity(list.items.len());
            for (item, _) in &list.items {
                match named(collected, item).filter(|other| other.position.index < list.position.visibility) {
                    Some(other) => {
                        used.push(other.name.clone());
                        items.extend(other.items.iter().map(|(item, _)| quoted(item)));
                    }
                    None => items.push(quoted(item)),
                }
                if items.len() > limits::NODES {
                    break;
                }
            }
            lists.by_name.insert(list.name.clone(), index);
            lists.resolved.push(Resolved { items, spot: list.about.spot, used: false });
        }
        for name in used {
            lists.mark(&name);
        }
        lists
    }

    fn mark(&mut self, name: &str) {
        if let Some(list) = self.by_name.get(name).and_then(|index| self.resolved.get_mut(*index)) {
            list.used = true;
        }
    }

    /// The items of a list, as they are put into conditions.
    pub fn items(&self, name: &str) -> Option<&[String]> {
        self.by_name.get(name).and_then(|index| self.resolved.get(*index)).map(|list| list.items.as_slice())
    }

    /// The places of lists that no condition and no other list uses.
    pub fn unused(&self) -> impl Iterator<Item = usize> {
        self.resolved.iter().enumerate().filter(|(_, list)| !list.used).map(|(index, _)| index)
    }

    /// A condition with its lists put in.
    pub fn expand(&mut self, condition: &Written) -> Result<Expanded, TooMuch> {
        let mut out = Expanded::default();
        self.words(condition, 0, 0, &mut out)?;
        Ok(out)
    }

    /// Lists from `from` on are looked for. `depth`: how many lists the text is inside of.
    fn words(&mut self, text: &Written, from: usize, depth: usize, out: &mut Expanded) -> Result<(), TooMuch> {
        if depth > MAX_DEPTH {
            return Err(TooMuch);
        }
        let mut quotes = Quotes::default();
        let bytes = text.text.as_bytes();
        let mut at = 0;
        // What has been looked at and not written yet.
        let mut pending = 0;
        while at < bytes.len() {
            let length = bytes.iter().skip(at).take_while(|byte| !is_boundary(**byte)).count();
            let end = at + length;
            let word = text.text.get(at..end).unwrap_or_default();
            let list = self.by_name.get(word).copied().filter(|index| *index >= from && length > 0);
            let Some(index) = list else {
                at = end + 1;
                continue;
            };
            out.push(text, pending, at);
            out.trim_blanks();
            let mut behind = end + bytes.iter().skip(end).take_while(|byte| is_blank(**byte)).count();
            let (items, spot) = match self.resolved.get_mut(index) {
                Some(list) => {
                    list.used = true;
                    (list.items.join(", "), list.spot)
                }
                None => (String::new(), Spot::default()),
            };
            if items.is_empty() && !out.take_comma() && bytes.get(behind) == Some(&b',') {
                behind += 1;
            }
            out.in_quotes |= quotes.are_open(bytes, at);
            out.written.push(" ", spot);
            self.budget = self.budget.checked_sub(items.len()).ok_or(TooMuch)?;
            if out.written.text.len() + items.len() > limits::CONDITION {
                return Err(TooMuch);
            }
            let mut inner = Written::default();
            inner.push(&items, text.place_of(at));
            self.words(&inner, index + 1, depth + 1, out)?;
            out.written.push(" ", spot);
            at = behind;
            pending = behind;
        }
        out.push(text, pending, bytes.len());
        if out.written.text.len() > limits::CONDITION { Err(TooMuch) } else { Ok(()) }
    }
}

fn named<'c>(collected: &'c Collected, name: &str) -> Option<&'c ListInfo> {
    collected.lists.get(name)
}

/// A condition with its lists put in.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub written: Written,
    /// Whether a list was put in between quotes.
    pub in_quotes: bool,
}

impl Expanded {
    fn push(&mut self, text: &Written, start: usize, end: usize) {
        self.written.push_part(text, start, end);
    }

    fn trim_blanks(&mut self) {
        let text = &self.written.text;
        let end = text.trim_end_matches([' ', '\t', '\n', '\r']).len();
        self.written.truncate(end);
    }

    /// Takes a comma away from the end; whether there was one.
    fn take_comma(&mut self) -> bool {
        let end = self.written.text.strip_suffix(',').map(str::len);
        if let Some(end) = end {
            self.written.truncate(end);
        }
        end.is_some()
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_boundary(byte: u8) -> bool {
    is_blank(byte) || is_delimiter(byte)
}

/// Follows the quotes of a text.
#[derive(Default)]
struct Quotes {
    at: usize,
    open: Option<u8>,
}

impl Quotes {
    /// Whether a place, which is behind the last one asked for, is inside a quoted string.
    fn are_open(&mut self, text: &[u8], place: usize) -> bool {
        while self.at < place {
            let byte = text.get(self.at).copied().unwrap_or_default();
            let escaped = self.at > 0 && text.get(self.at - 1) == Some(&b'\\');
            match self.open {
                None if matches!(byte, b'"' | b'\'') => self.open = Some(byte),
                Some(quote) if quote == byte && !escaped => self.open = None,
                _ => {}
            }
            self.at += 1;
        }
        self.open.is_some()
    }
}
