#!/usr/bin/env bash
# The whole fault suite (docs/faults.md), a quarter to half an hour: each test in its long form, and the queue's own tests
# with more cases and kills.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
cargo=${CARGO:-cargo}
$cargo build --release --locked
LANNER_BINARY="$(realpath "${CARGO_TARGET_DIR:-target}")/release/lanner"
export LANNER_BINARY LANNER_FAULTS=long LANNER_QUEUE_CASES=${LANNER_QUEUE_CASES:-5000} LANNER_QUEUE_KILLS=${LANNER_QUEUE_KILLS:-1000}
$cargo test --locked --test faults -- --nocapture --test-threads=2
# Those that live beside what they are about: reloads, and kills of the reader of container logs.
$cargo test --locked --test e2e -- --nocapture --test-threads=1 d16_ c2_
$cargo test --locked --package lanner-queue
