//! What end-to-end tests share: the binary as a process, a Falco, an OTLP sink, real Docker and Prometheus, the sample data.

#![allow(dead_code, reason = "each test uses a part")]

pub mod curl;
pub mod data;
pub mod dockerd;
pub mod falco;
pub mod lanner;
pub mod otlp_sink;
pub mod prometheus;
pub mod request_sink;
pub mod scraped;
pub mod wait;
