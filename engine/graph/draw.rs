//! Pictures of the pipelines: mermaid for documents, dot for Graphviz, ascii for the terminal.
//!
//! Drawn from a document, not from a plan, so that a configuration with warnings, or with errors elsewhere, can be
//! looked at. Ids are the user's text: they only ever stand inside quotes.

use crate::{
    component::{ComponentId, Kind},
    config::{Document, PipelineEntry, Reference},
};
use std::{collections::HashMap, fmt::Write as _, str::FromStr};

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Mermaid,
    Dot,
    Ascii,
}

/// Not the name of a format.
#[derive(Clone, Debug, thiserror::Error)]
#[error("unknown format `{0}`; write mermaid, dot or ascii")]
pub struct UnknownFormat(String);

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mermaid, Self::Dot, Self::Ascii];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
            Self::Ascii => "ascii",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// Draws the pipelines of a document.
pub fn draw(document: &Document, format: Format) -> String {
    match format {
        Format::Mermaid => mermaid(&Picture::of(document)),
        Format::Dot => dot(&Picture::of(document)),
        Format::Ascii => {
            document.pipelines.iter().map(|pipeline| ascii(document, pipeline)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Boxes and arrows.
struct Picture<'a> {
    /// Name in the drawing, label, kind.
    shared: Vec<(String, &'a str, Kind)>,
    /// Pipelines with their processors.
    pipelines: Vec<(&'a str, Vec<(String, &'a str)>)>,
    edges: Vec<(String, String)>,
}

impl<'a> Picture<'a> {
    fn of(document: &'a Document) -> Self {
        let mut picture = Self { shared: Vec::new(), pipelines: Vec::new(), edges: Vec::new() };
        let mut names = HashMap::new();
        for (number, pipeline) in document.pipelines.iter().enumerate() {
            let processors: Vec<(String, &str)> = pipeline
                .processors
                .iter()
                .enumerate()
                .map(|(index, used)| (format!("p{number}_{index}"), used.id.as_str()))
                .collect();
            let sources = picture.boxes(document, &pipeline.receivers, Kind::Receiver, &mut names);
            let sinks = picture.boxes(document, &pipeline.exporters, Kind::Exporter, &mut names);
            let steps = processors.iter().map(|(name, _)| vec![name.clone()]);
            let stations: Vec<Vec<String>> = std::iter::once(sources)
                .chain(steps)
                .chain(std::iter::once(sinks))
                .filter(|names| !names.is_empty())
                .collect();
            for (from, to) in stations.iter().zip(stations.iter().skip(1)) {
                let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone())));
                picture.edges.extend(pairs);
            }
            picture.pipelines.push((pipeline.id.as_str(), processors));
        }
        picture
    }

    /// The boxes of a list, each drawn once in the whole picture.
    fn boxes(
        &mut self,
        document: &Document,
        list: &'a [Reference],
        kind: Kind,
        names: &mut HashMap<(Kind, &'a ComponentId), String>,
    ) -> Vec<String> {
        let mut drawn = Vec::new();
        for used in list {
            let connects =
                document.component(kind, &used.id).is_none() && document.component(Kind::Connector, &used.id).is_some();
            let kind = if connects { Kind::Connector } else { kind };
            let next = format!("{}{}", &kind.as_str()[..1], self.shared.len());
            let name = names.entry((kind, &used.id)).or_insert_with(|| {
                self.shared.push((next.clone(), used.id.as_str(), kind));
                next
            });
            if !drawn.contains(name) {
                drawn.push(name.clone());
            }
        }
        drawn
    }
}

fn mermaid(picture: &Picture<'_>) -> String {
    let quoted = |text: &str| text.replace('"', "#quot;");
    let mut out = String::from("flowchart LR\n");
    for (name, label, kind) in &picture.shared {
        let (open, close) = match kind {
            Kind::Receiver => ("([", "])"),
            Kind::Connector => ("{{", "}}"),
            _ => ("[(", ")]"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {name}{open}\"{}\"{close}", quoted(label));
    }
    for (number, (id, processors)) in picture.pipelines.iter().enumerate() {
        if processors.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  subgraph s{number} [\"{}\"]", quoted(id));
        for (name, label) in processors {
            let _ = writeln!(out, "    {name}[\"{}\"]", quoted(label));
        }
        out.push_str("  end\n");
    }
    for (from, to) in &picture.edges {
        let _ = writeln!(out, "  {from} --> {to}");
    }
    out
}

fn dot(picture: &Picture<'_>) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from("digraph pipelines {\n  rankdir=LR;\n  node [shape=box];\n");
    for (name, label, kind) in &picture.shared {
        let shape = match kind {
            Kind::Receiver => "ellipse",
            Kind::Connector => "hexagon",
            _ => "cylinder",
        };
        let _ = writeln!(out, "  {name} [label=\"{}\", shape={shape}];", quoted(label));
    }
    for (number, (id, processors)) in picture.pipelines.iter().enumerate() {
        if processors.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label=\"{}\";", quoted(id));
        for (name, label) in processors {
            let _ = writeln!(out, "    {name} [label=\"{}\"];", quoted(label));
        }
        out.push_str("  }\n");
    }
    for (from, to) in &picture.edges {
        let _ = writeln!(out, "  {from} -> {to};");
    }
    out.push_str("}\n");
    out
}

/// One pipeline: receivers on the left, exporters on the right, each below the other.
fn ascii(document: &Document, pipeline: &PipelineEntry) -> String {
    let label = |used: &Reference, kind: Kind| {
        let connects =
            document.component(kind, &used.id).is_none() && document.component(Kind::Connector, &used.id).is_some();
        if !connects {
            return used.id.to_string();
        }
        let there = |other: &&PipelineEntry| {
            let list = if kind == Kind::Receiver { &other.exporters } else { &other.receivers };
            list.iter().any(|reference| reference.id == used.id)
        };
        let others: Vec<&str> = document.pipelines.iter().filter(there).map(|other| other.id.as_str()).collect();
        let arrow = if kind == Kind::Receiver { "<=" } else { "=>" };
        format!("{} ({arrow} {})", used.id, others.join(", "))
    };
    let sources: Vec<String> = pipeline.receivers.iter().map(|used| label(used, Kind::Receiver)).collect();
    let sinks: Vec<String> = pipeline.exporters.iter().map(|used| label(used, Kind::Exporter)).collect();
    let steps: String = pipeline.processors.iter().map(|used| format!("--> {} ", used.id)).collect();
    let steps = if steps.is_empty() { steps } else { format!("{steps}--+") };
    let width = sources.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{}\n", pipeline.id);
    for row in 0..sources.len().max(sinks.len()).max(1) {
        let mut line = match sources.get(row) {
            Some(name) => format!("  {name:<width$} --+"),
            None => " ".repeat(width + 6),
        };
        match (row, sinks.get(row)) {
            (0, _) => line.push_str(&steps),
            (_, None) => {}
            (_, Some(_)) if steps.is_empty() => {
                line.truncate(line.len() - 1);
                line.push('+');
            }
            (_, Some(_)) => {
                line.push_str(&" ".repeat(steps.chars().count() - 1));
                line.push('+');
            }
        }
        if let Some(name) = sinks.get(row) {
            let _ = write!(line, "--> {name}");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
