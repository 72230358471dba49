//! Planning one component from a piece of YAML, for tests of components and for tools.

use super::{
    Diagnostic, Node, Origin, PlanCx, Sources,
    check::SchemaDoc,
    diagnostic,
    node::Path,
    plan_cx::{Claims, Decoded, Section, route_pipelines},
    render, yaml,
};
use crate::component::{ComponentId, Factory, PipelineId, Planned};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// What came of planning one component.
pub struct Trial {
    /// The plan; `None` when there is an error among the findings.
    pub planned: Option<Planned>,
    pub findings: Vec<Diagnostic>,
    /// The pipelines of a connector's routes, by their numbers.
    pub routes: Vec<PipelineId>,
    sources: Sources,
}

impl Trial {
    /// The findings as a user sees them, without colours.
    pub fn rendered(&self) -> String {
        render::human(&self.findings, &self.sources, false)
    }
}

/// Plans a component whose body is `yaml`, as `lanner validate` would.
pub fn plan_body(factory: &Factory, yaml: &str) -> Trial {
    let (mut sources, mut findings) = (Sources::default(), Vec::new());
    let file = sources.add("body.yaml".into(), yaml.into());
    let (mut planned, mut claims) = (None, Claims::default());
    if let Some(body) = yaml::parse(yaml, &file, &mut findings)
        && let Ok(id) = factory.type_name.parse::<ComponentId>()
    {
        let schema = SchemaDoc::of(factory.schema);
        let place = (&id, &body.origin.clone(), &body);
        planned = (factory.plan)(&body, &mut PlanCx::new(factory, &schema, place, &mut findings, &mut claims));
    }
    if diagnostic::has_errors(&findings) {
        planned = None;
    }
    diagnostic::sort(&mut findings);
    let routes = route_pipelines(&claims.routes);
    Trial { planned, findings, routes, sources }
}

/// Decodes a part of the file that belongs to no component, such as `service::telemetry`, reporting every problem
/// to `findings`. `path` is its place with `::` between keys. `None` when there was an error.
pub fn decode_section<C: DeserializeOwned + JsonSchema>(
    path: &str,
    node: &Node,
    findings: &mut Vec<Diagnostic>,
) -> Option<C> {
    let keys: Vec<&str> = path.split("::").collect();
    let (base, whole, at) = (Path::of(&keys), format!("`{path}`"), start(&node.origin));
    let section = Section { whole: &whole, base: &base, at: &at, schema: &SchemaDoc::of_type::<C>(), more_keys: &[] };
    let Decoded { config, wrong, .. } = section.decode(node, findings);
    config.filter(|_| wrong.is_empty())
}

/// The first character of a place, because a whole map cannot be pointed at.
fn start(origin: &Origin) -> Origin {
    match origin {
        Origin::File { file, start, .. } => Origin::File { file: file.clone(), start: *start, end: start + 1 },
        other => other.clone(),
    }
}
