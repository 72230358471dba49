//! Routing: a batch split among the pipelines that a router chooses for its records.
//!
//! Promises: every item goes to exactly the pipelines chosen for it, in the order of the batch, or is counted as
//! rejected when there are none; a batch that goes whole to a pipeline is not copied, and records that go to one
//! pipeline only are moved. It all happens in the transaction of the request, so a full queue behind one route refuses
//! the request for all of them.

use super::{
    ledger::{DestinationAccount, reason},
    pipeline::Pipeline,
    transaction::Transaction,
};
use crate::{
    component::{Refused, Router, Routes},
    event::{Batch, LogGroup, Logs, Signal},
};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// A router and the pipelines behind it.
pub struct Fork {
    pub router: Arc<dyn Router>,
    /// By the numbers of the routes.
    pub pipelines: Vec<(Signal, Arc<Pipeline>)>,
    /// What the pipeline in front of it gave to it.
    pub account: Arc<DestinationAccount>,
}

impl Fork {
    /// Walks a batch into the pipelines chosen for it. The plan has no circles, so neither has the walk.
    pub(super) fn walk<'g>(&'g self, mut batch: Batch, transaction: &mut Transaction<'g>) -> Result<(), Refused> {
        if self.router.reads_records() {
            batch.decode().map_err(|error| Refused::Invalid(error.to_string()))?;
        }
        let items = batch.len();
        let signals: SmallVec<[Signal; 8]> = self.pipelines.iter().map(|(signal, _)| *signal).collect();
        let Split { parts, unrouted } = split(&*self.router, batch, &signals);
        for ((_, pipeline), part) in self.pipelines.iter().zip(parts) {
            if let Some(part) = part {
                pipeline.walk(part, transaction)?;
            }
        }
        transaction.count(&self.account.delivered, items - unrouted);
        transaction.reject(&self.account, reason::NO_ROUTE, unrouted);
        Ok(())
    }
}

/// A batch by pipelines.
pub(crate) struct Split {
    /// What goes to each pipeline.
    pub parts: Vec<Option<Batch>>,
    /// How many items go to none.
    pub unrouted: usize,
}

/// Splits a batch among pipelines of the given signals, one for each route.
pub(crate) fn split(router: &dyn Router, batch: Batch, signals: &[Signal]) -> Split {
    let (signal, items) = (batch.signal(), batch.len());
    let mut counts: SmallVec<[usize; 8]> = smallvec![0; signals.len()];
    let (mut chosen, mut unrouted): (SmallVec<[Routes; 1]>, _) = (SmallVec::new(), 0);
    // What is left of the routes leads to one of the pipelines, so that their numbers can be used as an index.
    let mut count = |mut routes: Routes, items: usize| {
        routes.retain(|route| signals.get(route.number()) == Some(&signal));
        routes.as_slice().iter().for_each(|route| counts[route.number()] += items);
        if routes.as_slice().is_empty() {
            unrouted += items;
        }
        routes
    };
    match batch.as_logs().filter(|_| router.reads_records()) {
        Some(logs) => {
            for group in &logs.groups {
                for record in &group.records {
                    let mut routes = Routes::default();
                    router.route(&group.resource, record, &mut routes);
                    chosen.push(count(routes, 1));
                }
            }
        }
        None => {
            let mut routes = Routes::default();
            router.route_unread(&mut routes);
            count(routes, items);
        }
    }
    let whole = |count: usize| count == items && items > 0;
    let mut parts: Vec<Option<Batch>> = counts.iter().map(|count| whole(*count).then(|| batch.clone())).collect();
    if counts.iter().any(|count| *count > 0 && !whole(*count)) {
        chosen.iter_mut().for_each(|routes| routes.retain(|route| !whole(counts[route.number()])));
        for (part, logs) in parts.iter_mut().zip(deal(batch, &chosen, signals.len())) {
            if !logs.is_empty() {
                *part = Some(Batch::logs(logs));
            }
        }
    }
    Split { parts, unrouted }
}

/// Deals the records of a batch out to pipelines; the last of several gets the record itself.
fn deal(batch: Batch, chosen: &[Routes], pipelines: usize) -> Vec<Logs> {
    let mut dealt = vec![Logs::default(); pipelines];
    let (Ok(logs), mut chosen) = (batch.into_logs(), chosen.iter()) else { return dealt };
    for group in logs.groups {
        let mut hands: SmallVec<[Vec<_>; 8]> = smallvec![Vec::new(); pipelines];
        // The records are asked first: zip would otherwise take the routes of the next group's first record.
        for (record, routes) in group.records.into_iter().zip(&mut chosen) {
            if let Some((last, others)) = routes.as_slice().split_last() {
                for other in others {
                    hands[other.number()].push(record.clone());
                }
                hands[last.number()].push(record);
            }
        }
        for (logs, records) in dealt.iter_mut().zip(hands) {
            if !records.is_empty() {
                let (resource, scope) = (Arc::clone(&group.resource), Arc::clone(&group.scope));
                logs.groups.push(LogGroup { resource, scope, records });
            }
        }
    }
    dealt
}
