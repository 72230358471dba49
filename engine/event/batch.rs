//! `Batch`: what flows through a pipeline.
//!
//! Promises: untouched OTLP stays the bytes it came as; cloning a batch shares its records, and the first change
//! to a shared batch copies it (copy on write), so no branch of a fan-out sees another's changes.

use super::{LogRecord, Logs, Signal, Traces, otlp};
use bytes::Bytes;
use std::sync::Arc;

/// Some items of one signal.
#[derive(Clone, Debug)]
pub struct Batch {
    payload: Payload,
}

#[derive(Clone, Debug)]
enum Payload {
    Logs(Arc<Logs>),
    Otlp(OtlpRequest),
}

/// An OTLP export request of one signal, encoded as protobuf, with its number of items
/// (log records, data points or spans).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpRequest {
    pub signal: Signal,
    pub bytes: Bytes,
    pub items: usize,
}

impl OtlpRequest {
    /// Takes request bytes as they are, after counting the items.
    ///
    /// # Errors
    /// The bytes are not an export request of `signal`.
    pub fn parse(signal: Signal, bytes: Bytes) -> Result<Self, otlp::DecodeError> {
        let items = otlp::count_items(signal, &bytes)?;
        Ok(Self { signal, bytes, items })
    }
}

impl Batch {
    /// Decoded log records.
    pub fn logs(logs: Logs) -> Self {
        Self { payload: Payload::Logs(Arc::new(logs)) }
    }

    /// Spans; they are encoded at once, since nothing in a pipeline looks at them.
    pub fn traces(traces: &Traces) -> Self {
        Self::otlp(OtlpRequest { signal: Signal::Traces, bytes: otlp::encode_traces(traces), items: traces.len() })
    }

    /// Untouched OTLP of any signal.
    pub fn otlp(request: OtlpRequest) -> Self {
        Self { payload: Payload::Otlp(request) }
    }

    /// Which signal this is.
    pub fn signal(&self) -> Signal {
        match &self.payload {
            Payload::Logs(_) => Signal::Logs,
            Payload::Otlp(request) => request.signal,
        }
    }

    /// How many items: log records, data points or spans.
    pub fn len(&self) -> usize {
        match &self.payload {
            Payload::Logs(logs) => logs.len(),
            Payload::Otlp(request) => request.items,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes records of untouched OTLP logs. The engine calls this in front of every transform that looks at
    /// records, so that a component need not.
    ///
    /// # Errors
    /// The bytes are no logs request. The batch is unchanged.
    pub fn decode(&mut self) -> Result<(), otlp::DecodeError> {
        if let Payload::Otlp(request) = &self.payload
            && request.signal == Signal::Logs
        {
            self.payload = Payload::Logs(Arc::new(otlp::decode_logs(&request.bytes)?));
        }
        Ok(())
    }

    /// The records; none when the batch is not decoded or not logs.
    pub fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.as_logs().into_iter().flat_map(Logs::records)
    }

    /// The records, changeable; copies them first when another branch shares them.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut LogRecord> {
        self.as_logs_mut().into_iter().flat_map(Logs::records_mut)
    }

    /// The decoded logs.
    pub fn as_logs(&self) -> Option<&Logs> {
        match &self.payload {
            Payload::Logs(logs) => Some(logs),
            Payload::Otlp(_) => None,
        }
    }

    /// The decoded logs, changeable; copies them first when another branch shares them.
    pub fn as_logs_mut(&mut self) -> Option<&mut Logs> {
        match &mut self.payload {
            Payload::Logs(logs) => Some(Arc::make_mut(logs)),
            Payload::Otlp(_) => None,
        }
    }

    /// The records themselves; copies them when another branch shares them.
    ///
    /// # Errors
    /// The batch is not decoded or not logs; it is given back.
    pub fn into_logs(self) -> Result<Logs, Self> {
        match self.payload {
            Payload::Logs(logs) => Ok(Arc::unwrap_or_clone(logs)),
            Payload::Otlp(_) => Err(self),
        }
    }

    /// The untouched OTLP.
    pub fn as_otlp(&self) -> Option<&OtlpRequest> {
        match &self.payload {
            Payload::Logs(_) => None,
            Payload::Otlp(request) => Some(request),
        }
    }

    /// The request as it goes on the wire: untouched OTLP is handed on, records are encoded.
    pub fn to_otlp(&self) -> OtlpRequest {
        match &self.payload {
            Payload::Logs(logs) => {
                OtlpRequest { signal: Signal::Logs, bytes: otlp::encode_logs(logs), items: logs.len() }
            }
            Payload::Otlp(request) => request.clone(),
        }
    }
}
