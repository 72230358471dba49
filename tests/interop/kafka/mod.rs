//! A real Apache Kafka between a Lanner with the exporter `kafka` and one with the receiver; `run.sh` resolves its jars and
//! builds Lanner with `kafka-tls`.

mod broker;
mod certificates;
mod encodings;
mod group;
mod kills;
mod lanners;
mod secure;
mod tools;
