# Lanner. `make run` builds and runs the quickstart; `make test` installs what it misses and tests everything.

.PHONY: run build test test-faults test-interop fuzz bench instructions profile deps

CARGO ?= cargo
CONFIG ?= pipelines/quickstart.yaml

run: deps-build
	$(CARGO) run --release --locked -- run --config $(CONFIG)

build: deps-build
	$(CARGO) build --release --locked

test: deps
	scripts/test.sh

# Kills, full and failing disks, broken networks, attacks: docs/faults.md. `make test` has a share of it.
test-faults: deps
	scripts/faults.sh

# Real OpenTelemetry SDKs and Collectors, a kube-apiserver's client and Apache Kafka around Lanner; needs Go, Python with pip, Java
# and Maven, and says what it misses.
test-interop:
	scripts/install.sh build interop
	scripts/interop.sh

# Each fuzz target for so many seconds.
SECONDS_EACH ?= 60
fuzz: deps
	scripts/fuzz.sh $(SECONDS_EACH)

bench: deps-build
	scripts/bench.sh

# Instructions per event of the hot functions beside the committed figures; bench/instructions/src/main.rs.
instructions: deps
	$(CARGO) build --release --locked --package lanner-instructions
	"$${CARGO_TARGET_DIR:-target}/release/lanner-instructions" $(FUNCTIONS)

# What Lanner does under load, recorded anew for release builds; scripts/profile.sh.
profile: deps
	scripts/profile.sh

.PHONY: deps-build
# A C compiler, for the C parts of zstd, jemalloc and ring.
deps-build:
	scripts/install.sh build

# The same, and real counterparts for tests: Docker Engine, Prometheus, curl, busybox, valgrind, a C++ compiler.
deps:
	scripts/install.sh build test
