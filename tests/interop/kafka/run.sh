#!/usr/bin/env bash
# A real Apache Kafka between two Lanners, built with `kafka-tls`: Maven resolves the jars that pom.xml names, jars.sha256 checks them.
set -euo pipefail
cd "$(dirname "$0")"
missing=()
for tool in mvn c++ perl; do
  command -v $tool >/dev/null || missing+=("$tool")
done
version="$(java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = //p')" || true
if [ "${version%%.*}" -lt 17 ] 2>/dev/null || [ -z "$version" ]; then
  echo "SKIPPED: kafka: Java 17 is not installed"
  exit 0
elif [ ${#missing[@]} -gt 0 ]; then
  echo "SKIPPED: kafka: not installed: ${missing[*]}"
  # Where Java is present it must run.
  [ -z "${CI:-}" ]
  exit
fi
target="$(realpath -m "${CARGO_TARGET_DIR:-../../../target}")"
jars="$target/interop/kafka"
checked() { (cd "$jars" && [ "$(ls | wc -l)" = "$(wc -l <"$1")" ] && sha256sum --check --quiet "$1"); }
if ! checked "$PWD/jars.sha256" 2>/dev/null; then
  rm -rf "$jars"
  start=$SECONDS
  mvn --quiet --batch-mode --strict-checksums dependency:copy-dependencies -DoutputDirectory="$jars"
  checked "$PWD/jars.sha256" || { echo "kafka: the jars are not those of jars.sha256" >&2; exit 1; }
  echo "kafka: jars resolved in $((SECONDS - start)) s, $(du -m "$jars" | cut -f1) MB"
fi
cd ../../..
start=$SECONDS
# As `make test` builds, so that only what sees the feature is built here.
cargo test --workspace --locked --features kafka-tls --test interop --no-run
echo "kafka: built in $((SECONDS - start)) s"
KAFKA_JARS="$jars" LANNER_BINARY="$target/debug/lanner" \
  cargo test --workspace --locked --features kafka-tls --test interop -- kafka:: --nocapture --test-threads=1
