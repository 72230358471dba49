#!/usr/bin/env bash
# The OpenTelemetry SDK for Python sends to Lanner. Its packages go into a virtual environment beside the build.
set -euo pipefail
cd "$(dirname "$0")"
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "SKIPPED: python: Python 3.10 with venv and pip is not installed"
  exit 0
fi
venv="$(realpath -m "${CARGO_TARGET_DIR:-../../../target}")/interop/python"
if ! cmp -s requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt "$venv/"
fi
cd ../../..
PYTHON="$venv/bin/python" cargo test --locked -p lanner --test interop -- python:: --nocapture --test-threads=1
