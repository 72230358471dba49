#!/usr/bin/env bash
# What cargo runs in place of rustc (.cargo/config.toml): rustc, and for what is optimised, the profile of Lanner under load. See
# docs/performance.md.
#   LANNER_PROFILE=use     uses profile/VERSION.profdata, if there is one of this very compiler; so it is when nothing is said
#   LANNER_PROFILE=record  makes a program that records one
#   LANNER_PROFILE=none    does neither
set -euo pipefail
# In bash: other shells leave out what cargo says in variables with a dash in their names.
case " $* " in
  *" opt-level=3 "*) ;;
  *) exec "$@" ;;
esac
case "${LANNER_PROFILE:-use}" in
  record) exec "$@" -Cprofile-generate ;;
  none) exec "$@" ;;
  use) ;;
  *) echo "rustc.sh: LANNER_PROFILE is \`$LANNER_PROFILE\`; write \`record\`, \`none\` or \`use\`" >&2; exit 1 ;;
esac
# "rustc 1.95.0 (59807616e 2026-04-14)"; a profile says nothing to another compiler, and an older one cannot read it.
version=$("$1" --version)
version=${version#rustc }
profile=$(dirname "$0")/../profile/${version%% *}.profdata
if [ -f "$profile" ]; then
  exec "$@" "-Cprofile-use=$(realpath "$profile")"
fi
exec "$@"
