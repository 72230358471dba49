//! The Falco rules language.
//!
//! Conditions ([`language`]) are compiled against a schema of fields ([`schema`], [`compile`]) and evaluated over
//! anything that has such fields ([`evaluate`]). Rule files ([`mod@file`]) become a [`ruleset`]; output templates
//! ([`output`]) become messages. [`audit`] has the fields of Kubernetes audit events, [`alert`] those of
//! Falco's alerts and how alerts are written. The crate knows nothing of the
//! engine: it works on bytes. The README has an example and the deviations from Falco.

pub mod alert;
pub mod audit;
pub mod builtin;
pub mod compile;
pub mod evaluate;
pub mod file;
pub mod generic;
pub mod language;
pub mod output;
pub mod priority;
pub mod ruleset;
pub mod schema;
pub mod syscall;

#[cfg(doctest)]
#[doc = include_str!("README.md")]
struct Readme;
