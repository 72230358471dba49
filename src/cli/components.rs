//! `lanner components`: what can be used in a configuration.

use super::{Outcome, print};
use lanner_engine::{
    component::{Factory, Kind, Registry},
    event::Signals,
};
use serde_json::{Value, json};
use std::{fmt::Write as _, process::ExitCode};

/// Lists the components of this program; with a name, shows its documentation
#[derive(clap::Args)]
pub struct Args {
    /// A component type, for example otlp_grpc
    name: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Args {
    pub fn run(&self, registry: &Registry) -> Outcome {
        let chosen: Vec<&Factory> = registry
            .all()
            .iter()
            .filter(|factory| {
                self.name.as_deref().is_none_or(|name| factory.type_name == name || factory.aliases.contains(&name))
            })
            .collect();
        if chosen.is_empty() {
            let name = self.name.as_deref().unwrap_or("");
            match registry.absent().find(|absent| absent.type_name == name) {
                Some(absent) => eprintln!("lanner: {}", absent.remedy()),
                None => eprintln!("lanner: no component is called `{name}`; see `lanner components`"),
            }
            return Ok(ExitCode::FAILURE);
        }
        match (self.format, &self.name) {
            (Format::Json, _) => {
                let rows: Vec<Value> = chosen.iter().map(|factory| as_json(factory)).collect();
                print(&format!("{:#}", Value::from(rows)))?;
            }
            (Format::Text, Some(_)) => {
                for factory in chosen {
                    print(factory.readme)?;
                }
            }
            (Format::Text, None) => print(&table(registry))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(registry: &Registry) -> String {
    let mut out = String::new();
    for kind in Kind::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", kind.section());
        for factory in registry.of_kind(kind) {
            let _ = writeln!(
                out,
                "  {:<16} {:<12} {}",
                factory.type_name,
                factory.stability.as_str(),
                signals_text(factory)
            );
        }
    }
    out
}

fn names(signals: Signals) -> Vec<&'static str> {
    signals.iter().map(|signal| signal.as_str()).collect()
}

fn signals_text(factory: &Factory) -> String {
    let takes = names(factory.signals).join(", ");
    match factory.kind {
        Kind::Connector => format!("{takes} -> {}", names(factory.produces).join(", ")),
        _ => takes,
    }
}

fn as_json(factory: &Factory) -> Value {
    let mut row = json!({
        "kind": factory.kind.as_str(),
        "type": factory.type_name,
        "aliases": factory.aliases,
        "stability": factory.stability.as_str(),
        "signals": names(factory.signals),
        "defaults": (factory.defaults)(),
    });
    if factory.kind == Kind::Connector {
        row["produces"] = names(factory.produces).into();
    }
    row
}
