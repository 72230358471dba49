//! Delivery: what happens between a receiver's `consume` and the last attempt of an exporter.
//!
//! Promises
//! - A batch is taken by every queue it must reach or by none ([`Transaction`](transaction)).
//! - `accepted = delivered + queued + discarded + rejected` holds for every pipeline and destination at any quiet
//!   moment ([`ledger`]).
//! - What waits is bounded in requests, items or bytes per queue, and in bytes over all ([`budget`]).
//!
//! Flow: [`intake`] walks the pipelines of a receiver on the caller's task, transforms inline, on through [`routing`]
//! into the pipelines chosen for each record, encodes once, and commits to the [`queue`]s. A [`sender`] per queue gathers
//! what waits into requests and repeats them by the [`retry`] policy. There is no task or channel between a receiver and
//! the queue.

pub mod attempts;
mod bisection;
pub mod budget;
mod circuit;
pub mod complaints;
pub mod direct;
mod dispatch;
pub mod durable;
pub mod entry;
mod finishing;
mod gathering;
pub mod intake;
pub mod ledger;
mod letters;
mod line;
pub mod pipeline;
pub mod queue;
pub mod retry;
pub mod routing;
pub mod sender;
mod settling;
pub mod shedding;
mod taken;
mod transaction;

#[cfg(test)]
mod tests;
