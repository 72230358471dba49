//! Event times: RFC 3339 text, integers of several units, gRPC's seconds and nanoseconds.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

use super::field::{Field, FieldSeed, TextSeed};

const NANOS: i64 = 1_000_000_000;

/// Nanoseconds since 1970 of an RFC 3339 time: any offset, any number of fraction digits (those past the ninth are cut).
/// None when it is no such time, lies before 1970, or beyond what fits (the year 2554).
pub(in crate::semantics) fn parse_rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|found| wanted.contains(found));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let framed = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !framed || !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut fraction = 0i64;
    if is(at, b".,") {
        at += 1;
        let start = at;
        let mut unit = NANOS / 10;
        while let Some(digit) = bytes.get(at).filter(|digit| digit.is_ascii_digit()) {
            fraction += i64::from(digit - b'0') * unit;
            unit /= 10;
            at += 1;
        }
        if at == start {
            return None;
        }
    }
    let offset = match bytes.get(at..)? {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest.len() {
                5 if rest[2] == b':' => (number(at + 1, at + 3)?, number(at + 4, at + 6)?),
                4 => (number(at + 1, at + 3)?, number(at + 3, at + 5)?),
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    u64::try_from(seconds).ok()?.checked_mul(NANOS as u64)?.checked_add(fraction as u64)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days in the proleptic Gregorian calendar, counting years from March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Nanoseconds of an integer time. Falco writes nanoseconds (19 digits today); the digits of shorter ones tell
/// microseconds, milliseconds and seconds apart, for the years 2001 to 2286. The flag says that it was not nanoseconds.
pub(super) fn from_integer(number: i64) -> Option<(u64, bool)> {
    let number = u64::try_from(number).ok()?;
    let factor = match number {
        1_000_000_000_000_000_000.. => 1,
        1_000_000_000_000_000..10_000_000_000_000_000 => 1000,
        1_000_000_000_000..10_000_000_000_000 => 1_000_000,
        1_000_000_000..10_000_000_000 => 1_000_000_000,
        _ => return None,
    };
    Some((number * factor, factor != 1))
}

/// The RFC 3339 text of nanoseconds since 1970, in UTC, with nine fraction digits.
pub fn to_rfc3339(nanos: u64) -> String {
    let (days, of_day) = (nanos / 86_400_000_000_000, nanos / NANOS as u64 % 86_400);
    // The inverse of `days_since_1970`; all terms are small and positive.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", nanos % NANOS as u64)
}

/// The key `time` as it was written.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Time<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Int(i64),
    /// A dump of the gRPC message.
    Parts {
        seconds: i64,
        nanos: i64,
    },
    /// The protobuf message itself, as the gRPC API carries it.
    Timestamp {
        seconds: i64,
        nanos: i32,
    },
    /// Something else.
    Odd,
}

/// Reads the key `time`.
pub(super) struct TimeSeed;

impl<'de> DeserializeSeed<'de> for TimeSeed {
    type Value = Time<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Time<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TimeSeed {
    type Value = Time<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Time<'de>, E> {
        Ok(if text.is_empty() { Time::Missing } else { Time::Text(Cow::Borrowed(text)) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Time<'de>, E> {
        Ok(Time::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Time<'de>, E> {
        Ok(Time::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Time<'de>, E> {
        Ok(i64::try_from(number).map_or(Time::Odd, Time::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Time<'de>, E> {
        Ok(Time::Odd)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Time<'de>, E> {
        Ok(Time::Odd)
    }

    fn visit_unit<E>(self) -> Result<Time<'de>, E> {
        Ok(Time::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Time<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Time::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Time<'de>, A::Error> {
        let (mut seconds, mut nanos) = (None, 0);
        while let Some(key) = map.next_key_seed(TextSeed)? {
            let value = map.next_value_seed(FieldSeed { depth: 2 })?;
            match &*key {
                "seconds" => seconds = value.as_int(),
                "nanos" => nanos = value.as_int().unwrap_or(0),
                _ => {}
            }
        }
        Ok(seconds.map_or(Time::Odd, |seconds| Time::Parts { seconds, nanos }))
    }
}

/// What `time` says, and whether that was no RFC 3339 text. None: nothing usable.
pub(super) fn resolve(time: &Time<'_>) -> Option<(u64, bool)> {
    match time {
        Time::Missing | Time::Odd => None,
        Time::Text(text) => parse_rfc3339(text).map(|nanos| (nanos, false)),
        Time::Int(number) => from_integer(*number).map(|(nanos, _)| (nanos, true)),
        Time::Parts { seconds, nanos } => from_parts(*seconds, *nanos).map(|nanos| (nanos, true)),
        Time::Timestamp { seconds, nanos } => from_parts(*seconds, i64::from(*nanos)).map(|nanos| (nanos, false)),
    }
}

/// Nanoseconds since 1970; none before that, after what fits, or with nanoseconds of more than a second.
fn from_parts(seconds: i64, nanos: i64) -> Option<u64> {
    let nanos = u64::try_from(nanos).ok().filter(|nanos| *nanos < NANOS as u64)?;
    u64::try_from(seconds).ok()?.checked_mul(NANOS as u64)?.checked_add(nanos)
}

/// Whether a field holds what [`from_integer`] reads.
pub(super) fn of_field(field: &Field<'_>) -> Option<(u64, bool)> {
    match field {
        Field::Int(number) => from_integer(*number),
        Field::Text(text) => text.parse().ok().and_then(from_integer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: times as Falco, its forwarders and its gRPC clients write them, and texts that are no time.
    /// Guarantee: each gives exactly its nanoseconds, none is rounded; the rest give nothing.
    #[test]
    fn rfc3339_is_read_to_the_nanosecond() {
        let expected = 1_610_667_584_834_631_763;
        for text in
            ["2021-01-14T23:39:44.834631763Z", "2021-01-15T01:39:44.834631763+02:00", "2021-01-14t18:39:44.8346317631z"]
        {
            let shift = if text.contains("18:") { 5 * 3600 * NANOS as u64 } else { 0 };
            assert_eq!(parse_rfc3339(text), Some(expected - shift), "{text}");
        }
        assert_eq!(parse_rfc3339("2001-01-01T01:10:00Z"), Some(978_311_400_000_000_000));
        assert_eq!(parse_rfc3339("2024-02-29T00:00:00-0000"), Some(1_709_164_800_000_000_000));
        for text in [
            "",
            "2021-04-13T20:58:00.746609046Z+2",
            "2023-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "$(date)",
            "2021-01-14T23:39:44.Z",
            "2021-01-14T23:39:44",
            "2021-13-14T23:39:44Z",
            "9999-01-14T23:39:44Z",
            "2021-01-14T23:39:44+é",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    /// Scenario: integers of four units around the same second.
    /// Guarantee: the digits tell the unit; anything else is no time.
    #[test]
    fn integers_are_scaled_by_their_digits() {
        assert_eq!(from_integer(1_618_347_519_000_000_001), Some((1_618_347_519_000_000_001, false)));
        for number in [1_618_347_519_000_000, 1_618_347_519_000, 1_618_347_519] {
            assert_eq!(from_integer(number), Some((1_618_347_519_000_000_000, true)));
        }
        for number in [-1, 0, 34817, 99_999_999_999] {
            assert_eq!(from_integer(number), None);
        }
    }

    proptest::proptest! {
        /// Scenario: any time that fits.
        /// Guarantee: what is written is read back as the same nanoseconds, and agrees with `jiff`.
        #[test]
        fn writing_and_reading_agree(nanos: u64) {
            let text = to_rfc3339(nanos);
            proptest::prop_assert_eq!(parse_rfc3339(&text), Some(nanos));
            let oracle: jiff::Timestamp = text.parse()?;
            proptest::prop_assert_eq!(oracle.as_nanosecond(), i128::from(nanos));
        }
    }
}
