# Lanner in an image without a distribution: the binary, the libraries it is linked with, CA certificates, a user.
#   docker build -t lanner . && docker run --rm -p 2801:2801 -p 9464:9464 lanner

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked
RUN scripts/rootfs.sh target/release/lanner /rootfs

FROM scratch AS runtime
LABEL org.opencontainers.image.title="Lanner" \
      org.opencontainers.image.description="OpenTelemetry-Collector-style pipeline for runtime-security events" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs /
USER 65532:65532
WORKDIR /
# Falco alerts, Prometheus, health; see /etc/lanner/config.yaml.
EXPOSE 2801 9464 13133
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/bin/lanner", "health"]
ENTRYPOINT ["/usr/bin/lanner"]
CMD ["run", "--config", "/etc/lanner/config.yaml"]
