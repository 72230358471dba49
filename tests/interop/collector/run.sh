#!/usr/bin/env bash
# Lanner between real OpenTelemetry Collectors, which are built here from their Go modules.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v go >/dev/null; then
  echo "SKIPPED: collector: Go is not installed"
  exit 0
fi
target="$(realpath -m "${CARGO_TARGET_DIR:-../../../target}")/interop"
mkdir -p "$target"
start=$SECONDS
# Go's own cache makes this a second when nothing has changed.
go build -mod=readonly -ldflags "-s -w" -o "$target/collector" .
echo "collector: built in $((SECONDS - start)) s, $(du -m "$target/collector" | cut -f1) MB"
cd ../../..
COLLECTOR_BINARY="$target/collector" \
  cargo test --locked -p lanner --test interop -- collector:: --nocapture --test-threads=1
