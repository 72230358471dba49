//! `Batch`: what flows through a pipeline.
//!
//! Promises: untouched OTLP stays the bytes it came as; cloning a batch shares its records, and the first change
//! to a shared batch copies it (copy on write), so no branch of a fan-out sees another's changes. Records that were
//! decoded and only looked at are not encoded again: the bytes they came as are kept beside them until somebody may have
//! changed one.

use super::{LogGroup, LogRecord, Logs, Reads, Resource, Signal, Traces, otlp};
use bytes::Bytes;
use std::sync::Arc;

/// Some items of one signal.
#[derive(Clone, Debug)]
pub struct Batch {
    payload: Payload,
}

#[derive(Clone, Debug)]
enum Payload {
    Logs {
        logs: Arc<Logs>,
        /// The request that says the same, if there is one.
        bytes: Option<OtlpRequest>,
    },
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
        Self { payload: Payload::Logs { logs: Arc::new(logs), bytes: None } }
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
            Payload::Logs { .. } => Signal::Logs,
            Payload::Otlp(request) => request.signal,
        }
    }

    /// How many items: log records, data points or spans.
    pub fn len(&self) -> usize {
        match &self.payload {
            Payload::Logs { logs, .. } => logs.len(),
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
            let logs = Arc::new(otlp::decode_logs(&request.bytes)?);
            self.payload = Payload::Logs { logs, bytes: Some(request.clone()) };
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
            Payload::Logs { logs, .. } => Some(logs),
            Payload::Otlp(_) => None,
        }
    }

    /// The decoded logs, changeable; copies them first when another branch shares them.
    pub fn as_logs_mut(&mut self) -> Option<&mut Logs> {
        match &mut self.payload {
            Payload::Logs { logs, bytes } => {
                *bytes = None;
                Some(Arc::make_mut(logs))
            }
            Payload::Otlp(_) => None,
        }
    }

    /// Leaves out the records for which `keep` says no, which is asked of each in order; other signals have none. Untouched
    /// OTLP stays OTLP; of its records `keep` sees what `reads` names.
    ///
    /// # Errors
    /// The bytes are no logs request. The batch is unchanged.
    pub(crate) fn retain(
        &mut self,
        reads: &Reads,
        mut keep: impl FnMut(&Resource, &LogRecord) -> bool,
    ) -> Result<(), otlp::DecodeError> {
        match &mut self.payload {
            Payload::Otlp(request) if request.signal == Signal::Logs => {
                let mut kept = Vec::with_capacity(request.items);
                otlp::look(request, reads, |resource, record| kept.push(keep(resource, record)))?;
                if kept.contains(&false) {
                    *request = otlp::pick(request, |item| kept.get(item) == Some(&true))?;
                }
            }
            Payload::Logs { logs, bytes } => {
                let mut kept = Vec::with_capacity(if bytes.is_some() { logs.len() } else { 0 });
                let logs = Arc::make_mut(logs);
                for LogGroup { resource, records, .. } in &mut logs.groups {
                    records.retain(|record| {
                        let keeps = keep(resource, record);
                        if bytes.is_some() {
                            kept.push(keeps);
                        }
                        keeps
                    });
                }
                logs.groups.retain(|group| !group.records.is_empty());
                *bytes =
                    bytes.take().and_then(|request| otlp::pick(&request, |item| kept.get(item) == Some(&true)).ok());
            }
            Payload::Otlp(_) => {}
        }
        Ok(())
    }

    /// Changes the attributes of records that `concerns` says yes to. Of records in untouched OTLP, which stays OTLP, both see
    /// what `reads` names.
    ///
    /// # Errors
    /// The bytes are no logs request. The batch is unchanged.
    pub(crate) fn edit(
        &mut self,
        reads: &Reads,
        concerns: impl Fn(&Resource, &LogRecord) -> bool,
        mut change: impl FnMut(&Resource, &mut LogRecord),
    ) -> Result<(), otlp::DecodeError> {
        let mut edit = |resource: &Resource, record: &mut LogRecord| {
            let concerned = concerns(resource, record);
            if concerned {
                change(resource, record);
            }
            concerned
        };
        match &mut self.payload {
            Payload::Otlp(request) if request.signal == Signal::Logs => {
                if let Some(changed) = otlp::edit(request, reads, edit)? {
                    *request = changed;
                }
            }
            Payload::Logs { logs, bytes } => {
                let concerned = |group: &LogGroup| group.records.iter().any(|record| concerns(&group.resource, record));
                // Looks first, so that a batch without such records is not copied when another branch shares it.
                if logs.groups.iter().any(concerned) {
                    *bytes = None;
                    for LogGroup { resource, records, .. } in &mut Arc::make_mut(logs).groups {
                        for record in records {
                            edit(resource, record);
                        }
                    }
                }
            }
            Payload::Otlp(_) => {}
        }
        Ok(())
    }

    /// Lets records be encoded anew, from what is known of them, instead of as they came.
    pub(crate) fn forget_bytes(&mut self) {
        if let Payload::Logs { bytes, .. } = &mut self.payload {
            *bytes = None;
        }
    }

    /// The records themselves; copies them when another branch shares them.
    ///
    /// # Errors
    /// The batch is not decoded or not logs; it is given back.
    pub fn into_logs(self) -> Result<Logs, Self> {
        match self.payload {
            Payload::Logs { logs, .. } => Ok(Arc::unwrap_or_clone(logs)),
            Payload::Otlp(_) => Err(self),
        }
    }

    /// The untouched OTLP.
    pub fn as_otlp(&self) -> Option<&OtlpRequest> {
        match &self.payload {
            Payload::Logs { .. } => None,
            Payload::Otlp(request) => Some(request),
        }
    }

    /// The request as it goes on the wire: untouched OTLP is handed on, records that may have been changed are encoded.
    pub fn to_otlp(&self) -> OtlpRequest {
        match &self.payload {
            Payload::Logs { bytes: Some(request), .. } => request.clone(),
            Payload::Logs { logs, bytes: None } => encoded(logs),
            Payload::Otlp(request) => request.clone(),
        }
    }

    /// The same for a batch that nobody needs any more.
    pub fn into_otlp(self) -> OtlpRequest {
        match self.payload {
            Payload::Logs { bytes: Some(request), .. } | Payload::Otlp(request) => request,
            Payload::Logs { logs, bytes: None } => encoded(&logs),
        }
    }
}

fn encoded(logs: &Logs) -> OtlpRequest {
    OtlpRequest { signal: Signal::Logs, bytes: otlp::encode_logs(logs), items: logs.len() }
}
