//! The deadline of a gRPC call.

use super::refusal::Refusal;
use ::http::HeaderMap;
use std::time::Duration;

/// What `grpc-timeout` grants; `None` when it is not there.
///
/// # Errors
/// It is not one to eight digits and a unit.
pub fn granted(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(text) = headers.get("grpc-timeout") else { return Ok(None) };
    parse(text.as_bytes()).map(Some).ok_or(Refusal::Frame("grpc-timeout is no time"))
}

fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every unit, the longest number, and what is no time.
    /// Guarantee: the time that gRPC means, or none.
    #[test]
    fn times_of_grpc() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000S", None),
            ("S", None),
            ("", None),
            ("1s", None),
            ("-1S", None),
            ("1.5S", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
