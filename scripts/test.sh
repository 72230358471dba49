#!/usr/bin/env bash
# Everything that must hold: formatting, lints, instruction counts, unit, property and end-to-end tests, every YAML of the project,
# and a short run of every fuzz target.
set -euo pipefail
cd "$(dirname "$0")/.."
# dockerd and friends live in sbin, which is not on everybody's path.
export PATH="$PATH:/usr/sbin:/sbin"

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
# The fuzz targets have a lock file of their own, which a new dependency leaves behind: better known now than at the end.
cargo metadata --locked --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null
step "lints"
# `interop` is no test that runs by itself, so it has to be named.
cargo clippy --workspace --all-targets --test interop --locked -- -D warnings
step "release build"
# With the program of the next step, so that what both need is built once.
cargo build --release --locked --package lanner --package lanner-instructions
step "instruction counts"
"${CARGO_TARGET_DIR:-target}/release/lanner-instructions"
step "tests"
# End-to-end tests run the release build: what users run, and fast enough for their load. `make test-faults` has those of
# the modules `nightly` (docs/faults.md).
LANNER_BINARY="$(realpath "${CARGO_TARGET_DIR:-target}")/release/lanner" \
  cargo test --workspace --locked -- --skip nightly::
step "kafka, which is behind a feature"
# The features are those of the whole workspace, so that nothing is built anew that does not see this one.
cargo clippy --workspace --all-targets --locked --features kafka -- -D warnings
# Its own tests, and those that look at every component of a crate.
cargo test --workspace --locked --features kafka --lib -- \
  kafka readme_tables_are_current every_receiver_is_a_subject the_table_shown_to_users_is_current
step "fuzz targets, a short run each"
scripts/fuzz.sh 10
step "all passed"
