//! Every receiver of this crate against the conformance kit of the engine; a file each.

mod docker_logs;
mod falco_http;
mod generator;
mod k8s_audit;
mod otlp;

/// `depth` opening brackets and as many closing ones around nothing.
fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}
