//! The real Prometheus of [`super::prometheus`], for tests without a runtime of their own.

use super::prometheus::{PrometheusServer, available};
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// A running server.
pub struct Prometheus {
    // In this order: the process is killed before the runtime that watches it ends.
    server: PrometheusServer,
    runtime: Runtime,
}

impl Prometheus {
    /// A server that scrapes this port; `None`, with a note, where it is not installed.
    pub fn scraping(port: u16) -> Option<Self> {
        if !available("prometheus") {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(PrometheusServer::scraping(SocketAddr::from(([127, 0, 0, 1], port))));
        Some(Self { server, runtime })
    }

    /// The value of a query that gives one sample; 0 when it gives none.
    pub fn query(&self, query: &str) -> f64 {
        let rows = self.runtime.block_on(self.server.query(&format!("({query}) or vector(0)")));
        rows[0]["value"][1].as_str().unwrap().parse().unwrap()
    }
}
