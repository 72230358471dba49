//! What exceptions add to a condition, as text.

use super::{
    decode::{Reader, Wrong},
    exception::{Comparison, Entry, Exception},
    written::Written,
};

/// The condition with what its exceptions add. Exceptions without values add nothing.
pub(super) fn expand(condition: &Written, exceptions: &[Exception], reader: &mut Reader<'_>) -> Result<Written, Wrong> {
    if exceptions.iter().all(|exception| exception.values.is_empty()) {
        return Ok(condition.clone());
    }
    let mut expanded = Written::default();
    let spot = exceptions.first().map(|exception| exception.about.spot).unwrap_or_default();
    expanded.push("(", spot);
    expanded.push_all(condition);
    expanded.push(")", spot);
    for exception in exceptions.iter().filter(|exception| !exception.values.is_empty()) {
        expanded.push(" and not (", exception.about.spot);
        match (&exception.fields, &exception.comps) {
            (Some(Entry::Text(field, _)), Some(Entry::Text(comparison, _))) => {
                flat(exception, field, comparison, &mut expanded, reader)?;
            }
            (Some(Entry::List(fields, _)), Some(Entry::List(comps, _))) => {
                tuples(exception, fields, comps, &mut expanded, reader)?;
            }
            // `check` has seen to it that there is no other shape.
            _ => return Err(Wrong),
        }
        expanded.push(")", exception.about.spot);
    }
    Ok(expanded)
}

/// `field in (a, b)`.
fn flat(
    exception: &Exception,
    field: &str,
    comparison: &str,
    out: &mut Written,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    out.push(&format!("{field} {comparison} ("), exception.about.spot);
    for (index, value) in exception.values.iter().enumerate() {
        let Entry::Text(text, spot) = value else {
            let message = "Expected values array to contain a list of strings; take the inner brackets out";
            return Err(reader.invalid(&exception.about, value.spot(), message));
        };
        out.push(if index > 0 { ", " } else { "" }, *spot);
        out.push(&single(text), *spot);
    }
    out.push(")", exception.about.spot);
    Ok(())
}

/// `(f1 = a and f2 = b) or (f1 = c and f2 = d)`.
fn tuples(
    exception: &Exception,
    fields: &[Entry],
    comps: &[Entry],
    out: &mut Written,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    for (index, tuple) in exception.values.iter().enumerate() {
        let members = match tuple {
            Entry::List(members, _) => members.as_slice(),
            Entry::Text(..) => &[],
        };
        if members.len() != fields.len() {
            let message = format!(
                "Fields and values lists must have equal length; there are {} fields, write as many values in brackets",
                fields.len()
            );
            return Err(reader.invalid(&exception.about, tuple.spot(), message));
        }
        out.push(if index > 0 { " or (" } else { "(" }, tuple.spot());
        for (index, ((field, comparison), value)) in fields.iter().zip(comps).zip(members).enumerate() {
            let (Entry::Text(field, _), Entry::Text(comparison, _)) = (field, comparison) else { return Err(Wrong) };
            let and = if index > 0 { " and " } else { "" };
            out.push(&format!("{and}{field} {comparison} "), value.spot());
            let takes_list = Comparison::read(comparison).is_some_and(Comparison::takes_list);
            let text = match value {
                Entry::List(members, _) => {
                    let texts = members.iter().map(|member| match member {
                        Entry::Text(text, _) => Some(single(text)),
                        Entry::List(..) => None,
                    });
                    let Some(texts) = texts.collect::<Option<Vec<_>>>() else {
                        return Err(reader.invalid(&exception.about, value.spot(), "lists nested too deep in values"));
                    };
                    format!("({})", texts.join(", "))
                }
                Entry::Text(text, _) if !takes_list => single(text),
                Entry::Text(text, _) if text.starts_with('(') => text.clone(),
                // `a, b` is two values.
                Entry::Text(text, _) if text.contains(',') => format!("({text})"),
                Entry::Text(text, _) => format!("({})", quoted(text)),
            };
            out.push(&text, value.spot());
        }
        out.push(")", tuple.spot());
    }
    Ok(())
}

/// A value of an exception: one text also if there is a comma in it, unless it is a transformer.
fn single(text: &str) -> String {
    let has_comma = text.contains(',') && !text.contains('(') && !text.starts_with(['"', '\'']);
    if has_comma { format!("\"{text}\"") } else { quoted(text) }
}

/// With quotes if there is a blank in it and no quote at its beginning. Nothing is escaped.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(' ') && !text.starts_with(['"', '\'']) { format!("\"{text}\"") } else { text.to_owned() }
}
