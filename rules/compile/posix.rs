//! POSIX expressions as Falco's library reads them, written so that the crate `regex` reads them the same.
//!
//! The two differ where braces and brackets have no meaning: `{` that begins no count is a `{`, and inside of brackets
//! `[`, `&&`, `--` and `~~` are just characters.

/// The same expression for the crate `regex`.
pub(super) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '[' => match class(rest) {
                Some((class, length)) => {
                    out.push_str(&class);
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
                None => 1,
            },
            '{' if !is_count(rest) => {
                out.push('\\');
                1
            }
            c => c.len_utf8(),
        };
        out.push_str(rest.get(..length).unwrap_or_default());
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// `{2}`, `{2,}`, `{2,4}`
fn is_count(text: &str) -> bool {
    let Some((inner, _)) = text.get(1..).and_then(|inner| inner.split_once('}')) else { return false };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && is_number(low) && is_number(high)
}

/// The class that a text begins with, and its length; `None` if it has no end.
fn class(text: &str) -> Option<(String, usize)> {
    let mut out = String::from("[");
    let mut at = 1;
    if text.get(at..)?.starts_with('^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        let length = match c {
            ']' if at > first => {
                out.push(']');
                return Some((out, at + 1));
            }
            '[' if rest.starts_with("[:") => {
                let end = rest.find(":]")? + 2;
                out.push_str(rest.get(..end)?);
                end
            }
            '\\' => {
                let end = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                out.push_str(rest.get(..end)?);
                end
            }
            '[' | ']' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                1
            }
            '-' if rest.starts_with("--") => {
                out.push_str("\\-");
                1
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        at += length;
    }
}
