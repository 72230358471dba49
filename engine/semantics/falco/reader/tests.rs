//! Scenarios of the reader. What is right, `serde_json` says.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// The value of a text that is one and nothing else, by this reader.
fn read(mut reader: Reader<'_>) -> Option<Value> {
    let value = Value::deserialize(&mut reader).ok()?;
    reader.is_at_end().then_some(value)
}

/// Whether a text is a value of which nobody wants anything.
fn is_skipped(text: &str) -> bool {
    let mut reader = Reader::new(text, true);
    IgnoredAny::deserialize(&mut reader).is_ok() && reader.is_at_end()
}

fn agrees(text: &str) -> Result<(), TestCaseError> {
    let expected = serde_json::from_str::<Value>(text).ok();
    prop_assert_eq!(&read(Reader::new(text, true)), &expected, "{:?}", text);
    prop_assert_eq!(&read(Reader::new(text, has_control(text))), &expected, "{:?}", text);
    prop_assert_eq!(is_skipped(text), serde_json::from_str::<IgnoredAny>(text).is_ok(), "{:?}", text);
    Ok(())
}

/// Scenario: numbers at every edge, words and strings that are broken or whole, nesting around the bound.
/// Guarantee: each is what `serde_json` says it is.
#[test]
fn edges_are_those_of_serde_json() {
    let numbers = "0 -0 00 01 -01 7 -7 - -a 1. 1.5 .5 1e3 1E+3 1e 1e400 -1e400 1-2 +1 0x1 1_0 12345678901234567 \
        999999999999999999 1000000000000000000 9999999999999999999 18446744073709551615 18446744073709551616 \
        -999999999999999999 -9223372036854775808 -9223372036854775809 123456789012345678901234567890 NaN Infinity";
    let others = r#"null nul nulll true truee tru false f t n "" "a" "a "\" "\"" "\\" "\\\" "\u00e4" "\ud83d\ude00" "\ud800"
        "\x" "a\nb" "é" "12345678" "1234567\t" "12345678\"" [] [,] [1,] [1,2] [1 2] {} {,} {"a"} {"a":} {"a":1} {"a":1,}
        {"a":1"b":2} {"a" :1} {1:2} {"\u0061":"b"} {"a":[{"b":[]}]} [}"#;
    for text in numbers.split_whitespace().chain(others.split_whitespace()) {
        agrees(text).unwrap();
        agrees(&format!("[{text}]")).unwrap();
        agrees(&format!(" {{\"k\" : {text}\t}}\r\n")).unwrap();
    }
    for byte in 0..=0x7f_u8 {
        agrees(&format!("\"{}\"", char::from(byte))).unwrap();
        agrees(&format!("\"12345678{}12345678\"", char::from(byte))).unwrap();
        agrees(&format!("{}1", char::from(byte))).unwrap();
    }
    for depth in [1, 126, 127, 128, 129, 100_000] {
        agrees(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap();
        agrees(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))).unwrap();
    }
}

/// Scenario: a string without escapes and one with.
/// Guarantee: the first is a part of the text, not a copy of it.
#[test]
fn what_has_no_escapes_is_borrowed() {
    let mut reader = Reader::new(r#""a b é" "#, false);
    assert_eq!(<&str>::deserialize(&mut reader), Ok("a b é"));
    assert_eq!(reader.position(), 8);
    assert_eq!(<&str>::deserialize(&mut Reader::new(r#""a\n""#, false)), Err(Error::Refused));
}

proptest! {
    /// Scenario: tokens in any order, and bytes of any kind between them.
    /// Guarantee: a text is read exactly if `serde_json` reads it, and as the same value.
    #[test]
    fn any_tokens(tokens in prop::collection::vec(prop_oneof![
        8 => prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"b\":", "\\", "\\\"", "\\u0061", "\\ud83d", " ", "\n", "1", "-",
            "0", ".5", "e9", "null", "true", "false", "\u{1}", "ä", "{}", "[]", "\"long enough for a chunk\"",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,9}",
    ], 0..12)) {
        agrees(&tokens.concat())?;
    }

    /// Scenario: an alert in which some bytes are gone, doubled or others.
    /// Guarantee: the same.
    #[test]
    fn a_damaged_alert(damage in prop::collection::vec(
        (any::<prop::sample::Index>(), prop::sample::select(vec!["", "\"", "\\", ",", ":", "}", "]", "0", "\t", "\u{0}", "é", "\\u00"])),
        0..3,
    )) {
        let mut text = String::from(
            r#"{"hostname":"node-1","output":"a \"b\" c\u0020d","output_fields":{"evt.time":1795344951851444534,"proc.pid":-17,"x":1.5,"y":null},"priority":"Warning","tags":["a","b"],"time":"2026-11-22T10:55:51.851444534Z"}"#,
        );
        for (at, with) in damage {
            let at = at.index(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..=at, with);
            }
        }
        agrees(&text)?;
    }
}
