//! Files that a component's configuration names, such as tables; read in its build phase.

use super::{Diagnostic, Sources, check::SchemaDoc, has_errors, node::Path as Place, plan_cx::Section, render, yaml};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::{io, path::Path};
use tokio::io::AsyncReadExt;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFile {
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: String, error: io::Error },
    #[error("{0} has more than {max} bytes; a table of this size does not belong into a configuration", max = yaml::MAX_BYTES)]
    TooBig(String),
    /// Every finding, with its line, as `lanner validate` shows them.
    #[error("{0}")]
    Wrong(String),
}

/// Reads a YAML file of at most 1 MiB and checks it against the schema of `C`, as a part of the configuration would be.
/// References such as `${env:NAME}` are not replaced.
///
/// # Errors
/// It cannot be read, is too big, or does not fit; all problems with their lines.
pub async fn read_file<C: DeserializeOwned + JsonSchema>(path: &Path) -> Result<C, InvalidFile> {
    let shown = path.display().to_string();
    let unreadable = |error| InvalidFile::Unreadable { file: shown.clone(), error };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = String::new();
    file.take(yaml::MAX_BYTES as u64 + 1).read_to_string(&mut text).await.map_err(unreadable)?;
    if text.len() > yaml::MAX_BYTES {
        return Err(InvalidFile::TooBig(shown));
    }
    let (mut sources, mut findings): (_, Vec<Diagnostic>) = (Sources::default(), Vec::new());
    let origin = sources.add(path.to_owned(), text.as_str().into());
    let node = yaml::parse(&text, &origin, &mut findings);
    let config = node.and_then(|node| {
        let (base, schema, at) = (Place::default(), SchemaDoc::of_type::<C>(), node.origin.clone());
        let section = Section { whole: &shown, base: &base, at: &at, schema: &schema, more_keys: &[] };
        section.decode(&node, &mut findings).config
    });
    match config {
        Some(config) if !has_errors(&findings) => Ok(config),
        _ => Err(InvalidFile::Wrong(render::human(&findings, &sources, false))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Table {
        entries: Vec<u8>,
    }

    /// Scenario: a file that fits, one with a wrong key, one that is no YAML, one that is too big, and none.
    /// Guarantee: what is wrong is told with its line; nothing panics.
    #[tokio::test]
    async fn files_are_checked_like_the_configuration() {
        let folder = std::env::temp_dir().join(format!("lanner-read-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let read = async |text: &str| {
            let file = folder.join("table.yaml");
            std::fs::write(&file, text).expect("written");
            read_file::<Table>(&file).await.map(|table| table.entries).map_err(|error| error.to_string())
        };
        assert_eq!(read("entries: [1, 2]").await, Ok(vec![1, 2]));
        let error = read("entries: [1]\nentrys: 2").await.expect_err("unknown key");
        assert!(error.contains("entrys") && error.contains("table.yaml:2"), "{error}");
        assert!(read("entries: [").await.is_err());
        let error = read(&"#".repeat(yaml::MAX_BYTES + 1)).await.expect_err("too big");
        assert!(error.contains("1048576"), "{error}");
        std::fs::remove_dir_all(&folder).expect("removed");
        assert!(read_file::<Table>(&folder).await.is_err());
    }
}
