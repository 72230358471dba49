#!/usr/bin/env bash
# Lanner and programs that are not ours, in both directions: every run.sh below tests/interop, with LANNER_BINARY set.
# A script whose tools are missing says SKIPPED; one that fails makes this fail, after the others have run.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${LANNER_BINARY:-}" ]; then
  cargo build --release --locked
  LANNER_BINARY="$(realpath "${CARGO_TARGET_DIR:-target}")/release/lanner"
fi
export LANNER_BINARY

failed=()
for script in tests/interop/*/run.sh; do
  name="$(basename "$(dirname "$script")")"
  printf '\n== interop: %s\n' "$name"
  start=$SECONDS
  "$script" || failed+=("$name")
  echo "$name: $((SECONDS - start)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "interop: FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "interop: all passed"
