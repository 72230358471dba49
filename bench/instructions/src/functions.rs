//! The hot functions, each with what it works on: made in code, the same in every run.

use crate::{
    Error,
    http::{self, Client},
    pipeline::{self, Pipeline},
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use lanner_bench::payload::{alerts, audit};
use lanner_engine::{
    event::{
        Batch, Logs, OtlpRequest, Signal,
        otlp::{self, EncodedScope},
    },
    semantics::{FalcoMapper, MappingOptions, falco},
};
use lanner_queue::{Append, Limits, Log, Options, QueueOptions};
use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Runtime;

/// Falco's own rules for audit events, beside the project.
const OFFICIAL_RULES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/k8saudit/rules/k8s_audit_rules.yaml");
/// When the alerts were received.
const OBSERVED: u64 = 1_795_341_600_000_000_000;

/// One thing that is done for every event.
pub struct Function {
    pub name: &'static str,
    pub what: &'static str,
    /// Events of a round; a request is the event where it is not looked into.
    pub events: u64,
    /// Rounds of the shorter of both processes: so many that what differs between starts does not count.
    pub rounds: u64,
    /// Whether what it runs on is here.
    pub is_possible: fn() -> bool,
    prepare: fn() -> Result<Round, Error>,
}

/// Does the function for every event of a round.
type Round = Box<dyn FnMut() -> Result<(), Error>>;

/// All of them, the longest ones first.
pub const ALL: &[Function] = &[
    Function {
        name: "audit_official_rules",
        what: "an EventList over HTTP through falco_rules with Falco's stock rules",
        events: 400,
        rounds: 4,
        is_possible: || Path::new(OFFICIAL_RULES).exists(),
        prepare: || audit_post(&format!("[falco_rules: {{rules_files: ['{OFFICIAL_RULES}'], reload_interval: 0s}}]")),
    },
    function("audit_rules", "an EventList over HTTP through falco_rules with Lanner's rules", 400, 4, || {
        audit_post("[falco_rules: {builtin: [k8s_audit]}]")
    }),
    function("audit_post", "an EventList of 400 over HTTP, split, mapped, encoded", 400, 4, || audit_post("[]")),
    function("falco_post", "an alert over HTTP, mapped, encoded, gathered in a queue", 200, 8, falco_post),
    function("webhook", "a record as Falco's JSON in a POST of its own", 100, 4, webhook),
    function("falco_encode", "an alert straight to OTLP", 200, 10, falco_encode),
    function("falco_records", "an alert to a record, the record to OTLP", 200, 10, falco_records),
    function("otlp_count", "counting the records of a request", 1000, 200, otlp_count),
    function("otlp_decode", "a request to records", 1000, 4, otlp_decode),
    function(
        "otlp_pipeline",
        "a request of a thousand records through a pipeline that does not look at it",
        1,
        50_000,
        otlp_pipeline,
    ),
    function("filter", "a request through a filter with a condition", 1000, 4, || {
        otlp_through("[filter: {condition: 'priority >= warning and not (k8s.ns.name = kube-system)'}]")
    }),
    function("attributes", "a request through an attribute that is inserted", 1000, 4, || {
        otlp_through("[attributes: {actions: [{key: team, action: insert, value: platform}]}]")
    }),
    function("redact", "a request through patterns over all texts", 1000, 4, || {
        otlp_through(r"[redact: {keys: ['user.*'], patterns: ['\b\d{4}-\d{4}-\d{4}-\d{4}\b']}]")
    }),
    function("aggregate", "a request of alerts into windows by rule and pod", 1000, 4, || {
        otlp_through("[aggregate: {group_by: [rule, k8s.ns.name], window: {size: 1h}}]")
    }),
    function("event_metrics", "an alert over HTTP into counters", 200, 8, event_metrics),
    function("queue_append", "an append to the log on disk, in groups of 32", 256, 40, queue_append),
];

const fn function(
    name: &'static str,
    what: &'static str,
    events: u64,
    rounds: u64,
    prepare: fn() -> Result<Round, Error>,
) -> Function {
    Function { name, what, events, rounds, is_possible: || true, prepare }
}

/// The function of this name.
pub fn find(name: &str) -> Result<&'static Function, Error> {
    let names = || ALL.iter().map(|function| function.name).collect::<Vec<_>>().join(", ");
    let found = ALL.iter().find(|function| function.name == name);
    found.ok_or_else(|| format!("there is no function `{name}`; there are {}", names()).into())
}

/// Does rounds of a function: what valgrind looks at.
pub fn run(name: &str, rounds: &str) -> Result<(), Error> {
    let rounds: u64 = rounds.parse()?;
    let mut round = (find(name)?.prepare)()?;
    (0..rounds).try_for_each(|_| round())
}

/// Requests with an alert each.
fn requests() -> Vec<Bytes> {
    alerts::single().into_iter().take(200).map(|request| request.bytes).collect()
}

/// Alerts.
fn bodies() -> Vec<Arc<str>> {
    let bodies = requests().into_iter().filter_map(|request| {
        let text = std::str::from_utf8(&request).ok()?;
        Some(text.split_once("\r\n\r\n")?.1.into())
    });
    bodies.collect()
}

fn mapper() -> FalcoMapper {
    FalcoMapper::new(&MappingOptions::default())
}

fn records(alerts: &[Arc<str>]) -> Logs {
    let (mapper, scope, mut logs) = (mapper(), falco::scope("lanner.receiver.falco"), Logs::default());
    alerts.iter().for_each(|alert| {
        mapper.map_body(alert, OBSERVED, &scope, &mut logs);
    });
    logs
}

/// An OTLP request of a thousand alerts.
fn otlp_request() -> OtlpRequest {
    let alerts = bodies();
    let alerts: Vec<Arc<str>> = alerts.iter().cycle().take(1000).cloned().collect();
    Batch::logs(records(&alerts)).to_otlp()
}

fn falco_encode() -> Result<Round, Error> {
    let (mapper, bodies) = (mapper(), bodies());
    let scope = EncodedScope::of(&falco::scope("lanner.receiver.falco"));
    Ok(Box::new(move || {
        for body in &bodies {
            black_box(mapper.encode_body(body, OBSERVED, &scope).ok_or("no alert")?);
        }
        Ok(())
    }))
}

fn falco_records() -> Result<Round, Error> {
    let (mapper, bodies, scope) = (mapper(), bodies(), falco::scope("lanner.receiver.falco"));
    Ok(Box::new(move || {
        for body in &bodies {
            let mut logs = Logs::default();
            mapper.map_body(body, OBSERVED, &scope, &mut logs);
            black_box(otlp::encode_logs(&logs));
        }
        Ok(())
    }))
}

fn otlp_count() -> Result<Round, Error> {
    let request = otlp_request();
    Ok(Box::new(move || {
        black_box(otlp::count_items(Signal::Logs, black_box(&request.bytes))?);
        Ok(())
    }))
}

fn otlp_decode() -> Result<Round, Error> {
    let request = otlp_request();
    Ok(Box::new(move || {
        black_box(otlp::decode_logs(&request.bytes)?);
        Ok(())
    }))
}

/// What runs a pipeline, and the pipeline.
fn start(yaml: &str) -> Result<(Runtime, Pipeline), Error> {
    let runtime = pipeline::runtime()?;
    let pipeline = runtime.block_on(Pipeline::start(yaml))?;
    Ok((runtime, pipeline))
}

/// A pipeline with these processors, as YAML: a list of one of them with its body, or of none.
fn yaml(receiver: &str, processors: &str, exporter: &str) -> String {
    let body = processors.trim_matches(['[', ']']);
    let name = body.split(':').next().unwrap_or_default();
    let receiver_name = receiver.split(':').next().unwrap_or_default();
    let exporter_name = exporter.split(':').next().unwrap_or_default();
    format!(
        "receivers:\n  {receiver}\nprocessors:\n  {body}\nexporters:\n  {exporter}\n\
         service: {{pipelines: {{logs: {{receivers: [{receiver_name}], processors: [{name}], \
         exporters: [{exporter_name}]}}}}}}\n"
    )
}

fn otlp_through(processors: &str) -> Result<Round, Error> {
    let (runtime, pipeline) = start(&yaml("entrance:", processors, "nothing:"))?;
    let request = otlp_request();
    Ok(Box::new(move || runtime.block_on(pipeline.consume(Batch::otlp(request.clone())))))
}

fn otlp_pipeline() -> Result<Round, Error> {
    let (runtime, pipeline) = start(&yaml("entrance:", "[]", "nothing:"))?;
    let (request, mut sent) = (otlp_request(), 0);
    Ok(Box::new(move || {
        runtime.block_on(async {
            pipeline.consume(Batch::otlp(request.clone())).await?;
            // Else it were chance how many of them the sender finds at once.
            sent += request.items;
            pipeline.wait_for(sent).await;
            Ok(())
        })
    }))
}

fn falco_post() -> Result<Round, Error> {
    let port = http::free_port()?;
    let queue = "{enabled: true, batch: {min_size: 100, flush_timeout: 1m}}";
    let exporter = format!("nothing: {{sending_queue: {queue}}}");
    let (runtime, pipeline) = start(&yaml(&format!("falco_http: {{endpoint: 'localhost:{port}'}}"), "[]", &exporter))?;
    let mut client = runtime.block_on(Client::connect(port))?;
    let (requests, mut sent) = (requests(), 0);
    Ok(Box::new(move || {
        runtime.block_on(async {
            for request in &requests {
                client.send(request).await?;
            }
            sent += requests.len();
            pipeline.wait_for(sent).await;
            Ok(())
        })
    }))
}

fn event_metrics() -> Result<Round, Error> {
    let port = http::free_port()?;
    let (runtime, _pipeline) = start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}\nconnectors: {{event_metrics: }}\n\
         exporters: {{nothing: }}\nservice:\n  pipelines:\n    logs: {{receivers: [falco_http], exporters: [event_metrics]}}\n    \
         metrics: {{receivers: [event_metrics], exporters: [nothing]}}\n"
    ))?;
    let mut client = runtime.block_on(Client::connect(port))?;
    let requests = requests();
    Ok(Box::new(move || {
        // Moved here, so that it lives as long as the rounds.
        let _ = &_pipeline;
        runtime.block_on(async {
            for request in &requests {
                client.send(request).await?;
            }
            Ok(())
        })
    }))
}

fn audit_post(processors: &str) -> Result<Round, Error> {
    let port = http::free_port()?;
    let (runtime, _pipeline) =
        start(&yaml(&format!("k8s_audit: {{endpoint: 'localhost:{port}'}}"), processors, "nothing:"))?;
    let mut client = runtime.block_on(Client::connect(port))?;
    let request = audit::lists(|_| Ok(true))?.swap_remove(0).bytes;
    Ok(Box::new(move || {
        let _ = &_pipeline;
        runtime.block_on(client.send(&request))
    }))
}

fn webhook() -> Result<Round, Error> {
    let runtime = pipeline::runtime()?;
    let port = runtime.block_on(http::serve())?;
    let exporter = format!("webhook: {{url: 'http://127.0.0.1:{port}/falco', allow_addresses: any}}");
    let pipeline = runtime.block_on(Pipeline::start(&yaml("entrance:", "[]", &exporter)))?;
    let mut alerts = bodies();
    alerts.truncate(100);
    let requests: Vec<OtlpRequest> =
        alerts.iter().map(|alert| Batch::logs(records(std::slice::from_ref(alert))).to_otlp()).collect();
    Ok(Box::new(move || {
        runtime.block_on(async {
            for request in &requests {
                pipeline.consume(Batch::otlp(request.clone())).await?;
            }
            Ok(())
        })
    }))
}

/// A new folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("lanner-instructions-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn queue_append() -> Result<Round, Error> {
    let (runtime, folder) = (pipeline::runtime()?, Folder::new()?);
    let (log, _) = runtime.block_on(Log::open(&folder.0, Options::default()))?;
    let queue = log.queue("instructions", QueueOptions::default())?;
    let payload = Bytes::from(vec![b'.'; 1024]);
    Ok(Box::new(move || {
        // Moved here, so that it lives as long as the rounds.
        let _ = &folder;
        runtime.block_on(async {
            for _ in 0..8 {
                let appends = (0..32).map(|_| log.append(Append::new().put(&queue, payload.clone())));
                try_join_all(appends).await?;
                queue.take(Limits { entries: 32, bytes: 0 }).into_iter().for_each(|entry| entry.settle());
            }
            Ok(())
        })
    }))
}
