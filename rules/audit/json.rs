//! JSON that is taken apart as far as it is looked at.
//!
//! A node is a piece of the text. Its members become nodes when one of them is asked for; finding where they end needs
//! one pass over the piece, so a piece at depth n is passed over at most n times, and only on the way to something.
//! Of two members with one name the first counts, as in the library that Falco's plugins use.

use super::text;
use crate::evaluate::{Arena, Value};
use bumpalo::collections::Vec;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{cell::OnceCell, fmt};

/// A value somewhere in an event.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a> {
    node: &'a Node<'a>,
    arena: &'a Arena,
}

struct Node<'a> {
    raw: &'a str,
    children: OnceCell<Children<'a>>,
}

#[derive(Clone, Copy)]
enum Children<'a> {
    Object(&'a [(&'a str, Node<'a>)]),
    Array(&'a [Node<'a>]),
    None,
}

impl<'a> Node<'a> {
    fn new(raw: &'a str) -> Self {
        Self { raw, children: OnceCell::new() }
    }
}

impl<'a> Json<'a> {
    /// A whole text. `None` if it is no JSON object.
    pub fn parse(text: &'a str, arena: &'a Arena) -> Option<Self> {
        let raw = text.trim_ascii();
        let children = split(raw, arena).filter(|children| matches!(children, Children::Object(_)))?;
        let node = arena.bump().alloc(Node { raw, children: OnceCell::from(children) });
        Some(Self { node, arena })
    }

    fn children(self) -> Children<'a> {
        *self.node.children.get_or_init(|| match self.node.raw.as_bytes().first() {
            Some(b'{' | b'[') => split(self.node.raw, self.arena).unwrap_or(Children::None),
            _ => Children::None,
        })
    }

    /// The text of the value, as it stands.
    pub fn raw(self) -> &'a str {
        self.node.raw
    }

    /// A member of an object.
    pub fn get(self, name: &str) -> Option<Self> {
        let Children::Object(members) = self.children() else { return None };
        members.iter().find(|(known, _)| *known == name).map(|(_, node)| Self { node, ..self })
    }

    /// What is at the end of a path of member names.
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// A member of an object or of an array, as a JSON pointer names it.
    pub fn step(self, name: &str) -> Option<Self> {
        match self.children() {
            Children::Array(members) => {
                let index: usize = name.parse().ok()?;
                members.get(index).map(|node| Self { node, ..self })
            }
            _ => self.get(name),
        }
    }

    /// The members of an array; `None` if it is none.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        let Children::Array(members) = self.children() else { return None };
        Some(members.iter().map(move |node| Self { node, ..self }))
    }

    /// The names of an object's members.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        let members = match self.children() {
            Children::Object(members) => members,
            _ => &[],
        };
        members.iter().map(|(name, _)| *name)
    }

    /// The value as text: of a string what it says, of anything else its JSON without blanks.
    pub fn text(self) -> &'a str {
        text::text(self.node.raw, self.arena)
    }

    /// The same as a value of a field.
    pub fn value(self) -> Value<'a> {
        Value::from(self.text())
    }
}

/// The members of an object or an array.
fn split<'a>(raw: &'a str, arena: &'a Arena) -> Option<Children<'a>> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let children = Members(arena).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(children)
}

struct Members<'a>(&'a Arena);

impl<'a> DeserializeSeed<'a> for Members<'a> {
    type Value = Children<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Members<'a> {
    type Value = Children<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity_in(16, self.0.bump());
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            let raw: &'a RawValue = map.next_value()?;
            members.push((name, Node::new(raw.get())));
        }
        Ok(Children::Object(members.into_bump_slice()))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new_in(self.0.bump());
        while let Some(raw) = seq.next_element::<&'a RawValue>()? {
            members.push(Node::new(raw.get()));
        }
        Ok(Children::Array(members.into_bump_slice()))
    }
}

/// A member's name; one with escapes is put into the arena.
struct Name<'a>(&'a Arena);

impl<'a> DeserializeSeed<'a> for Name<'a> {
    type Value = &'a str;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name<'a> {
    type Value = &'a str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(name)
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.bump().alloc_str(name))
    }
}
