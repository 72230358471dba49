//! `PlanCx`: where a component's plan phase reports what it found.
//!
//! A config that does not fit its schema is decoded without the parts that are wrong, so that the component's own
//! checks report theirs in the same run; findings about a part that is known to be wrong are left out. Whoever
//! called the plan phase throws its result away when there was an error.

use super::{
    DeliveryDefaults, Diagnostic, ListenAddress, Node, Origin, Reference,
    check::{self, SchemaDoc},
    codes, decode,
    node::Path,
};
use crate::component::{ComponentId, Factory, Kind, PipelineId, Route};
use serde::de::DeserializeOwned;
use std::error::Error;

/// An address that something will listen on.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    pub address: ListenAddress,
    /// How messages call it: "receiver `falco_http`".
    pub who: String,
    pub origin: Origin,
    pub path: String,
}

/// An extension that a component keeps state in.
#[derive(Clone, Debug)]
pub(crate) struct StorageUse {
    pub extension: Reference,
    /// Where the component stands: `receivers::file_log`.
    pub place: String,
}

/// A pipeline that a connector routes to.
#[derive(Clone, Debug)]
pub(crate) struct RouteUse {
    pub pipeline: PipelineId,
    pub route: Route,
    pub at: Origin,
    pub path: String,
}

/// The pipelines of a connector's routes, in the order of their numbers.
pub(crate) fn route_pipelines(routes: &[RouteUse]) -> Vec<PipelineId> {
    let mut numbered: Vec<_> = routes.iter().map(|used| (used.route.0, &used.pipeline)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.dedup_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, pipeline)| pipeline.clone()).collect()
}

/// What a component wants of its surroundings.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub listens: Vec<Listening>,
    pub storages: Vec<StorageUse>,
    pub routes: Vec<RouteUse>,
}

/// Collects findings about one component. Paths are relative to the component's body: `tls.ca_file`, `items[2]`;
/// the empty path is the component itself.
pub struct PlanCx<'a> {
    pub(crate) body: &'a Node,
    pub(crate) findings: &'a mut Vec<Diagnostic>,
    pub(crate) claims: &'a mut Claims,
    pub(crate) kind: Kind,
    pub(crate) id: &'a ComponentId,
    /// Where the id was written.
    pub(crate) at: &'a Origin,
    pub(crate) schema: &'a SchemaDoc,
    pub(crate) delivery: Option<DeliveryDefaults>,
    /// Places that a finding was reported for.
    pub(crate) wrong: Vec<Path>,
    /// Items of lists that the component does not see, because something is wrong with them.
    pub(crate) left_out: Vec<Path>,
}

/// The engine's keys of an exporter.
pub(crate) const DELIVERY_KEYS: [&str; 3] = ["timeout", "retry_on_failure", "sending_queue"];

impl<'a> PlanCx<'a> {
    pub(crate) fn new(
        factory: &Factory,
        schema: &'a SchemaDoc,
        (id, at, body): (&'a ComponentId, &'a Origin, &'a Node),
        findings: &'a mut Vec<Diagnostic>,
        claims: &'a mut Claims,
    ) -> Self {
        let (kind, delivery) = (factory.kind, factory.delivery);
        Self { body, findings, claims, kind, id, at, schema, delivery, wrong: Vec::new(), left_out: Vec::new() }
    }

    /// A context that belongs to no file, for tests of plan phases.
    pub(crate) fn detached<T>(
        kind: Kind,
        body: &Node,
        findings: &mut Vec<Diagnostic>,
        plan: impl FnOnce(&mut PlanCx<'_>) -> T,
    ) -> T {
        let id = ComponentId::of_type("test");
        let schema = SchemaDoc::of_type::<()>();
        let at = Origin::Default;
        plan(&mut PlanCx {
            body,
            findings,
            claims: &mut Claims::default(),
            kind,
            id: &id,
            at: &at,
            schema: &schema,
            delivery: None,
            wrong: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// Reports an error at `path`.
    pub fn error(&mut self, path: &str, error: impl Error) {
        let (path, origin) = self.find(path);
        if !self.is_wrong(&path) {
            let (message, help) = remedy(&error);
            let finding = Diagnostic::error(codes::REFUSED, message, origin, self.whole_path(&path));
            self.findings.push(Diagnostic { help, ..finding });
        }
    }

    /// Reports a warning at `path`, unless something there or below is wrong: the warning may only follow from that.
    pub fn warning(&mut self, path: &str, warning: impl Error) {
        let (path, origin) = self.find(path);
        let whole_and_wrong = path.0.is_empty() && !self.wrong.is_empty();
        if !whole_and_wrong && !self.is_wrong(&path) {
            let (message, help) = remedy(&warning);
            let finding = Diagnostic::warning(codes::DOUBTFUL, message, origin, self.whole_path(&path));
            self.findings.push(Diagnostic { help, ..finding });
        }
    }

    /// Says that the component will listen on `address`, so that clashes are found before start.
    pub fn listens(&mut self, path: &str, address: &ListenAddress) {
        // The `tls` that belongs to an address stands beside it.
        let section = path.split('.').rev().skip(1).collect::<Vec<_>>();
        let section = section.iter().rev().try_fold(self.body, |node, key| node.get(key));
        let tls = section.and_then(|section| section.get("tls")).is_some_and(|tls| !tls.is_null());
        let (path, origin) = self.find(path);
        if self.is_wrong(&path) {
            return;
        }
        let path = self.whole_path(&path);
        let who = format!("{} `{}`", self.kind, self.id);
        if !address.0.ip().is_loopback() && !tls {
            let message = format!("{who} listens on {address} without TLS");
            let finding = Diagnostic::warning(codes::OPEN_DOOR, message, origin.clone(), &path);
            self.findings.push(finding.help("listen on localhost, or configure `tls`, or close the network around it"));
        }
        self.claims.listens.push(Listening { address: *address, who, origin, path });
    }

    /// Says that the component keeps state in the extension `id`, so that it is known to be there when
    /// [`BuildCx::storage`](crate::component::BuildCx::storage) asks for it.
    pub fn storage(&mut self, path: &str, id: &ComponentId) {
        let (path, at) = self.find(path);
        if self.is_wrong(&path) {
            return;
        }
        let extension = Reference { id: id.clone(), at, path: self.whole_path(&path) };
        let place = format!("{}::{}", self.kind.section(), self.id);
        self.claims.storages.push(StorageUse { extension, place });
    }

    /// Says that the connector sends records to `pipeline`, so that it is known to be there and to list the connector.
    /// Equal pipelines have equal routes.
    pub fn routes_to(&mut self, path: &str, pipeline: &PipelineId) -> Route {
        let (path, at) = self.find(path);
        let known = &mut self.claims.routes;
        let same = known.iter().find(|used| used.pipeline == *pipeline).map(|used| used.route);
        // Numbered without a gap, in the order in which they come up.
        let route = same.unwrap_or_else(|| Route(known.iter().map(|used| used.route.0 + 1).max().unwrap_or(0)));
        if !self.is_wrong(&path) {
            let path = self.whole_path(&path);
            self.claims.routes.push(RouteUse { pipeline: pipeline.clone(), route, at, path });
        }
        route
    }

    /// Makes the typed config of a body, reporting every problem: unknown keys, wrong types, bad values.
    ///
    /// With problems it may still give a config, without the parts that are wrong, so that the caller's checks go
    /// on; the plan that comes of it is not used.
    pub fn decode<C: DeserializeOwned>(&mut self, body: &Node) -> Option<C> {
        let more: &[&str] = if self.delivery.is_some() { &DELIVERY_KEYS } else { &[] };
        let schema = self.schema;
        self.decode_with(body, &Path::default(), schema, more)
    }

    /// Decodes `part`, which stands at `prefix` of the body, against a schema.
    pub(crate) fn decode_with<C: DeserializeOwned>(
        &mut self,
        part: &Node,
        prefix: &Path,
        schema: &SchemaDoc,
        more_keys: &[&str],
    ) -> Option<C> {
        let whole = format!("{} `{}`", self.kind, self.id);
        let base = Path::of(&[self.kind.section(), self.id.as_str()]).join(prefix);
        let place = Section { whole: &whole, base: &base, at: self.at, schema, more_keys };
        let Decoded { config, wrong, left_out } = place.decode(part, self.findings);
        self.wrong.extend(wrong.into_iter().map(|path| prefix.join(&path)));
        self.left_out.extend(left_out.into_iter().map(|path| prefix.join(&path)));
        config
    }

    /// Resolves a path of the component's code.
    pub(crate) fn find(&self, path: &str) -> (Path, Origin) {
        let path = Path::parse(path, self.body, &self.left_out);
        let origin = path.origin_in(self.body, self.at);
        (path, origin)
    }

    pub(crate) fn is_wrong(&self, path: &Path) -> bool {
        !path.0.is_empty() && self.wrong.iter().any(|wrong| wrong.covers(path) || path.covers(wrong))
    }

    pub(crate) fn whole_path(&self, path: &Path) -> String {
        Path::of(&[self.kind.section(), self.id.as_str()]).join(path).to_string()
    }
}

/// A part of the file that has a schema.
pub(crate) struct Section<'a> {
    /// How messages call it: "exporter `debug`".
    pub whole: &'a str,
    /// Where it stands in the file.
    pub base: &'a Path,
    /// Where its key was written.
    pub at: &'a Origin,
    pub schema: &'a SchemaDoc,
    pub more_keys: &'a [&'a str],
}

/// What came of a part of the file.
pub(crate) struct Decoded<C> {
    pub config: Option<C>,
    /// Places that are wrong.
    pub wrong: Vec<Path>,
    /// Items of lists that are not in `config`.
    pub left_out: Vec<Path>,
}

impl Section<'_> {
    /// Checks and decodes.
    pub fn decode<C: DeserializeOwned>(&self, node: &Node, findings: &mut Vec<Diagnostic>) -> Decoded<C> {
        let checked = check::check(node, self.at, self.schema, self.whole, self.more_keys);
        let mut wrong = Vec::new();
        for problem in checked.problems {
            let path = self.base.join(&problem.path).to_string();
            let finding = Diagnostic::error(problem.code, problem.message, problem.origin, path);
            findings.push(Diagnostic { help: problem.help, ..finding });
            wrong.push(problem.path);
            wrong.extend(problem.meant);
        }
        let left_out = checked.left_out;
        let config = match decode::decode(&checked.node) {
            Ok(config) => Some(config),
            Err(error) => {
                // With problems already reported, an error here is most likely their consequence.
                if wrong.is_empty() {
                    let message = match error.path.0.is_empty() {
                        true => format!("{}: {error}", self.whole),
                        false => format!("`{}`: {error}", error.path),
                    };
                    let origin = error.path.origin_in(node, self.at);
                    let path = self.base.join(&error.path);
                    findings.push(Diagnostic::error(codes::UNDECODABLE, message, origin, path));
                    wrong.push(error.path);
                }
                None
            }
        };
        Decoded { config, wrong, left_out }
    }
}

/// Message and remedy of an error: our errors carry the remedy behind a semicolon.
fn remedy(error: &impl Error) -> (String, Option<String>) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    match text.split_once("; ") {
        Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
        None => (text, None),
    }
}
