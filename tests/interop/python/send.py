"""Sends logs, metrics and spans with the OpenTelemetry SDK: send.py grpc|http|json PORT COMPRESSION COUNT."""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

ATTRIBUTES = {
    "rule": "Terminal shell in container",
    "evt.time": 1767225600123456789,
    "share": 0.1,
    "yes": True,
    "tags": ["a", "ü"],
}
# Log records may hold more.
LOG_ATTRIBUTES = {**ATTRIBUTES, "raw": b"\x00\xff\x80", "map": {"inner": "x"}}


def exporters(protocol, port, compression):
    if protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        kinds = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
        options = {"endpoint": f"http://localhost:{port}", "insecure": True, "compression": kinds[compression]}
        return [kind(**options) for kind in (OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter)]
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.common.http import Compression
        from opentelemetry.exporter.otlp.json.http import OTLPMetricExporter, OTLPSpanExporter
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
    kinds = ((OTLPLogExporter, "logs"), (OTLPMetricExporter, "metrics"), (OTLPSpanExporter, "traces"))
    compression = Compression(compression)
    return [kind(endpoint=f"http://localhost:{port}/v1/{path}", compression=compression) for kind, path in kinds]


def main():
    protocol, port, compression, count = sys.argv[1:]
    count = int(count)
    log_exporter, metric_exporter, span_exporter = exporters(protocol, port, compression)
    resource = Resource({"service.name": "sdk"})

    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    logger = logs.get_logger("scope")
    for index in range(count):
        logger.emit(
            LogRecord(
                timestamp=1767225600000000000 + index,
                severity_number=SeverityNumber.WARN,
                severity_text="Warning",
                body=f"alert {index}",
                attributes=LOG_ATTRIBUTES,
                event_name="falco.alert",
            )
        )

    metrics = MeterProvider([PeriodicExportingMetricReader(metric_exporter)], resource=resource)
    meter = metrics.get_meter("scope")
    meter.create_counter("alerts").add(7, ATTRIBUTES)
    meter.create_histogram("latency").record(0.25, ATTRIBUTES)

    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(span_exporter))
    tracer = traces.get_tracer("scope")
    for index in range(count):
        span = tracer.start_span(f"incident {index}", kind=SpanKind.INTERNAL, attributes=ATTRIBUTES)
        span.add_event("alert", ATTRIBUTES)
        span.set_status(Status(StatusCode.ERROR, "contained"))
        span.end()

    for provider in (logs, metrics, traces):
        provider.shutdown()


main()
