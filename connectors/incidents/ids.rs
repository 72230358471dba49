//! Ids: of traces and spans as W3C says, of incidents as ULIDs.

/// A random trace id; never all zero.
pub fn trace_id() -> [u8; 16] {
    fastrand::u128(1..).to_be_bytes()
}

/// A random span id; never all zero.
pub fn span_id() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

/// A ULID: 48 bits of milliseconds since 1970 and 80 random ones, as 26 letters and digits that sort by time.
pub fn ulid(unix_nanos: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let millis = u128::from(unix_nanos / 1_000_000) & ((1 << 48) - 1);
    let number = millis << 80 | fastrand::u128(..) >> 48;
    // 26 digits of 5 bits each; the mask keeps the index below 32.
    (0..26).rev().map(|place| char::from(DIGITS[(number >> (5 * place)) as usize & 31])).collect()
}
