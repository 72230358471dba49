#!/usr/bin/env bash
# install.sh SET...: installs what is missing of a set of Debian packages, as root or with sudo, and says so.
#   build  a C compiler (zstd, jemalloc and ring have C parts)
#   interop  a C++ compiler and perl, for Kafka's client with TLS (librdkafka and OpenSSL)
#   test   real counterparts: Docker Engine and its parts, Prometheus, Alertmanager, a NATS server, curl, strace, valgrind, a static busybox; a C++ compiler for libFuzzer
set -euo pipefail

# program:package
build=(cc:gcc make:make)
interop=(c++:g++ perl:perl)
test=(c++:g++ curl:curl dockerd:docker.io docker:docker.io containerd:containerd runc:runc busybox:busybox-static nats-server:nats-server
      prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager
      strace:strace tar:tar unshare:util-linux valgrind:valgrind)

missing=()
for set in "$@"; do
  declare -n wanted=$set
  for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair#*:}")
  done
done

if ! command -v cargo >/dev/null; then
  echo "install: Rust is missing; get it from https://rustup.rs (1.90 or newer)" >&2
  exit 1
fi
[ ${#missing[@]} -gt 0 ] || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if ! command -v apt-get >/dev/null; then
  echo "install: please install: ${missing[*]} (these are the names of the Debian packages)" >&2
  exit 1
fi
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
echo "install: apt-get install ${missing[*]}"
# Services of these packages are not started: the tests start what they need by hand.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
  "${sudo[@]}" chmod +x $policy
  trap '"${sudo[@]}" rm -f $policy' EXIT
fi
"${sudo[@]}" apt-get -o DPkg::Lock::Timeout=300 update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
