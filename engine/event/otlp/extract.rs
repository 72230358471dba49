//! Taking single records out of a logs request.
//!
//! Promises: a record that is not taken stays byte for byte, unknown fields included, with the resource and the scope that
//! stood around it; order is kept among those that stay; a request from which nothing is taken is not written anew.
//! Only candidates are decoded.

use super::{
    DecodeError,
    decode::{log_record, resource_and_scopes},
    frame::{Parts, open_envelope},
    wire::Reader,
};
use crate::event::{LogRecord, OtlpRequest, Resource, Signal};
use std::sync::Arc;

/// Offers every record whose bytes are a `candidate` to `take`, which may take it out. What is left; `None` when nothing
/// was taken.
///
/// # Errors
/// The framing or a candidate is malformed. What was taken before must be given up, because it is still in the request.
pub fn extract_logs(
    request: &OtlpRequest,
    candidate: impl Fn(&[u8]) -> bool,
    mut take: impl FnMut(&Arc<Resource>, &mut LogRecord) -> bool,
) -> Result<Option<OtlpRequest>, DecodeError> {
    if request.signal != Signal::Logs {
        return Ok(None);
    }
    let bytes: &[u8] = &request.bytes;
    let mut left = Parts::new(Signal::Logs, 0, 0);
    let mut taken = false;
    let mut fields = Reader::new(Signal::Logs, bytes);
    while let Some((tag, field)) = fields.next()? {
        let (1, Some(part)) = (tag, field.bytes()) else { continue };
        let envelope = open_envelope(fields.nested(part), part)?;
        let mut resource: Option<Arc<Resource>> = None;
        for (scope, whole) in envelope.inner {
            let scope = open_envelope(scope, whole)?;
            let mut staying = Vec::with_capacity(scope.inner.len());
            for (item, bytes) in scope.inner {
                if candidate(bytes) {
                    let mut record = log_record(item)?;
                    let resource = match &resource {
                        Some(known) => known,
                        None => resource.insert(Arc::new(resource_and_scopes(fields.nested(part))?.0)),
                    };
                    if take(resource, &mut record) {
                        taken = true;
                        continue;
                    }
                }
                staying.push(bytes);
            }
            left.write(&envelope.rest, &scope.rest, &staying, staying.len());
        }
    }
    Ok(taken.then(|| left.whole()))
}
