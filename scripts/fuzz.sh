#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET...]]: builds the fuzz targets and runs each for so long (60 s), starting from fuzz/corpus and from
# what earlier runs found (fuzz/found). Needs no nightly: libFuzzer's counters are an LLVM pass that stable Rust has as well.
# An input that breaks a property is kept in fuzz/artifacts/TARGET; run it again with the program that is named below it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)

host=$(rustc -vV | sed -n 's/^host: //p')
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
# With --target, so that the flags do not reach build scripts and procedural macros, which have no libFuzzer to link.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$target_dir" --bins

failed=()
for target in "${targets[@]}"; do
  program=$target_dir/$host/release/$target
  mkdir -p "fuzz/artifacts/$target" "fuzz/found/$target"
  log=$target_dir/$target.log
  # Below every length at which our parsers start to cut; the parts of Docker's lines are 16 KiB alone.
  length=16384
  [ "$target" = docker_framing ] && length=70000
  echo "== fuzz $target, $seconds s"
  # Bounded in time, memory, length and time per input.
  if ! "$program" "fuzz/found/$target" "fuzz/corpus/$target" -dict="fuzz/dictionaries/$target.dict" \
      -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=10 -max_len=$length \
      -artifact_prefix="fuzz/artifacts/$target/" -print_final_stats=1 >"$log" 2>&1; then
    failed+=("$target")
    grep -vE '^(#|[[:space:]]*NEW_FUNC)' "$log" | tail -40
    echo "again: $program FILE (from fuzz/artifacts/$target)"
    continue
  fi
  # Without counters libFuzzer only guesses.
  grep -q 'Loaded 1 modules.*inline 8-bit counters' "$log" || { echo "$target has no coverage counters"; failed+=("$target"); }
  grep -E '^INFO: Loaded 1 modules|^#.*DONE|^stat::number_of_executed_units|^stat::peak_rss_mb' "$log"
done
[ ${#failed[@]} -eq 0 ] || { echo "fuzz: failed: ${failed[*]}" >&2; exit 1; }
