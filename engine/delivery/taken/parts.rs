//! Taking a request apart: into pieces of a size, into halves, by items.
//!
//! Promise: the pieces hold the same items in the same order, each with its account; the room is given back once.

use super::{Parts, Taken};
use crate::event::{OtlpRequest, otlp};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

impl Taken {
    /// Parts of at most so many items and bytes (0 is no limit), so that `batch.max_size` holds. One item that is
    /// larger than the limit stays whole.
    pub(in crate::delivery) fn split(self, max_items: usize, max_bytes: usize) -> SmallVec<[Self; 1]> {
        let over = |limit: usize, size: usize| limit != 0 && size > limit;
        if !over(max_items, self.request.items) && !over(max_bytes, self.request.bytes.len()) {
            return smallvec![self];
        }
        match otlp::split(&self.request, max_items, max_bytes) {
            Ok(requests) => self.divide(requests),
            // Not splittable means not OTLP inside; the sink will say so.
            Err(_) => smallvec![self],
        }
    }

    /// Itself as several requests that hold the same items in the same order.
    fn divide(mut self, requests: Vec<OtlpRequest>) -> SmallVec<[Self; 1]> {
        let mut owners = std::mem::take(&mut self.parts).into_iter();
        let mut current = owners.next();
        let mut taken = SmallVec::new();
        for request in requests {
            let mut parts = SmallVec::new();
            let mut missing = request.items;
            while missing > 0 {
                let Some((account, items)) = current.take() else { break };
                let some = items.min(missing);
                missing -= some;
                parts.push((Arc::clone(&account), some));
                current = if items > some { Some((account, items - some)) } else { owners.next() };
            }
            // The room of all goes with the first part: it is given back a little early, but exactly once.
            let units = std::mem::take(&mut self.units);
            let memory = std::mem::take(&mut self.memory);
            let (queue, settling, arrived) = (Arc::clone(&self.queue), self.settling.clone(), self.arrived);
            taken.push(Self { queue, request, parts, units, arrived, settling, memory });
        }
        taken
    }

    /// Its halves; itself when there is nothing to halve.
    pub(in crate::delivery) fn halves(self) -> SmallVec<[Self; 1]> {
        match self.request.items {
            0 | 1 => smallvec![self],
            items => self.split(items.div_ceil(2), 0),
        }
    }

    /// The record at this place alone (of metrics, the metric), and then what is left.
    pub(in crate::delivery) fn one_alone(self, at: usize) -> SmallVec<[Self; 3]> {
        let mut pieces = SmallVec::new();
        let (mut before, mut from) = (SmallVec::<[Self; 1]>::new(), self);
        if at > 0 {
            before = from.first_apart(at);
            // There is always one.
            let Some(last) = before.pop() else { return pieces };
            from = last;
        }
        pieces.extend(from.first_apart(1));
        pieces.extend(before);
        pieces
    }

    /// The first items, at most so many, and the rest if there is one.
    fn first_apart(self, items: usize) -> SmallVec<[Self; 1]> {
        match otlp::split_first(&self.request, items) {
            Ok(requests) if requests.len() > 1 => self.divide(requests),
            _ => smallvec![self],
        }
    }

    /// Takes out the items that `wanted` says, which are some and not all; the room that they hold stays with the others. `None`
    /// when it cannot be taken apart there: it is not readable, or a metric's points are on both sides.
    pub(super) fn take_out(&mut self, wanted: impl Fn(usize) -> bool) -> Option<Self> {
        let picked = otlp::pick(&self.request, &wanted).ok()?;
        let left = otlp::pick(&self.request, |item| !wanted(item)).ok()?;
        let count = (0..self.request.items).filter(|item| wanted(*item)).count();
        if (picked.items, left.items) != (count, self.request.items - count) {
            return None;
        }
        let (mut start, mut own, mut others) = (0, Parts::new(), Parts::new());
        for (account, items) in std::mem::take(&mut self.parts) {
            let range = start..start + items;
            start = range.end;
            let some = range.filter(|item| wanted(*item)).count();
            if some > 0 {
                own.push((Arc::clone(&account), some));
            }
            if items > some {
                others.push((account, items - some));
            }
        }
        (self.request, self.parts) = (left, others);
        Some(Self {
            queue: Arc::clone(&self.queue),
            request: picked,
            parts: own,
            units: 0,
            arrived: self.arrived,
            settling: self.settling.clone(),
            memory: 0,
        })
    }
}
