//! What a plain (unquoted) scalar may be read as: the YAML 1.2 core schema, without surprises.
//!
//! `yes` and `on` are text, `0123` is the number 123 where a number is asked for and text `0123` where text is.

/// Nothing: empty, `~` or `null`.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// `true` or `false`.
pub(crate) fn as_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number: decimal, `0x` or `0o`.
pub(crate) fn as_int(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).map(i128::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+')).map(i128::from);
    }
    text.parse().ok()
}

/// Any number.
pub(crate) fn as_float(text: &str) -> Option<f64> {
    if let Some(int) = as_int(text) {
        return Some(int as f64);
    }
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" => Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        digits if digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') => text.parse().ok(),
        _ => None,
    }
}
