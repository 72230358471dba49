//! Names with wildcards, as configurations write them: `user.*`, `Terminal shell*`.

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use lanner_engine::config::PlanCx;

/// A text that is no name with wildcards.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no name with wildcards: {reason}; write for example `user.*`, and `\\[` for a bracket")]
pub struct InvalidName {
    text: String,
    reason: String,
}

/// A name, or several by a wildcard.
#[derive(Clone, Debug)]
pub struct Name {
    text: String,
    glob: GlobMatcher,
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// Its wildcards are wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        Ok(Self { text: text.to_owned(), glob: build(text)?.compile_matcher() })
    }

    /// Reads the name that stands at `path`.
    pub fn check(text: &str, path: &str, cx: &mut PlanCx<'_>) -> Option<Self> {
        Self::parse(text).map_err(|error| cx.error(path, error)).ok()
    }

    /// Whether this is the name, letter by letter, or fits.
    pub fn is_match(&self, name: &str) -> bool {
        self.text == name || self.glob.is_match(name)
    }
}

/// Checks the names of the list at `key`.
pub fn set(key: &str, texts: &[String], cx: &mut PlanCx<'_>) -> Option<GlobSet> {
    let (mut set, mut sound) = (GlobSetBuilder::new(), true);
    for (index, text) in texts.iter().enumerate() {
        match build(text) {
            Ok(glob) => drop(set.add(glob)),
            Err(error) => {
                cx.error(&format!("{key}[{index}]"), error);
                sound = false;
            }
        }
    }
    set.build().ok().filter(|_| sound)
}

fn build(text: &str) -> Result<Glob, InvalidName> {
    // Names have no folders, so a star may stand for dots and slashes as well.
    let built = GlobBuilder::new(text).literal_separator(false).build();
    built.map_err(|error| InvalidName { text: text.to_owned(), reason: error.kind().to_string() })
}
