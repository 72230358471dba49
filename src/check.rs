//! From the command line's configuration arguments to a checked plan: the same for `validate` and `run`.

use crate::quickstart;
use lanner_engine::{
    component::Registry,
    config::{self, Diagnostic, Document, Inputs, Loaded, Sources},
    graph,
};
use std::path::PathBuf;

/// Which configuration to use.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// A YAML file, or a folder of them; several are merged in order. Without one, the built-in quickstart.
    #[arg(short = 'c', long = "config", value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Overrides one value, after all files: exporters.otlp_grpc.endpoint=localhost:4317
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// A configuration and everything that was found about it.
pub struct Checked {
    pub document: Option<Document>,
    pub findings: Vec<Diagnostic>,
    pub sources: Sources,
}

impl ConfigArgs {
    /// Whether the built-in quickstart is meant.
    pub fn is_quickstart(&self) -> bool {
        self.files.is_empty()
    }

    /// Loads. Reads files and the environment, nothing else.
    pub fn load(&self) -> Loaded {
        let embedded = self.is_quickstart().then(|| (quickstart::NAME.to_owned(), quickstart::TEXT.to_owned()));
        let inputs =
            Inputs { embedded, files: self.files.clone(), env: Inputs::process_env(), sets: self.sets.clone() };
        config::load(&inputs)
    }

    /// Loads and checks. Reads files and the environment, nothing else.
    pub fn check(&self, registry: &Registry) -> Checked {
        let loaded = self.load();
        let (mut findings, sources) = (loaded.findings, loaded.sources);
        let Some(document) = loaded.document else {
            return Checked { document: None, findings, sources };
        };
        graph::plan(&document, registry, &mut findings);
        Checked { document: Some(document), findings, sources }
    }
}
