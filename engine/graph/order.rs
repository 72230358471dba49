//! The order of what lies between receivers and exporters: each pipeline and connector after all that feed it.
//!
//! Stopping in this order loses nothing, because what a stage flushes finds everything behind it still at work;
//! building goes the other way round, because a router needs the pipelines behind it.

use super::plan::PipelineNode;
use crate::component::ComponentId;
use std::collections::HashMap;

/// A pipeline, by its number in the plan, or a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Station<'a> {
    Pipeline(usize),
    Connector(&'a ComponentId),
}

/// Every pipeline and connector once, else in the order given. The plan has no circles.
pub(super) fn in_order<'a>(pipelines: &[PipelineNode], connectors: &[&'a ComponentId]) -> Vec<Station<'a>> {
    let numbered = connectors.iter().enumerate().map(|(index, id)| (*id, pipelines.len() + index));
    let number: HashMap<&ComponentId, usize> = numbered.collect();
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); pipelines.len() + connectors.len()];
    let mut feeders = vec![0_usize; behind.len()];
    for (index, pipeline) in pipelines.iter().enumerate() {
        for to in pipeline.exporters.iter().filter_map(|id| number.get(id)) {
            behind[index].push(*to);
            feeders[*to] += 1;
        }
        for from in pipeline.receivers.iter().filter_map(|id| number.get(id)) {
            behind[*from].push(index);
            feeders[index] += 1;
        }
    }
    let mut order: Vec<usize> = (0..behind.len()).filter(|station| feeders[*station] == 0).collect();
    let mut next = 0;
    while let Some(station) = order.get(next).copied() {
        next += 1;
        for to in &behind[station] {
            feeders[*to] -= 1;
            if feeders[*to] == 0 {
                order.push(*to);
            }
        }
    }
    let station = |number: usize| match number.checked_sub(pipelines.len()) {
        None => Station::Pipeline(number),
        Some(index) => Station::Connector(connectors[index]),
    };
    order.into_iter().map(station).collect()
}
