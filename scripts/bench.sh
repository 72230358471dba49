#!/bin/sh
# Measures what an event costs Lanner beside a bare HTTP server; see docs/performance.md and bench/src/main.rs.
#   scripts/bench.sh                        every target beside its reference
#   scripts/bench.sh scaling                how cost grows
#   scripts/bench.sh [scaling] --write docs the same, kept in docs/performance.md
# LANNER_BENCH_SECONDS: length of one measurement (default 5; 1 for a look, two minutes in all).
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
$cargo build --release --locked --package lanner --bin lanner --package lanner-bench --bin lanner-bench
target=${CARGO_TARGET_DIR:-target}
exec "$target/release/lanner-bench" --lanner "$target/release/lanner" --directory "$target" \
  --seconds "${LANNER_BENCH_SECONDS:-5}" "$@"
