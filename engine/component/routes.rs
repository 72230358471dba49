//! `Route` and `Routes`: where a router sends a record.

use smallvec::SmallVec;

/// A pipeline that a connector routes to, as [`PlanCx::routes_to`](crate::config::PlanCx::routes_to) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub(crate) u32);

impl Route {
    /// Its number among the routes of the connector, from 0.
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// The pipelines that a record goes to, each once.
#[derive(Debug, Default)]
pub struct Routes(SmallVec<[Route; 4]>);

impl Routes {
    /// Sends the record to a pipeline; once is enough.
    pub fn add(&mut self, route: Route) {
        if !self.0.contains(&route) {
            self.0.push(route);
        }
    }

    /// Sends the record to several pipelines.
    pub fn extend(&mut self, routes: &[Route]) {
        routes.iter().for_each(|route| self.add(*route));
    }

    /// Keeps the routes for which `wanted` says yes.
    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(Route) -> bool) {
        self.0.retain(|route| wanted(*route));
    }

    pub(crate) fn as_slice(&self) -> &[Route] {
        &self.0
    }
}
