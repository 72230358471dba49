//! `prometheus` keeps the newest point of every series and lets Prometheus scrape them.
//!
//! Promises: every data point is stored, ignored as old, or rejected under a constant reason, and counted; memory
//! is bounded by `max_series`; a series is forgotten after `metric_expiration` whether or not anybody scrapes; a
//! scrape is answered in the format that was asked for and is valid whatever metrics came in.
//!
//! Export is a store into memory ([`store`]), so there is no queue in front and nothing to retry.

mod config;
mod store;
#[cfg(test)]
mod tests;

use bytes::Bytes;
pub use config::{Config, Plan, ResourceLabels};
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use lanner_engine::{
    exposition::{self, Format, otlp},
    net::{HttpServer, Limits, ServerCounters},
    prelude::*,
    telemetry::{Counter, Gauge},
};
use lanner_proto::collector::metrics::v1::ExportMetricsServiceRequest;
use parking_lot::Mutex;
use prost::Message as _;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use store::{REASONS, Store, Tally};
use tokio::time::Instant;

/// The component.
pub struct Prometheus;

impl Component for Prometheus {
    const TYPE: &'static str = "prometheus";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::METRICS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        cx.listens("endpoint", &config.endpoint);
        if let Some(tls) = &config.tls {
            tls.check("tls", cx);
        }
        config.check(&mut |path, error| cx.error(path, Finding(error)))
    }
}

/// A boxed error as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Finding(BoxError);

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        Ok(Box::new(Running::bind(*self, cx)?))
    }
}

/// The running exporter.
struct Running {
    page: Arc<Page>,
    options: otlp::Options,
    cells: Cells,
    /// Taken by `run`.
    server: Mutex<Option<HttpServer>>,
}

/// What a scrape reads.
struct Page {
    store: Mutex<Store>,
    timestamps: bool,
    open_metrics: bool,
    scrapes: Counter,
    merged: Gauge,
}

/// Own metrics. `stored + out_of_order + rejected` is what was exported.
struct Cells {
    stored: Counter,
    out_of_order: Counter,
    rejected: BTreeMap<&'static str, Counter>,
    expired: Counter,
    series: Gauge,
}

impl Cells {
    fn new(cx: &BuildCx) -> Self {
        let id = ("exporter", cx.id.as_str());
        let points = |outcome, reason| {
            let help = "Data points by what became of them.";
            let labels = [id, ("outcome", outcome), ("reason", reason)];
            let used = if outcome == "rejected" { &labels[..] } else { &labels[..2] };
            cx.telemetry.counter("lanner_prometheus_points", help, "{point}", used)
        };
        let expired = "Series forgotten because nothing came for metric_expiration.";
        Self {
            stored: points("stored", ""),
            out_of_order: points("out_of_order", ""),
            rejected: REASONS.into_iter().map(|reason| (reason, points("rejected", reason))).collect(),
            expired: cx.telemetry.counter("lanner_prometheus_expired_series", expired, "{series}", &[id]),
            series: cx.telemetry.gauge("lanner_prometheus_series", "Series held.", "{series}", &[id]),
        }
    }
}

impl Running {
    fn bind(plan: Plan, cx: &BuildCx) -> Result<Self, BoxError> {
        let id = ("exporter", cx.id.as_str());
        let tls = plan.tls.as_ref().map(|tls| tls.load(&[b"h2", b"http/1.1"])).transpose()?;
        // Scrapers are few, and each keeps one connection.
        let limits = Limits { max_connections: 64, ..Limits::default() };
        let server =
            cx.bind(&plan.endpoint, tls, limits)?.with_counters(ServerCounters::register(&cx.telemetry, &[id]));
        let merged = "Series that were merged in the last scrape because only their resources differ.";
        let page = Page {
            store: Mutex::new(Store::new(plan.max_series, plan.expiration)),
            timestamps: plan.send_timestamps,
            open_metrics: plan.open_metrics,
            scrapes: cx.telemetry.counter("lanner_prometheus_scrapes", "Scrapes answered.", "{scrape}", &[id]),
            merged: cx.telemetry.gauge("lanner_prometheus_merged_series", merged, "{series}", &[id]),
        };
        tracing::info!(endpoint = %server.local_addr().map_or(plan.endpoint.0, |found: SocketAddr| found), "metrics at /metrics");
        Ok(Self {
            page: Arc::new(page),
            options: plan.options,
            cells: Cells::new(cx),
            server: Mutex::new(Some(server)),
        })
    }

    fn count(&self, tally: Tally) -> Outcome {
        self.cells.stored.add(tally.stored as u64);
        self.cells.out_of_order.add(tally.out_of_order as u64);
        for (reason, points) in &tally.rejected {
            if let Some(cell) = self.cells.rejected.get(reason) {
                cell.add(*points as u64);
            }
        }
        let rejected: usize = tally.rejected.values().sum();
        match rejected {
            0 => Outcome::Delivered,
            _ => {
                let reasons: Vec<&str> = tally.rejected.into_keys().collect();
                Outcome::Partial { rejected, reason: reasons.join(", ") }
            }
        }
    }

    /// Forgets old series, often enough that none lives a tenth longer than it may.
    async fn expire(&self, expiration: Duration) {
        let pause = (expiration / 10).clamp(Duration::from_millis(100), Duration::from_secs(10));
        loop {
            tokio::time::sleep(pause).await;
            let mut store = self.page.store.lock();
            self.cells.expired.add(store.expire(Instant::now()) as u64);
            self.cells.series.set(i64::try_from(store.len()).unwrap_or(i64::MAX));
        }
    }
}

#[async_trait]
impl Exporter for Running {
    async fn export(&self, request: &Request) -> Outcome {
        let decoded = match ExportMetricsServiceRequest::decode(request.bytes().as_ref()) {
            Ok(decoded) => decoded,
            Err(error) => return Outcome::Reject { reason: format!("not an OTLP metrics request: {error}") },
        };
        let tally = {
            let mut store = self.page.store.lock();
            let mut writer = store.writer(Instant::now());
            otlp::read(&decoded, &self.options, &mut writer);
            let tally = writer.tally;
            self.cells.series.set(i64::try_from(store.len()).unwrap_or(i64::MAX));
            tally
        };
        self.count(tally)
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        let Some(server) = self.server.lock().take() else { return Ok(()) };
        let page = Arc::clone(&self.page);
        let expiration = page.store.lock().expiration();
        let service = move |request: http::Request<_>| {
            let page = Arc::clone(&page);
            async move { page.answer(&request) }
        };
        tokio::select! {
            () = server.serve(service, drain) => {}
            () = self.expire(expiration) => {}
        }
        Ok(())
    }
}

impl Page {
    fn answer<B>(&self, request: &http::Request<B>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            return reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "metrics are at /metrics\n".into());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "use GET\n".into());
            refusal.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = if self.open_metrics { Format::for_accept(accept) } else { Format::Text };
        self.scrapes.add(1);
        // Copied under the lock, written outside of it: exports never wait for formatting.
        let (families, merged) = self.store.lock().families(Instant::now(), self.timestamps);
        self.merged.set(i64::try_from(merged).unwrap_or(i64::MAX));
        reply(StatusCode::OK, format.content_type(), exposition::write(&families, format))
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
