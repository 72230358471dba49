#!/usr/bin/env bash
# The audit webhook client of a real kube-apiserver (k8s.io/apiserver) against Lanner: builds it with Go and runs it.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v go >/dev/null; then
  if [ -n "${CI:-}" ]; then
    echo "no Go toolchain; install golang-go" >&2
    exit 1
  fi
  echo "SKIPPED: no Go toolchain"
  exit 0
fi
: "${LANNER_BINARY:?set it to the lanner program}"
LANNER_BINARY="$(realpath "$LANNER_BINARY")"
export LANNER_BINARY

build="$(mktemp -d)"
trap 'rm -rf "$build"' EXIT
go build -mod=readonly -o "$build/apiserver" .
"$build/apiserver"
