//! The `Retry-After` header.

use crate::otlp_reply::LONGEST_DELAY;
use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use std::time::Duration;

/// HTTP dates are mail dates; a wrong weekday does not matter.
static DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// How long the server asks to wait, as seconds or as a date; at most an hour. `None` when it does not ask, asks
/// for the past, or writes something else.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        // More digits than fit are still "very long".
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = DATE.parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).ok()?
    };
    Some(delay.min(LONGEST_DELAY)).filter(|delay| !delay.is_zero())
}
