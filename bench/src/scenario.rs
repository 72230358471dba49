//! What is measured: a peer, the load on it, and where its events arrive.

use crate::{Error, load::Load};
use std::{fmt, sync::Arc};

/// One measurement's description. A new one is a configuration and a load: see `catalogue.rs`.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub peer: Peer,
    pub load: Load,
    pub destination: Destination,
}

/// The program that is measured.
#[derive(Clone, Debug)]
pub enum Peer {
    /// The bare server of `floor.rs`.
    Floor,
    /// Lanner with this configuration. `$IN` stands for the address of its receiver, `$OUT` for that of the destination, `$DISK` for
    /// a folder of its own on the disk.
    Lanner(String),
}

/// Where events are counted.
#[derive(Clone)]
pub enum Destination {
    /// By the bare server, which is the peer.
    Peer,
    /// By an OTLP/gRPC sink.
    Otlp,
    /// By a bare server that takes webhooks, each request as an event.
    Webhook,
    /// By this counter on the page of metrics that Lanner serves.
    Page(&'static str),
    /// By something of its own.
    Own(Arc<dyn Fn() -> Result<u64, Error>>),
}

impl Scenario {
    /// Lanner with a pipeline for logs: receiver, processors and exporter, each with its keys, in YAML's flow form.
    pub fn logs(name: &str, load: Load, [receiver, processor, exporter]: [&str; 3], destination: Destination) -> Self {
        let name_of = |component: &str| component.split(':').next().unwrap_or_default().to_owned();
        let (extension, listed) = match exporter.contains("file_storage") {
            true => ("extensions: {file_storage: {directory: '$DISK'}}\n", "extensions: [file_storage], "),
            false => ("", ""),
        };
        let pipeline = format!(
            "{{receivers: [{}], processors: [{}], exporters: [{}]}}",
            name_of(receiver),
            name_of(processor),
            name_of(exporter)
        );
        let config = format!(
            "receivers: {{{receiver}}}\nprocessors: {{{processor}}}\nexporters: {{{exporter}}}\n{extension}\
             service: {{{listed}telemetry: {{metrics: {{level: none}}}}, pipelines: {{logs: {pipeline}}}}}\n"
        );
        Self { name: name.to_owned(), peer: Peer::Lanner(config), load, destination }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "peer",
            Self::Otlp => "OTLP/gRPC sink",
            Self::Webhook => "webhook sink",
            Self::Page(counter) => counter,
            Self::Own(_) => "own",
        })
    }
}
