#!/bin/sh
# Measures what an event costs Lanner beside a bare HTTP server; see bench/src/main.rs.
# LANNER_BENCH_SECONDS: length of one measurement (default 5; 1 for a look, under half a minute in all).
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
$cargo build --release --locked --package lanner --bin lanner --package lanner-bench --bin lanner-bench
target=${CARGO_TARGET_DIR:-target}
exec "$target/release/lanner-bench" --lanner "$target/release/lanner" --seconds "${LANNER_BENCH_SECONDS:-5}" "$@"
