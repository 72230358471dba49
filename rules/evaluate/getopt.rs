//! The options of a command line, for the transformer `getopt`.
//!
//! The option string is that of getopt(3): a letter, with `:` behind it if the option takes a value. Reading stops at
//! the first word that is no option and at `--`; words that begin with `--` are skipped, unknown letters give `?`. An
//! option whose value is missing makes the whole result missing, because the command line is not what was expected.

use super::{Arena, Value};
use bumpalo::collections::Vec;

/// The letters and values of the options, or what belongs to the option `key`: its value, or its letter if it takes
/// none. The last one counts if it is given several times.
pub(super) fn options<'e>(words: &'e [Value<'e>], options: &'e [u8], key: Option<&str>, arena: &'e Arena) -> Value<'e> {
    let Some(found) = parse(words, options, arena) else { return Value::Absent };
    if let Some(key) = key {
        let wanted = |option: &&(&'e [u8], Option<&'e [u8]>)| option.0 == key.as_bytes();
        return found
            .iter()
            .rev()
            .find(wanted)
            .map_or(Value::Absent, |(letter, value)| Value::Text(value.unwrap_or(letter)));
    }
    let mut members = Vec::with_capacity_in(found.len() * 2, arena.bump());
    for (letter, value) in found {
        members.push(Value::Text(letter));
        members.extend(value.map(Value::Text));
    }
    arena.list(&members)
}

type Found<'e> = Vec<'e, (&'e [u8], Option<&'e [u8]>)>;

fn parse<'e>(words: &'e [Value<'e>], options: &'e [u8], arena: &'e Arena) -> Option<Found<'e>> {
    let options = options.strip_prefix(b":").unwrap_or(options);
    if options.is_empty() {
        return None;
    }
    let mut found = Vec::new_in(arena.bump());
    let mut words = words.iter().map(|word| word.bytes().unwrap_or_default());
    while let Some(word) = words.next() {
        let letters = match word {
            b"--" => break,
            [b'-', b'-', ..] => continue,
            [b'-', letters @ ..] if !letters.is_empty() => letters,
            _ => break,
        };
        let mut at = 0;
        while let Some(letter) = letters.get(at..at + 1) {
            at += 1;
            let known = letter != b":" && memchr::memmem::find(options, letter).is_some();
            if !known {
                found.push((&b"?"[..], None));
                continue;
            }
            let place = memchr::memmem::find(options, letter).unwrap_or_default();
            if options.get(place + 1) != Some(&b':') {
                found.push((letter, None));
                continue;
            }
            let value = match letters.get(at..).filter(|rest| !rest.is_empty()) {
                Some(rest) => rest,
                None => words.next()?,
            };
            found.push((letter, Some(value)));
            break;
        }
    }
    Some(found)
}
