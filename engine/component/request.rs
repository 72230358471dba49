//! `Request`: what an exporter sends in one attempt.

use super::Progress;
use crate::event::{Logs, OtlpRequest, Signal, otlp};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// An encoded export request. It is encoded once, whatever the number of attempts and exporters; exporters that
/// need records get them decoded at the first call.
#[derive(Debug)]
pub struct Request {
    otlp: OtlpRequest,
    logs: OnceLock<Result<Logs, otlp::DecodeError>>,
    progress: OnceLock<Arc<Progress>>,
}

impl Request {
    /// Wraps a request.
    pub fn new(otlp: OtlpRequest) -> Self {
        Self { otlp, logs: OnceLock::new(), progress: OnceLock::new() }
    }

    /// Which signal it is.
    pub fn signal(&self) -> Signal {
        self.otlp.signal
    }

    /// How many log records, data points or spans it holds.
    pub fn items(&self) -> usize {
        self.otlp.items
    }

    /// The encoded `Export{Logs,Metrics,Trace}ServiceRequest`.
    pub fn bytes(&self) -> &Bytes {
        &self.otlp.bytes
    }

    /// The decoded log records.
    ///
    /// # Errors
    /// The bytes are no logs request: an untouched request of a sender may be damaged inside.
    pub fn logs(&self) -> Result<&Logs, otlp::DecodeError> {
        self.logs.get_or_init(|| otlp::decode_logs(&self.otlp.bytes)).as_ref().map_err(Clone::clone)
    }

    /// What earlier attempts got done, for exporters that send a request in several parts. Shared, because a part may
    /// still be on its way when the attempt that sent it is given up.
    pub fn progress(&self) -> &Arc<Progress> {
        self.progress.get_or_init(|| Arc::new(Progress::new(self.otlp.items)))
    }

    /// The same, if the exporter has asked for it: then it tells items apart.
    pub(crate) fn told_apart(&self) -> Option<&Progress> {
        self.progress.get().map(|progress| &**progress)
    }
}
