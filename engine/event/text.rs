//! `Text`: a string that costs no copy.
//!
//! Promises: always valid UTF-8; cloning is one reference count; never keeps more than its request body alive.
//! A `Text` is a static string or a range of a shared, already validated body. Ranges are checked when they
//! are made, so reading one cannot fail.

use std::{borrow::Borrow, fmt, hash, ops::Deref, sync::Arc};

/// A cheaply clonable, immutable UTF-8 string.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared { owner: Arc<str>, start: u32, len: u32 },
}

impl Text {
    /// The empty string.
    pub const EMPTY: Self = Self::from_static("");

    /// Wraps a string that lives as long as the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// A range of `owner`, without copying, when `part` lies inside it (as strings borrowed by a parser do);
    /// otherwise a copy of `part`.
    pub fn slice_of(owner: &Arc<str>, part: &str) -> Self {
        if part.is_empty() {
            return Self::EMPTY;
        }
        // Both are borrowed now, so equal addresses are equal bytes: no need to compare those.
        let start = (part.as_ptr() as usize).wrapping_sub(owner.as_ptr() as usize);
        let inside = start.checked_add(part.len()).and_then(|end| owner.get(start..end));
        let same = inside.is_some_and(|inside| std::ptr::eq(inside, part));
        same.then(|| Self::range_of(owner, start, part.len())).flatten().unwrap_or_else(|| Self::from(part))
    }

    /// So many bytes of `owner` from `start` on, which the caller has seen to be text. `None` beyond 4 GiB.
    pub(crate) fn range_of(owner: &Arc<str>, start: usize, len: usize) -> Option<Self> {
        let (start, len) = (u32::try_from(start).ok()?, u32::try_from(len).ok()?);
        Some(Self(Repr::Shared { owner: Arc::clone(owner), start, len }))
    }

    /// The text as a body of its own, for parsers whose strings shall be ranges of it. Copies nothing when it is the
    /// whole of what it was cut from.
    pub fn to_shared(&self) -> Arc<str> {
        match &self.0 {
            Repr::Shared { owner, start: 0, len } if *len as usize == owner.len() => Arc::clone(owner),
            _ => self.as_str().into(),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            // The range was checked by `slice_of`; `get` keeps this free of panics without trusting that.
            Repr::Shared { owner, start, len } => {
                let start = *start as usize;
                owner.get(start..start + *len as usize).unwrap_or_default()
            }
        }
    }
}

/// The longest start of `text` that has at most `max` bytes and ends at a character boundary.
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    // Index 0 is a boundary, and a character has at most four bytes.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from(Arc::<str>::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(Arc::<str>::from(text))
    }
}

impl From<Arc<str>> for Text {
    /// A text over 4 GiB is cut at the last character that fits; every intake limits bodies far below that.
    fn from(owner: Arc<str>) -> Self {
        let len = cut(&owner, u32::MAX as usize).len() as u32;
        Self(Repr::Shared { owner, start: 0, len })
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl hash::Hash for Text {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: parts of the owner, an equal text elsewhere, nothing.
    /// Guarantee: parts share the owner, anything else is copied, and all read as they were.
    #[test]
    fn only_a_part_of_the_owner_shares_it() {
        let owner: Arc<str> = "zwölf Boxkämpfer".into();
        for part in [&owner[..], &owner[2..5], &owner[owner.len() - 1..]] {
            let count = Arc::strong_count(&owner);
            let text = Text::slice_of(&owner, part);
            assert_eq!(text, part);
            assert_eq!(Arc::strong_count(&owner), count + 1);
        }
        for other in ["zwölf", "", "longer than the owner by some characters"] {
            assert_eq!(Text::slice_of(&owner, other), other);
            assert_eq!(Arc::strong_count(&owner), 1);
        }
    }

    /// Scenario: caps at, before and behind a character of two bytes.
    /// Guarantee: never over the cap, never inside a character.
    #[test]
    fn cutting_respects_characters() {
        for (max, expected) in [(0, ""), (2, "zw"), (3, "zw"), (4, "zwö"), (99, "zwölf")] {
            assert_eq!(cut("zwölf", max), expected);
        }
    }
}
