//! Metrics and traces for a person to read: a line per data point or span.

use super::alerts::FIELD_LIMIT;
use lanner_engine::net::client::push_escaped;
use lanner_proto::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{NumberDataPoint, metric::Data, number_data_point::Value as Number},
};
use prost::Message;
use std::fmt::Write;

/// `name{key=value} 3 {unit}` for each point; histograms and summaries show count and sum.
///
/// # Errors
/// The bytes are no metrics request.
pub fn write_metrics(bytes: &[u8], out: &mut String) -> Result<(), prost::DecodeError> {
    let request = ExportMetricsServiceRequest::decode(bytes)?;
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &scope.metrics) {
        let mut point = |attributes: &[KeyValue], shown: String| {
            push_escaped(out, &metric.name, FIELD_LIMIT);
            labels(attributes, out);
            let _ = write!(out, " {shown}");
            if !metric.unit.is_empty() {
                out.push(' ');
                push_escaped(out, &metric.unit, FIELD_LIMIT);
            }
            out.push('\n');
        };
        let summed = |count: u64, sum: Option<f64>| match sum {
            Some(sum) => format!("count={count} sum={sum}"),
            None => format!("count={count}"),
        };
        match &metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().for_each(|p| point(&p.attributes, number(p))),
            Some(Data::Sum(sum)) => sum.data_points.iter().for_each(|p| point(&p.attributes, number(p))),
            Some(Data::Histogram(data)) => {
                data.data_points.iter().for_each(|p| point(&p.attributes, summed(p.count, p.sum)));
            }
            Some(Data::ExponentialHistogram(data)) => {
                data.data_points.iter().for_each(|p| point(&p.attributes, summed(p.count, p.sum)));
            }
            Some(Data::Summary(data)) => {
                data.data_points.iter().for_each(|p| point(&p.attributes, summed(p.count, Some(p.sum))));
            }
            None => {}
        }
    }
    Ok(())
}

/// `name{key=value} 12.5ms trace/span` for each span.
///
/// # Errors
/// The bytes are no traces request.
pub fn write_traces(bytes: &[u8], out: &mut String) -> Result<(), prost::DecodeError> {
    let request = ExportTraceServiceRequest::decode(bytes)?;
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    for span in scopes.flat_map(|scope| &scope.spans) {
        push_escaped(out, &span.name, FIELD_LIMIT);
        labels(&span.attributes, out);
        let nanos = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        let _ = write!(out, " {:?} ", std::time::Duration::from_nanos(nanos));
        hex(&span.trace_id, out);
        out.push('/');
        hex(&span.span_id, out);
        out.push('\n');
    }
    Ok(())
}

fn number(point: &NumberDataPoint) -> String {
    match point.value {
        Some(Number::AsInt(number)) => number.to_string(),
        Some(Number::AsDouble(number)) => number.to_string(),
        None => "-".to_owned(),
    }
}

fn labels(attributes: &[KeyValue], out: &mut String) {
    if attributes.is_empty() {
        return;
    }
    for (index, attribute) in attributes.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        push_escaped(out, &attribute.key, FIELD_LIMIT);
        out.push('=');
        match &attribute.value {
            Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }) => {
                push_escaped(out, text, FIELD_LIMIT);
            }
            Some(AnyValue { value: Some(any_value::Value::IntValue(number)) }) => {
                let _ = write!(out, "{number}");
            }
            Some(AnyValue { value: Some(any_value::Value::BoolValue(flag)) }) => {
                let _ = write!(out, "{flag}");
            }
            Some(AnyValue { value: Some(any_value::Value::DoubleValue(number)) }) => {
                let _ = write!(out, "{number}");
            }
            // `detailed` shows lists, maps and bytes.
            _ => out.push('…'),
        }
    }
    out.push('}');
}

fn hex(id: &[u8], out: &mut String) {
    // Ids have 16 or 8 bytes; a longer one is cut.
    for byte in id.iter().take(16) {
        let _ = write!(out, "{byte:02x}");
    }
}
