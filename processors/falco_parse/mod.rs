//! `falco_parse` makes alerts of log records whose body is a Falco alert: JSON as a file tailer sends it, or the map that
//! an agent made of it.
//!
//! Promises: an alert becomes the record, with the id, that `falco_http` would have made of it; what upstream said about it
//! stays, as `lanner_engine::semantics::carried` tells; everything else passes byte for byte, and nothing is left out.

mod config;
#[cfg(test)]
mod tests;

use crate::carried::{Events, Parse};
use config::Config;
use lanner_engine::{
    prelude::*,
    semantics::{
        FalcoMapper,
        carried::{Event, Form, Reading},
        falco,
    },
};
use memchr::memmem::Finder;

/// The component type.
pub struct FalcoParse;

impl Component for FalcoParse {
    const TYPE: &'static str = "falco_parse";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Parse<Alerts>;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Self::Plan> {
        config.check(cx)
    }
}

/// Falco alerts in the records of other agents.
pub struct Alerts {
    mapper: FalcoMapper,
    words: [Finder<'static>; 2],
}

impl Alerts {
    fn new(mapper: FalcoMapper) -> Self {
        // The rarer word first.
        Self { mapper, words: [Finder::new("priority"), Finder::new("rule")] }
    }
}

impl Events for Alerts {
    fn words(&self) -> &[Finder<'static>] {
        &self.words
    }

    fn read(&self, _: &Resource, form: &Form<'_>, observed_unix_nano: u64) -> Reading<Event> {
        match self.mapper.map_carried(form, observed_unix_nano) {
            Reading::Event(mapped) => {
                Reading::Event(Event { resource: mapped.resource, record: mapped.record, degraded: mapped.degraded })
            }
            Reading::Damaged => Reading::Damaged,
            Reading::Foreign => Reading::Foreign,
        }
    }

    fn is_key(name: &str) -> bool {
        falco::is_key(name)
    }
}
