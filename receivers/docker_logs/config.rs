//! Configuration of `docker_logs`.

use super::{
    engine_api::{Endpoint, InvalidEndpoint},
    select::{Matchers, Selection},
};
use crate::formats::NonJson;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use lanner_engine::{prelude::*, semantics::MappingOptions};

/// What the user wrote.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The Docker daemon: `unix:///path` or `tcp://host:port` (no TLS). Unset: `DOCKER_HOST`, else
    /// `unix:///var/run/docker.sock`.
    pub endpoint: Option<String>,
    /// Containers to read: those that match any entry; without entries those whose name or image contains `falco`.
    pub include: Filter,
    /// Containers not to read although included. Lanner's own is never read.
    pub exclude: Filter,
    /// Which of the container's streams to read.
    #[schemars(length(min = 1))]
    pub streams: Vec<StreamName>,
    /// Where to start with containers that are there when Lanner starts (with a storage: starts for the first time);
    /// later ones are read from their beginning.
    pub start_at: StartAt,
    /// What to do with lines that are no Falco alert.
    pub non_json: NonJson,
    /// Container labels to add to plain lines as `container.label.<key>`.
    pub container_labels: Vec<String>,
    /// Most containers read at a time.
    #[schemars(range(min = 1, max = 1000))]
    pub max_containers: usize,
    /// How alerts become records.
    pub semantics: MappingOptions,
    /// Storage extension that keeps how far containers were read. Unset: a restart begins at `start_at` again.
    pub storage: Option<ComponentId>,
}

/// Containers by name, image or label. `*` and `?` match any characters, `[..]` a set, `{a,b}` either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Names, for example `falco` or `falco-*`.
    pub names: Vec<String>,
    /// Images, for example `*falcosecurity/falco:*`.
    pub images: Vec<String>,
    /// Labels, `key` or `key=value`; the value may hold wildcards.
    pub labels: Vec<String>,
}

/// A stream of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamName {
    /// Falco writes alerts here.
    Stdout,
    /// Falco's own messages, never alerts.
    Stderr,
}

/// Where to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// With what is written after the start of Lanner.
    #[default]
    End,
    /// With the oldest line the daemon still has, also of containers that have ended.
    Beginning,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            include: Filter::default(),
            exclude: Filter::default(),
            streams: vec![StreamName::Stdout],
            start_at: StartAt::End,
            non_json: NonJson::Skip,
            container_labels: Vec::new(),
            max_containers: 100,
            semantics: MappingOptions::default(),
            storage: None,
        }
    }
}

/// The checked form. [`super::Plan`] carries it to the build phase.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `None`: ask the environment.
    pub endpoint: Option<Endpoint>,
    pub selection: Selection,
    pub streams: Vec<crate::container::Stream>,
    pub start_at: StartAt,
    pub non_json: NonJson,
    pub container_labels: Vec<(String, Key)>,
    pub max_containers: usize,
    pub semantics: MappingOptions,
    pub storage: Option<ComponentId>,
}

impl Config {
    /// Checks everything and reports every problem through `error`, with the path of the key.
    pub fn check(self, mut error: impl FnMut(&str, Problem)) -> Option<Checked> {
        let mut valid = true;
        let mut report = |path: &str, problem: Problem| {
            valid = false;
            error(path, problem);
        };
        let endpoint = self.endpoint.as_deref().map(str::parse).transpose().unwrap_or_else(|invalid| {
            report("endpoint", Problem::Endpoint(invalid));
            None
        });
        let mut include = self.include;
        if include == Filter::default() {
            include.names.push("*falco*".to_owned());
            include.images.push("*falco*".to_owned());
        }
        let include = include.compile("include", &mut report);
        let exclude = self.exclude.compile("exclude", &mut report);
        let mut streams = Vec::new();
        for stream in self.streams {
            let stream = match stream {
                StreamName::Stdout => crate::container::Stream::Stdout,
                StreamName::Stderr => crate::container::Stream::Stderr,
            };
            if !streams.contains(&stream) {
                streams.push(stream);
            }
        }
        if streams.is_empty() {
            report("streams", Problem::NoStream);
        }
        if !(1..=1000).contains(&self.max_containers) {
            report("max_containers", Problem::MaxContainers(self.max_containers));
        }
        let label = |key: String| {
            let name = Key::intern(&format!("container.label.{key}"));
            (key, name)
        };
        valid.then(|| Checked {
            endpoint,
            selection: Selection { include, exclude, own: None },
            streams,
            start_at: self.start_at,
            non_json: self.non_json,
            container_labels: self.container_labels.into_iter().map(label).collect(),
            max_containers: self.max_containers,
            semantics: self.semantics,
            storage: self.storage,
        })
    }
}

impl Filter {
    fn compile(self, side: &str, report: &mut impl FnMut(&str, Problem)) -> Matchers {
        let names = globs(&format!("{side}.names"), &self.names, report);
        let images = globs(&format!("{side}.images"), &self.images, report);
        let mut labels = Vec::new();
        for (index, label) in self.labels.iter().enumerate() {
            let path = format!("{side}.labels[{index}]");
            let (key, value) = match label.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (label.as_str(), None),
            };
            if key.is_empty() {
                report(&path, Problem::Empty);
            } else {
                match value.map(glob).transpose() {
                    Ok(value) => labels.push((key.to_owned(), value.map(|value| value.compile_matcher()))),
                    Err(invalid) => report(&path, Problem::Pattern(invalid)),
                }
            }
        }
        Matchers { names, images, labels }
    }
}

fn globs(path: &str, patterns: &[String], report: &mut impl FnMut(&str, Problem)) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for (index, pattern) in patterns.iter().enumerate() {
        // Names start with a slash in the API, and some users write it.
        match glob(pattern.trim_start_matches('/')) {
            _ if pattern.is_empty() => report(&format!("{path}[{index}]"), Problem::Empty),
            Ok(glob) => {
                set.add(glob);
            }
            Err(invalid) => report(&format!("{path}[{index}]"), Problem::Pattern(invalid)),
        }
    }
    set.build().unwrap_or_else(|invalid| {
        report(path, Problem::Pattern(invalid));
        GlobSet::empty()
    })
}

fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(false).build()
}

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    #[error("not a pattern: {0}; write for example `falco-*`")]
    Pattern(globset::Error),
    #[error("an empty pattern matches nothing; write for example `falco-*`, or leave the entry out")]
    Empty,
    #[error("no stream to read; write `streams: [stdout]`")]
    NoStream,
    #[error("`max_containers` is {0}; choose 1 to 1000")]
    MaxContainers(usize),
}
