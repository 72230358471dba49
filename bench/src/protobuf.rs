//! As much of protobuf's wire format as OTLP requests need: written when the load is made, read when the sink counts.

const LENGTH_DELIMITED: u64 = 2;

/// Appends a length-delimited field: text, bytes, a message.
pub fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    append(out, field << 3 | LENGTH_DELIMITED);
    append(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a message that `write` fills.
pub fn message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    let mut part = Vec::new();
    write(&mut part);
    bytes(out, field, &part);
}

/// Appends an integer.
pub fn integer(out: &mut Vec<u8>, field: u64, value: u64) {
    append(out, field << 3);
    append(out, value);
}

/// Appends eight bytes.
pub fn fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    append(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn append(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The log records of an export request: `resource_logs` (1) / `scope_logs` (2) / `log_records` (2). `None` when damaged.
pub fn records(request: &[u8]) -> Option<u64> {
    let mut count = 0;
    let mut one = |_: &[u8]| {
        count += 1;
        Some(())
    };
    parts(request, 1, &mut |group| parts(group, 2, &mut |scope| parts(scope, 2, &mut one)))?;
    Some(count)
}

/// Calls `found` with each length-delimited field of this number; `None` when the message is damaged.
fn parts(mut message: &[u8], number: u64, found: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => drop(varint(&mut message)?),
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            LENGTH_DELIMITED => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                if key >> 3 == number {
                    found(part)?;
                }
                message = rest;
            }
            _ => return None,
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::payload::{alerts, otlp};

    /// Scenario: requests as the load has them, whole and cut off at any byte.
    /// Guarantee: the sink counts every record of a whole one; one that is cut inside of a field counts as damaged.
    #[test]
    fn what_is_written_is_counted() {
        let request = otlp::message(&alerts::alerts(7, 7).collect::<Vec<_>>());
        assert_eq!(super::records(&request), Some(7));
        assert!((1..request.len()).all(|end| super::records(&request[..end]).is_none()));
        assert_eq!(super::records(&[]), Some(0));
    }
}
