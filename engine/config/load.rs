//! Loading: from files, environment and flags to a [`Document`].
//!
//! Promises: never panics and never stops at the first problem: a file that cannot be read or parsed does not keep
//! the findings of the others from being reported. Reads only the files it is told to, and those of `${file:}`.

use super::{
    Diagnostic, Document, Node, NodeValue, Origin, Sources, codes, diagnostic, layers, overrides, substitute, yaml,
};
use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

/// What a configuration is made of, from the lowest layer to the highest.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// A text of the program itself, with a name for findings.
    pub embedded: Option<(String, String)>,
    /// Files, and folders whose `*.yaml` files are taken in the order of their names.
    pub files: Vec<PathBuf>,
    /// The environment: for `${env:}` and `LANNER__`.
    pub env: BTreeMap<String, String>,
    /// `a.b=value`.
    pub sets: Vec<String>,
}

impl Inputs {
    /// The environment of this process. Variables that are no UTF-8 are left out.
    pub fn process_env() -> BTreeMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
}

/// What came of loading.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None`: nothing could be read.
    pub document: Option<Document>,
    /// In the order of places.
    pub findings: Vec<Diagnostic>,
    pub sources: Sources,
}

/// Loads a configuration.
pub fn load(inputs: &Inputs) -> Loaded {
    let mut loader = Loader::default();
    if let Some((name, text)) = &inputs.embedded {
        loader.text(name.into(), text);
    }
    for path in &inputs.files {
        loader.path(path);
    }
    for (name, value) in inputs.env.iter().filter(|(name, _)| name.starts_with(overrides::ENV_PREFIX)) {
        let layer = overrides::from_env(name, value, &mut loader.findings);
        loader.layers.extend(layer);
    }
    for argument in &inputs.sets {
        let layer = overrides::from_set(argument, &mut loader.findings);
        loader.layers.extend(layer);
    }
    let Loader { sources, mut findings, layers, complete, .. } = loader;
    let mut tree = layers::merge(&layers, &mut findings);
    let filled_in = substitute::substitute(&mut tree, &inputs.env, &mut findings);
    let mut document = None;
    if !tree.entries().is_empty() {
        let read = Document::read(&tree, complete, &mut findings);
        filled_in.hide(&mut findings);
        document = Some(Document { filled_in, ..read });
    } else if complete {
        let origin = layers.first().map(|layer| layer.origin.clone()).unwrap_or_default();
        let finding = Diagnostic::error(codes::EMPTY, "empty configuration file", origin, "");
        findings
            .push(finding.help("the smallest one has a receiver, an exporter and a pipeline: `lanner explain L0011`"));
    }
    diagnostic::sort(&mut findings);
    Loaded { document, findings, sources }
}

struct Loader {
    sources: Sources,
    findings: Vec<Diagnostic>,
    layers: Vec<Node>,
    /// Whether every file was read to its end.
    complete: bool,
}

impl Default for Loader {
    fn default() -> Self {
        Self { sources: Sources::default(), findings: Vec::new(), layers: Vec::new(), complete: true }
    }
}

impl Loader {
    fn path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path);
        }
        let listed = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>());
        let mut files = match listed {
            Ok(files) => files,
            Err(error) => return self.unreadable(path, &substitute::reason(&error), "check the permissions"),
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml") && !file.is_dir());
        files.sort();
        if files.is_empty() {
            return self.unreadable(
                path,
                "the folder has no *.yaml file",
                "give a file, or a folder with *.yaml files",
            );
        }
        for file in files {
            self.file(&file);
        }
    }

    fn file(&mut self, path: &Path) {
        let mut bytes = Vec::new();
        // One byte more than allowed, so that the parser says what is wrong.
        let limit = yaml::MAX_BYTES as u64 + 1;
        let read = std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        let read = read.map(|_| match bytes.len() > yaml::MAX_BYTES {
            // It is refused for its size, whatever the cut does to its last character.
            true => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            false => String::from_utf8(bytes),
        });
        match read {
            Ok(Ok(text)) => self.text(path.to_owned(), &text),
            Ok(Err(_)) => self.unreadable(path, "it is not UTF-8 text", "save it as UTF-8"),
            Err(error) => self.unreadable(path, &substitute::reason(&error), "check the path given with --config"),
        }
    }

    fn text(&mut self, name: PathBuf, text: &str) {
        let file = self.sources.add(name, text.into());
        let Some(tree) = yaml::parse(text, &file, &mut self.findings) else {
            self.complete = false;
            return;
        };
        match tree.value {
            NodeValue::Map(_) | NodeValue::Null => self.layers.push(tree),
            _ => {
                self.complete = false;
                let message = format!("a configuration must be a map, not {}", tree.describe());
                self.findings.push(Diagnostic::error(codes::WRONG_TYPE, message, tree.origin, ""));
            }
        }
    }

    fn unreadable(&mut self, path: &Path, why: &str, help: &str) {
        self.complete = false;
        let origin = Origin::File { file: path.to_owned().into(), start: 0, end: 0 };
        let message = format!("cannot read `{}`: {why}", path.display());
        self.findings.push(Diagnostic::error(codes::UNREADABLE, message, origin, "").help(help));
    }
}
