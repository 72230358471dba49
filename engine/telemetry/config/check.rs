//! From what was written to what was checked. Pure: opens nothing, resolves nothing.

use super::{LogEncoding, LogLevel, MetricsLevel, OtlpConfig, OtlpProtocol, Processor, TelemetryConfig};
use crate::config::{Diagnostic, ListenAddress, Listening, Node, Origin, Path, codes};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::Scheme};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A checked `service.telemetry`.
#[derive(Clone, Debug, Default)]
pub struct TelemetryPlan {
    pub logs: LogsPlan,
    /// `None`: off.
    pub metrics: Option<MetricsPlan>,
    pub traces: Vec<OtlpPlan>,
    /// What replaces or takes away the default resource attributes.
    pub resource: BTreeMap<String, Option<String>>,
}

/// Lanner's own log.
#[derive(Clone, Debug, Default)]
pub struct LogsPlan {
    pub level: LogLevel,
    pub encoding: LogEncoding,
    pub outputs: Vec<OutputPath>,
    pub initial_fields: BTreeMap<String, String>,
    pub otlp: Vec<OtlpPlan>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputPath {
    Stderr,
    Stdout,
    File(PathBuf),
}

/// Lanner's own metrics.
#[derive(Clone, Debug)]
pub struct MetricsPlan {
    pub pull: Vec<Pull>,
    pub push: Vec<Push>,
}

/// An address to be scraped at.
#[derive(Clone, Copy, Debug)]
pub struct Pull(pub ListenAddress);

/// A destination and how often it gets the metrics.
#[derive(Clone, Debug)]
pub struct Push {
    pub interval: Duration,
    pub otlp: OtlpPlan,
}

/// A checked OTLP destination.
#[derive(Clone, Debug)]
pub struct OtlpPlan {
    pub protocol: OtlpProtocol,
    /// Scheme and authority, and a path when one was written.
    pub endpoint: Uri,
    /// Values are marked sensitive.
    pub headers: HeaderMap,
}

#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("`{0}` is no OTLP endpoint; write a URL, for example http://localhost:4317")]
    Endpoint(String),
    #[error("`http/protobuf` with https is not available for Lanner's own telemetry; use `protocol: grpc`")]
    HttpsOverHttp,
    #[error("`{0}` is no header that can be sent; check name and value for blanks and line breaks")]
    Header(String),
    #[error("a reader is either `pull` or `periodic`; write one of them")]
    Reader,
    #[error("`interval` is {0}; it must be 1s or more")]
    Interval(crate::config::Duration),
    #[error("{0}")]
    Address(String),
    #[error("an output path is empty; write `stderr`, `stdout` or a file")]
    OutputPath,
}

/// Reports findings at their places.
struct Findings<'a> {
    node: &'a Node,
    findings: &'a mut Vec<Diagnostic>,
    listens: Vec<Listening>,
    sound: bool,
}

impl Findings<'_> {
    fn place(&self, path: &Path) -> (Origin, Path) {
        let origin = path.origin_in(self.node, &self.node.origin);
        (origin, Path::of(&["service", "telemetry"]).join(path))
    }

    fn error(&mut self, path: &Path, mistake: Mistake) {
        let (origin, whole) = self.place(path);
        self.findings.push(Diagnostic::error(codes::REFUSED, mistake.to_string(), origin, whole));
        self.sound = false;
    }

    /// The address to be scraped at, written at `path`.
    fn pull(&mut self, path: &Path, text: &str) -> Option<Pull> {
        match text.parse() {
            Ok(address) => {
                let (origin, whole) = self.place(path);
                let (who, path) = ("`service::telemetry`".to_owned(), whole.to_string());
                self.listens.push(Listening { address, who, origin, path });
                Some(Pull(address))
            }
            Err(error) => {
                self.error(path, Mistake::Address(format!("{error}")));
                None
            }
        }
    }
}

impl TelemetryConfig {
    /// Checks the section. `node` is where it was written. Addresses to be scraped at are added to `listens`. `None`
    /// when there was an error.
    pub(crate) fn check(
        self,
        node: &Node,
        findings: &mut Vec<Diagnostic>,
        listens: &mut Vec<Listening>,
    ) -> Option<TelemetryPlan> {
        let mut found = Findings { node, findings, listens: Vec::new(), sound: true };
        let logs = LogsPlan {
            level: self.logs.level,
            encoding: self.logs.encoding,
            outputs: outputs(&self.logs.output_paths, &mut found),
            initial_fields: self.logs.initial_fields.clone(),
            otlp: processors(&self.logs.processors, &Path::of(&["logs", "processors"]), &mut found),
        };
        let traces = processors(&self.traces.processors, &Path::of(&["traces", "processors"]), &mut found);
        let metrics = self.metrics(&mut found);
        let metrics = (self.metrics.level != MetricsLevel::None).then_some(metrics);
        if metrics.is_some() {
            listens.append(&mut found.listens);
        }
        found.sound.then_some(TelemetryPlan { logs, metrics, traces, resource: self.resource })
    }

    fn metrics(&self, found: &mut Findings<'_>) -> MetricsPlan {
        let mut plan = MetricsPlan { pull: Vec::new(), push: Vec::new() };
        if let Some(text) = &self.metrics.address {
            let path = Path::of(&["metrics", "address"]);
            let (origin, whole) = found.place(&path);
            let message = "`address` is the older spelling of a pull reader";
            let remedy = "write `readers: [{pull: {exporter: {prometheus: {host: localhost, port: 8888}}}}]`";
            found.findings.push(Diagnostic::warning(codes::DOUBTFUL, message, origin, whole).help(remedy));
            plan.pull.extend(found.pull(&path, text));
        }
        let readers = Path::of(&["metrics", "readers"]);
        // Beside `address` the default reader is not meant.
        let defaulted = found.node.get("metrics").is_none_or(|metrics| metrics.get("readers").is_none());
        let written = if self.metrics.address.is_some() && defaulted { &[][..] } else { &self.metrics.readers[..] };
        for (index, reader) in written.iter().enumerate() {
            let path = readers.index(index);
            match (&reader.pull, &reader.periodic) {
                (Some(pull), None) => {
                    let at = &pull.exporter.prometheus;
                    let host = if at.host.contains(':') { format!("[{}]", at.host) } else { at.host.clone() };
                    let path = path.key("pull").key("exporter").key("prometheus").key("port");
                    plan.pull.extend(found.pull(&path, &format!("{host}:{}", at.port)));
                }
                (None, Some(periodic)) => {
                    if periodic.interval.0 < Duration::from_secs(1) {
                        found.error(&path.key("periodic").key("interval"), Mistake::Interval(periodic.interval));
                    }
                    let place = path.key("periodic").key("exporter").key("otlp");
                    if let Some(otlp) = destination(&periodic.exporter.otlp, &place, found) {
                        plan.push.push(Push { interval: periodic.interval.0, otlp });
                    }
                }
                _ => found.error(&path, Mistake::Reader),
            }
        }
        plan
    }
}

fn outputs(paths: &[String], found: &mut Findings<'_>) -> Vec<OutputPath> {
    let mut outputs = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        outputs.push(match path.as_str() {
            "stderr" => OutputPath::Stderr,
            "stdout" => OutputPath::Stdout,
            "" => {
                found.error(&Path::of(&["logs", "output_paths"]).index(index), Mistake::OutputPath);
                continue;
            }
            file => OutputPath::File(file.into()),
        });
    }
    outputs
}

fn processors(written: &[Processor], path: &Path, found: &mut Findings<'_>) -> Vec<OtlpPlan> {
    let place = |index| path.index(index).key("batch").key("exporter").key("otlp");
    let plan = |(index, one): (usize, &Processor)| destination(&one.batch.exporter.otlp, &place(index), found);
    written.iter().enumerate().filter_map(plan).collect()
}

fn destination(config: &OtlpConfig, path: &Path, found: &mut Findings<'_>) -> Option<OtlpPlan> {
    let (protocol, before) = (config.protocol, found.sound);
    found.sound = true;
    let default = match protocol {
        OtlpProtocol::Grpc => "http://localhost:4317",
        OtlpProtocol::HttpProtobuf => "http://localhost:4318",
    };
    let written = config.endpoint.as_deref().unwrap_or(default);
    let scheme = if config.insecure { "http" } else { "https" };
    let url = if written.contains("://") { written.to_owned() } else { format!("{scheme}://{written}") };
    let endpoint = match url.parse::<Uri>() {
        Ok(uri) if [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme()) && uri.host().is_some() => {
            Some(uri)
        }
        _ => {
            found.error(&path.key("endpoint"), Mistake::Endpoint(written.to_owned()));
            None
        }
    };
    let https = endpoint.as_ref().is_some_and(|uri| uri.scheme() == Some(&Scheme::HTTPS));
    if https && protocol == OtlpProtocol::HttpProtobuf {
        found.error(&path.key("endpoint"), Mistake::HttpsOverHttp);
    }
    let mut headers = HeaderMap::new();
    for (index, header) in config.headers.iter().enumerate() {
        let parsed = (header.name.parse::<HeaderName>(), HeaderValue::from_str(header.value.expose()));
        match parsed {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => found.error(&path.key("headers").index(index), Mistake::Header(header.name.clone())),
        }
    }
    let sound = found.sound;
    found.sound = before && sound;
    endpoint.filter(|_| sound).map(|endpoint| OtlpPlan { protocol, endpoint, headers })
}
