//! Path prefixes, for `pmatch`.
//!
//! A path is split at `/`, empty parts are dropped. One matches if each of its parts matches the part of the text at
//! the same place; parts with `*`, `?` or `[` are patterns. So `/` matches every path.

use super::glob;

/// Path prefixes.
#[derive(Debug, Clone)]
pub(crate) struct Paths(Box<[Box<[u8]>]>);

impl Paths {
    pub fn new(paths: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(paths.into_iter().map(Vec::into_boxed_slice).collect())
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        self.0.iter().any(|path| is_prefix(path, text))
    }
}

/// Whether a path is a prefix of another, part by part.
pub(crate) fn is_prefix(path: &[u8], text: &[u8]) -> bool {
    let mut parts = parts(text);
    self::parts(path).all(|wanted| {
        parts.next().is_some_and(|part| {
            let is_pattern = wanted.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
            if is_pattern { glob::matches(wanted, part, false) } else { wanted == part }
        })
    })
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}
