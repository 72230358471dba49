#!/usr/bin/env bash
# Records what Lanner does under the load of the benchmark, and keeps it as the profile that release builds are optimised with
# (scripts/rustc.sh). For this machine's compiler, of which it needs the part `llvm-tools`. Takes some 10 minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
recorded=$target/recorded
# Of a function that never ran it is enough to know so where it is large; then it is made small. Those with fewer branches are
# left out: most of them are hardly code, and their names would be most of the profile.
large=50

rustup component add llvm-tools
host=$(rustc -vV | sed -n 's/^host: //p')
llvm_profdata=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
version=$(rustc --version | cut -d ' ' -f 2)

$cargo build --release --locked --package lanner-bench --bin lanner-bench
# Of these packages, so that libraries have the features, and with them the names, of other builds.
LANNER_PROFILE=record RUSTC_WRAPPER="$PWD/scripts/rustc.sh" CARGO_TARGET_DIR="$target/recording" \
  $cargo build --release --locked --package lanner --package lanner-instructions
rm -rf "$recorded"
# The targets count more: the others go to extremes (events of 64 KiB), beside which all else would look like nothing.
inputs=()
for scenarios in targets scaling sqlite; do
  case $scenarios in targets) command=() weight=50 ;; *) command=("$scenarios") weight=1 ;; esac
  # What it says of speed is that of a program that counts its every branch.
  LLVM_PROFILE_FILE="$recorded/$scenarios/%p.profraw" "$target/release/lanner-bench" "${command[@]}" \
    --lanner "$target/recording/release/lanner" --directory "$target" --seconds 1 --rounds 1 >/dev/null
  for file in "$recorded/$scenarios"/*; do inputs+=("--weighted-input=$weight,$file"); done
done
"$llvm_profdata" merge --text --output "$recorded/whole" "${inputs[@]}"
# Paragraphs: a name, a hash, the number of counters, the counters, and what calls and copies were about; comments between.
awk -v RS= -v ORS='\n\n' -v FS='\n' -v large="$large" '
  { ran = 0; lines = 0; counters = 0
    for (i = 1; i <= NF; i++) {
      if ($i ~ /^[#:]/) continue
      lines++
      if (lines == 3) counters = $i
      if (lines > 3 && lines <= 3 + counters && $i > 0) { ran = 1; break }
    }
    if (NR == 1 || ran || counters >= large) print }' "$recorded/whole" >"$recorded/kept"
"$llvm_profdata" merge --output "profile/$version.profdata" "$recorded/kept"
named=$(cat profile/*.profdata | sha256sum | cut -c 1-16)
sed -i "s/lanner_profile=\"[0-9a-f]*\"/lanner_profile=\"$named\"/" .cargo/config.toml
ls -l "profile/$version.profdata"
