//! Which containers are read.
//!
//! A container is read when any `include` entry matches its name, image or a label, no `exclude` entry does, and
//! it is not the container Lanner itself runs in, which would feed Lanner its own output.

use globset::GlobSet;
use std::collections::HashMap;

/// What a container is selected by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// As the container was created with.
    pub image: String,
    pub labels: HashMap<String, String>,
}

/// One side of the selection, checked.
#[derive(Clone, Debug, Default)]
pub struct Matchers {
    pub names: GlobSet,
    pub images: GlobSet,
    /// Label key, and what its value must match; none is any value.
    pub labels: Vec<(String, Option<globset::GlobMatcher>)>,
}

impl Matchers {
    fn any(&self, candidate: &Candidate) -> bool {
        self.names.is_match(&candidate.name)
            || self.images.is_match(&candidate.image)
            || self.labels.iter().any(|(key, value)| {
                let found = candidate.labels.get(key);
                found.is_some_and(|found| value.as_ref().is_none_or(|value| value.is_match(found)))
            })
    }
}

/// The whole selection.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub include: Matchers,
    pub exclude: Matchers,
    /// Lanner's own container.
    pub own: Option<String>,
}

impl Selection {
    /// Whether to read this container.
    pub fn wants(&self, candidate: &Candidate) -> bool {
        self.own.as_ref() != Some(&candidate.id) && self.include.any(candidate) && !self.exclude.any(candidate)
    }
}

/// The id of the container this process runs in, from its mount table: Docker mounts these files from a directory
/// named after the container.
pub fn own_container(mountinfo: &str) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, target) = (fields.next()?, fields.next()?);
        if !matches!(target, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
            return None;
        }
        let id = root.rsplit('/').nth(1)?;
        (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
    })
}
