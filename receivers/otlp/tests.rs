//! A real receiver on real ports: tonic's clients for gRPC, reqwest for HTTP, bare hyper for what neither would send.

mod config;
mod door;
mod grpc;
mod http;
mod json;
mod partial;
mod secure;

use super::*;
