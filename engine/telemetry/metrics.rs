//! Own metrics for others: scraped at an address, or pushed over OTLP. Both read the same cells.
//!
//! Names are the Collector's, without `_total`, as its default has them.

use super::{
    cells::{MetricKind, Telemetry},
    config::{MetricsPlan, Pull},
    otlp, process,
};
use crate::{
    component::{BoxError, Drain},
    exposition::{self, Family, Format, Kind, Labels, Number, Point, Series},
    net::{HttpServer, Limits},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider as _},
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::sleep;

/// How soon a metric that is new (components are built after telemetry started) is exported too.
const LOOK_FOR_NEW: Duration = Duration::from_secs(1);

/// Opens the endpoint of one reader.
///
/// # Errors
/// The address is in use, and so on.
pub fn bind(pull: &Pull) -> Result<HttpServer, BoxError> {
    let limits = Limits { max_connections: 64, ..Limits::default() };
    HttpServer::bind(&pull.0, None, limits).map_err(|error| {
        let place = "service.telemetry.metrics.readers (`level: none` switches own metrics off)";
        format!("{error}; this is the address of {place}").into()
    })
}

/// Serves `/metrics` until drained.
pub async fn serve(server: HttpServer, telemetry: Telemetry, target: Labels, drain: Drain) {
    let target = Arc::new(target);
    let service = move |request: http::Request<_>| {
        let (telemetry, target) = (telemetry.clone(), Arc::clone(&target));
        async move { answer(&request, &telemetry, &target) }
    };
    server.serve(service, drain).await;
}

fn answer<B>(request: &http::Request<B>, telemetry: &Telemetry, target: &Labels) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, page(telemetry, target)),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(Format::Text.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn page(telemetry: &Telemetry, target: &Labels) -> String {
    let mut families = exposition::own_metrics(telemetry.snapshot());
    families.extend(process::families());
    let info = Series { labels: target.clone(), point: Point::Number(Number::Int(1)), timestamp_ms: None, created: 0 };
    families.push(Family {
        name: "target".into(),
        help: "Target metadata".into(),
        unit: String::new(),
        kind: Kind::Info,
        series: vec![info],
    });
    exposition::write(&families, Format::Text)
}

/// The SDK's view of the cells.
pub struct Instruments {
    provider: SdkMeterProvider,
    meter: Meter,
    telemetry: Telemetry,
    known: HashSet<&'static str>,
}

impl Instruments {
    /// Sends to every destination of `plan`; `None` when there is none.
    ///
    /// # Errors
    /// A destination cannot be set up.
    pub fn start(plan: &MetricsPlan, telemetry: Telemetry, resource: Resource) -> Result<Option<Self>, BoxError> {
        if plan.push.is_empty() {
            return Ok(None);
        }
        let mut provider = SdkMeterProvider::builder().with_resource(resource);
        for push in &plan.push {
            let reader = PeriodicReader::builder(otlp::metrics(&push.otlp)?).with_interval(push.interval).build();
            provider = provider.with_reader(reader);
        }
        let provider = provider.build();
        let meter = provider.meter("lanner");
        register_process(&meter);
        let mut instruments = Self { provider, meter, telemetry, known: HashSet::new() };
        instruments.look_for_new();
        Ok(Some(instruments))
    }

    /// The provider, for its end.
    pub fn provider(&self) -> SdkMeterProvider {
        self.provider.clone()
    }

    /// Registers metrics as they appear, until drained.
    pub async fn run(mut self, drain: Drain) {
        loop {
            tokio::select! {
                () = drain.requested() => break,
                () = sleep(LOOK_FOR_NEW) => self.look_for_new(),
            }
        }
        self.look_for_new();
    }

    fn look_for_new(&mut self) {
        for name in self.telemetry.names() {
            if self.known.insert(name)
                && let Some(metric) = self.telemetry.metric(name)
            {
                self.register(name, metric.kind, metric.help, metric.unit);
            }
            self.attach(name);
        }
    }

    /// Histograms tell their values themselves: the SDK has no instrument that reads them.
    fn attach(&self, name: &'static str) {
        let Some(metric) = self.telemetry.metric(name).filter(|metric| metric.kind == MetricKind::Histogram) else {
            return;
        };
        for (labels, histogram) in self.telemetry.histograms(name) {
            histogram.attach(|| {
                let builder = self.meter.f64_histogram(name).with_description(metric.help).with_unit(metric.unit);
                let instrument = builder.with_boundaries(histogram.bounds().to_vec()).build();
                let labels: Vec<_> = labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
                Box::new(move |value| instrument.record(value, &labels))
            });
        }
    }

    fn register(&self, name: &'static str, kind: MetricKind, help: &'static str, unit: &'static str) {
        let telemetry = self.telemetry.clone();
        let read = move |observe: &mut dyn FnMut(i64, &[KeyValue])| {
            let Some(metric) = telemetry.metric(name) else { return };
            for (labels, value) in metric.series {
                let labels: Vec<KeyValue> =
                    labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
                observe(value, &labels);
            }
        };
        // An observable instrument lives in the provider; the handle that `build` returns is not needed.
        match kind {
            MetricKind::Counter => {
                let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                    read(&mut |value, labels| observer.observe(u64::try_from(value).unwrap_or(0), labels));
                };
                let counter = self.meter.u64_observable_counter(name).with_description(help).with_unit(unit);
                let _ = counter.with_callback(callback).build();
            }
            MetricKind::Histogram => {}
            MetricKind::Gauge => {
                let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<i64>| {
                    read(&mut |value, labels| observer.observe(value, labels));
                };
                let gauge = self.meter.i64_observable_gauge(name).with_description(help).with_unit(unit);
                let _ = gauge.with_callback(callback).build();
            }
        }
    }
}

fn register_process(meter: &Meter) {
    for (name, help, unit, grows, _) in process::readings() {
        let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            if let Some(reading) = process::readings().into_iter().find(|reading| reading.0 == name) {
                observer.observe(reading.4, &[]);
            }
        };
        if grows {
            let counter = meter.f64_observable_counter(name).with_description(help).with_unit(unit);
            let _ = counter.with_callback(callback).build();
        } else {
            let gauge = meter.f64_observable_gauge(name).with_description(help).with_unit(unit);
            let _ = gauge.with_callback(callback).build();
        }
    }
}
