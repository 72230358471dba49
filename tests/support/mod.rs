//! What end-to-end tests share: the binary as a process, a Falco, OTLP sinks, real Docker and Prometheus, the sample data,
//! and what the fault suite breaks things with and judges by.

#![allow(dead_code, reason = "each test uses a part")]

pub mod alertmanager;
pub mod connection;
pub mod curl;
pub mod data;
pub mod dockerd;
pub mod falco;
pub mod fault_proxy;
pub mod http_sink;
pub mod lanner;
pub mod load;
pub mod oracle;
pub mod oracle_sink;
pub mod otlp_sink;
pub mod port;
pub mod prometheus;
pub mod request_sink;
pub mod scraped;
pub mod storm;
pub mod strace;
pub mod surroundings;
pub mod wait;
