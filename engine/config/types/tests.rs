//! Leaf types: what is read, what is refused, and that what is printed is read back as it was.

use super::{Duration, ListenAddress, Pattern, Secret};
use proptest::prelude::*;

/// Scenario: durations as people write them.
/// Guarantee: each is read to the nanosecond and printed in the shortest form.
#[test]
fn durations() {
    for (text, nanos, shown) in [
        ("0", 0, "0s"),
        ("0s", 0, "0s"),
        ("5s", 5_000_000_000, "5s"),
        ("1m30s", 90_000_000_000, "1m30s"),
        ("90s", 90_000_000_000, "1m30s"),
        ("1.5h", 5_400_000_000_000, "1h30m"),
        (".5s", 500_000_000, "500ms"),
        ("1.s", 1_000_000_000, "1s"),
        ("1h0.000000001s", 3_600_000_000_001, "1h0.000000001s"),
        ("2us", 2_000, "2us"),
        ("2µs", 2_000, "2us"),
        ("0.4ns", 0, "0s"),
        ("0.5ns", 1, "1ns"),
        ("9223372036854775807ns", 9_223_372_036_854_775_807, "2562047h47m16.854775807s"),
    ] {
        let read: Duration = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((read.0.as_nanos(), read.to_string().as_str()), (nanos, shown), "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        ".",
        ".s",
        "1.2.3s",
        "-1s",
        "+1s",
        "1 s",
        "1d",
        "5S",
        "1e3s",
        "9223372036854775808ns",
        "1s2",
        "99999999999999999999s",
    ] {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
}

proptest! {
    /// Scenario: any duration that can be written.
    /// Guarantee: printing and reading give it back.
    #[test]
    fn a_printed_duration_is_read_back(nanos in 0..=i64::MAX as u64) {
        let duration = Duration(std::time::Duration::from_nanos(nanos));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    /// Scenario: any text made of what durations are made of.
    /// Guarantee: no panic.
    #[test]
    fn no_duration_panics(text in "([0-9.]{1,40}|ns|us|µs|ms|s|m|h|-|é){0,8}") {
        let _ = text.parse::<Duration>();
    }
}

/// Scenario: addresses in every form that is allowed, and some that are not.
/// Guarantee: each is read without a resolver, printed, and read back.
#[test]
fn listen_addresses() {
    for (text, shown) in [
        ("localhost:2801", "localhost:2801"),
        ("127.0.0.1:2801", "localhost:2801"),
        ("http://localhost:2801/", "localhost:2801"),
        (":9464", "0.0.0.0:9464"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:4317", "[::1]:4317"),
        ("[::]:4317", "[::]:4317"),
    ] {
        let read: ListenAddress = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(read));
    }
    for text in
        ["", "localhost", "example.com:80", "::1:80", "localhost:65536", "localhost:", "[1.2.3.4]:80", "1.2.3:80"]
    {
        assert!(text.parse::<ListenAddress>().is_err(), "{text}");
    }
}

/// Scenario: two addresses, on one port or not.
/// Guarantee: they clash on one port of one interface, or when one is on all; port 0 never clashes.
#[test]
fn clashes() {
    for (a, b, clash) in [
        ("localhost:1", "127.0.0.1:1", true),
        ("localhost:1", ":1", true),
        ("[::]:1", "localhost:1", true),
        ("localhost:1", "localhost:2", false),
        ("127.0.0.1:1", "127.0.0.2:1", false),
        ("localhost:0", "localhost:0", false),
    ] {
        let [first, second]: [ListenAddress; 2] = [a, b].map(|text| text.parse().unwrap());
        assert_eq!((first.clashes_with(&second), second.clashes_with(&first)), (clash, clash), "{a} {b}");
    }
}

/// Scenario: patterns right, wrong, and too large.
/// Guarantee: a right one is printed as it was written; the others are refused in one line.
#[test]
fn patterns() {
    let pattern: Pattern = "^Terminal shell".parse().unwrap();
    assert!(pattern.is_match("Terminal shell in container") && !pattern.is_match("A Terminal shell"));
    assert_eq!(serde_json::to_value(&pattern).unwrap(), "^Terminal shell");
    for text in ["(", "(?=a)", "(a{1000}){1000}"] {
        let error = text.parse::<Pattern>().unwrap_err();
        assert!(!error.reason.is_empty() && !error.reason.contains('\n'), "{error}");
    }
}

/// Scenario: a secret is printed and serialized, set and not set.
/// Guarantee: neither shows it, and an empty one is told apart.
#[test]
fn secrets() {
    for (text, shown) in [("hunter2", Secret::REDACTED), ("", "")] {
        let secret = Secret::from(text.to_owned());
        assert_eq!((format!("{secret:?}").as_str(), secret.expose()), (shown, text));
        assert_eq!(serde_json::to_value(&secret).unwrap(), shown);
    }
}
