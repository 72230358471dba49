//! Sets of texts.

use foldhash::fast::FixedState;
use std::collections::HashSet;

/// A set of texts. Few are compared one by one, many are hashed.
///
/// The hash needs no secret: what is in the set comes from rules, events only look things up.
#[derive(Debug, Clone)]
pub(crate) enum TextSet {
    Few(Box<[Box<[u8]>]>),
    Many(HashSet<Box<[u8]>, FixedState>),
}

/// Up to here comparing is as fast as hashing.
const FEW: usize = 4;

impl TextSet {
    pub fn new(texts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let set: HashSet<Box<[u8]>, FixedState> = texts.into_iter().map(Vec::into_boxed_slice).collect();
        if set.len() <= FEW { Self::Few(set.into_iter().collect()) } else { Self::Many(set) }
    }

    pub fn contains(&self, text: &[u8]) -> bool {
        match self {
            Self::Few(texts) => texts.iter().any(|member| **member == *text),
            Self::Many(texts) => texts.contains(text),
        }
    }
}
