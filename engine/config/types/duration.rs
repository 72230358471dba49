//! Lengths of time, written as in Go.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// A length of time, written as in Go: `1h2m3.5s`, units ns us µs ms s m h; `0` needs none. At most about 292 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration; write a number with a unit (ns, us, ms, s, m, h), for example `5s` or `1m30s`")]
pub struct InvalidDuration {
    pub text: String,
}

impl Duration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// Units in nanoseconds, longer names before their prefixes.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration { text: text.to_owned() };
        if text == "0" {
            return Ok(Self::default());
        }
        let mut rest = text;
        let mut nanos = 0u128;
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(invalid)?;
            let (number, behind) = rest.split_at(digits);
            let (unit, size) = UNITS.iter().find(|(unit, _)| behind.starts_with(unit)).ok_or_else(invalid)?;
            nanos = nanos.saturating_add(times(number, *size).ok_or_else(invalid)?);
            rest = &behind[unit.len()..];
        }
        match u64::try_from(nanos) {
            Ok(nanos) if !text.is_empty() && i64::try_from(nanos).is_ok() => {
                Ok(Self(std::time::Duration::from_nanos(nanos)))
            }
            _ => Err(invalid()),
        }
    }
}

/// A decimal number of units in nanoseconds, rounded; exact, because what is printed must be read back as it was.
fn times(number: &str, size: u128) -> Option<u128> {
    /// No unit has more decimals than this in nanoseconds.
    const DECIMALS: usize = 18;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() || decimals.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Digits only, so cutting cannot split a character.
    let decimals = &decimals[..decimals.len().min(DECIMALS)];
    let scale = 10u128.pow(decimals.len() as u32);
    let part: u128 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    Some(u128::from(whole) * size + (part * size + scale / 2) / scale)
}

impl fmt::Display for Duration {
    /// The shortest form: `1h30m`, `200ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        if nanos < 1_000_000_000 {
            let (unit, size) = match nanos {
                _ if nanos.is_multiple_of(1_000_000) => ("ms", 1_000_000),
                _ if nanos.is_multiple_of(1000) => ("us", 1000),
                _ => ("ns", 1),
            };
            return write!(f, "{}{unit}", nanos / size);
        }
        let seconds = self.0.as_secs();
        let (hours, minutes, seconds, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60, self.0.subsec_nanos());
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match (seconds, rest) {
            (0, 0) => Ok(()),
            (_, 0) => write!(f, "{seconds}s"),
            _ => write!(f, "{}s", format!("{seconds}.{rest:09}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "duration", "examples": ["5s"]})
    }
}
