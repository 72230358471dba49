//! Circles: pipelines that feed themselves through connectors.
//!
//! Pipelines and connectors are the nodes of one graph, which is walked depth first without recursion: its size is
//! the user's. Every edge back to a node on the way is a circle, and each circle is reported once.

use super::Planner;
use crate::{
    component::Kind,
    config::{Diagnostic, PipelineEntry, Reference, codes},
};
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    OnTheWay,
    Done,
}

impl Planner<'_> {
    pub(super) fn circles(&mut self) {
        let pipelines = &self.document.pipelines;
        let connectors: Vec<_> = self.document.of_kind(Kind::Connector).map(|entry| &entry.id).collect();
        let number: HashMap<_, usize> =
            connectors.iter().enumerate().map(|(index, id)| (*id, pipelines.len() + index)).collect();
        let mut edges: Vec<Vec<usize>> = vec![Vec::new(); pipelines.len() + connectors.len()];
        for (index, pipeline) in pipelines.iter().enumerate() {
            let connector = |kind, reference: &Reference| {
                let role = self.role(kind, &reference.id);
                role.filter(|role| *role == Kind::Connector).and_then(|_| number.get(&reference.id).copied())
            };
            edges[index].extend(pipeline.exporters.iter().filter_map(|used| connector(Kind::Exporter, used)));
            for from in pipeline.receivers.iter().filter_map(|used| connector(Kind::Receiver, used)) {
                edges[from].push(index);
            }
        }
        let mut found = Vec::new();
        let mut visits = vec![Visit::New; edges.len()];
        for start in 0..edges.len() {
            let mut way: Vec<(usize, usize)> = Vec::new();
            if visits[start] == Visit::New {
                visits[start] = Visit::OnTheWay;
                way.push((start, 0));
            }
            while let Some((node, next)) = way.last_mut() {
                let Some(to) = edges[*node].get(*next).copied() else {
                    visits[*node] = Visit::Done;
                    way.pop();
                    continue;
                };
                *next += 1;
                match visits[to] {
                    Visit::New => {
                        visits[to] = Visit::OnTheWay;
                        way.push((to, 0));
                    }
                    Visit::OnTheWay => {
                        let circle = way.iter().map(|(node, _)| *node).skip_while(|node| *node != to);
                        found.push(circle.collect::<Vec<_>>());
                    }
                    Visit::Done => {}
                }
            }
        }
        for circle in found {
            self.circle(circle, pipelines.len());
        }
    }

    /// Reports a circle, beginning with a connector.
    fn circle(&mut self, mut circle: Vec<usize>, pipelines: usize) {
        let first = circle.iter().enumerate().filter(|(_, node)| **node >= pipelines).min_by_key(|(_, node)| **node);
        let Some((first, _)) = first else { return };
        circle.rotate_left(first);
        let pipeline = |node: usize| self.document.pipelines.get(node);
        let connector = |node: usize| {
            self.document.of_kind(Kind::Connector).nth(node.saturating_sub(pipelines)).map(|entry| &entry.id)
        };
        let mut words = Vec::new();
        for (index, node) in circle.iter().enumerate() {
            // Pipelines and connectors alternate around the circle.
            let before = circle[(index + circle.len() - 1) % circle.len()];
            let behind = circle[(index + 1) % circle.len()];
            match (pipeline(*node), connector(*node), pipeline(before), pipeline(behind)) {
                (Some(pipeline), ..) => words.push(inside(pipeline)),
                (None, Some(id), Some(before), Some(behind)) => {
                    words.push(format!("connector \"{id}\" ({} to {})", before.id.signal, behind.id.signal));
                }
                _ => return,
            }
        }
        words.extend(words.first().cloned());
        let (Some(id), Some(last)) = (connector(circle[0]), circle.last().and_then(|node| pipeline(*node))) else {
            return;
        };
        let Some(reference) = last.exporters.iter().find(|used| used.id == *id) else { return };
        let message = format!("cycle detected: {}", words.join(" -> "));
        let finding = Diagnostic::error(codes::CYCLE, message, reference.at.clone(), &reference.path);
        self.findings.push(finding.help("take one of these connectors out of the circle"));
    }
}

/// A pipeline on the way, by its processors.
fn inside(pipeline: &PipelineEntry) -> String {
    let processors: Vec<String> = pipeline
        .processors
        .iter()
        .map(|used| format!("processor \"{}\" in pipeline \"{}\"", used.id, pipeline.id))
        .collect();
    match processors.is_empty() {
        true => format!("pipeline \"{}\"", pipeline.id),
        false => processors.join(" -> "),
    }
}
