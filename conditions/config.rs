//! What users write: texts that are checked in the plan phase.

use crate::{Condition, Field, FieldList, Problem, Template};
use lanner_engine::config::PlanCx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A condition in Falco's language: `priority >= warning and k8s.ns.name = prod`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ConditionConfig(#[schemars(extend("format" = "condition"))] pub String);

/// The name of a field, Falco's or OpenTelemetry's: `proc.name`, `k8s.namespace.name`, `attr[team]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct FieldConfig(#[schemars(extend("format" = "field"))] pub String);

/// A text with fields in it, as Falco's outputs: `%proc.name on %k8s.pod.name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct TemplateConfig(#[schemars(extend("format" = "template"))] pub String);

macro_rules! compile {
    ($config:ident, $made:ident) => {
        impl $config {
            /// Compiles it and reports what is wrong at `path`, the place of the text in the component's body.
            pub fn compile(&self, path: &str, cx: &mut PlanCx<'_>) -> Option<$made> {
                report($made::parse(&self.0), path, cx)
            }
        }

        impl From<&str> for $config {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

compile!(ConditionConfig, Condition);
compile!(FieldConfig, Field);
compile!(TemplateConfig, Template);

impl FieldConfig {
    /// Compiles fields that are read together, and reports what is wrong at the place in the list at `path`.
    pub fn compile_list(fields: &[Self], path: &str, cx: &mut PlanCx<'_>) -> Option<FieldList> {
        let report = |problems: Vec<(usize, Problem)>| {
            problems.into_iter().for_each(|(place, problem)| cx.error(&format!("{path}[{place}]"), problem));
        };
        FieldList::parse(fields.iter().map(|field| field.0.as_str())).map_err(report).ok()
    }
}

fn report<T>(made: Result<T, Vec<Problem>>, path: &str, cx: &mut PlanCx<'_>) -> Option<T> {
    made.map_err(|problems| problems.into_iter().for_each(|problem| cx.error(path, problem))).ok()
}
