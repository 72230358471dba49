//! Subjects, written with fields in braces: `falco.{priority}.{rule}`.
//!
//! Promises: a subject has as many words as the template, whatever the fields hold, because a value becomes a part of one word:
//! lower-case ASCII letters, digits and `-`, everything else `_`; its first word is the template's own, so no value leads out of
//! what the operator named; nothing is ever empty.
//!
//! Braces and not Falco's `%field`, because the dots between words are letters of fields.

use lanner_conditions::{Field, FieldConfig, Seen};
use lanner_engine::{prelude::*, semantics};

/// What is written for a value that is not there.
const ABSENT: &str = "unknown";
/// Most letters of a value; the protocol's lines have a limit of 4096.
const LONGEST_VALUE: usize = 128;
const LONGEST_TEMPLATE: usize = 1024;
const MOST_FIELDS: usize = 16;

/// A compiled subject.
#[derive(Debug)]
pub struct Subject(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    /// As a word; the field itself is a rank, so that it can be compared.
    Priority,
    Field(Field),
}

/// A text that can make no subject.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("`subject` is empty; write for example `falco.{{priority}}.{{rule}}`")]
    Empty,
    #[error(
        "`subject` is longer than {LONGEST_TEMPLATE} letters or has more than {MOST_FIELDS} fields; write a shorter one"
    )]
    TooLong,
    #[error("a brace is not closed; write a field as `{{rule}}`")]
    Unclosed,
    #[error(
        "outside of braces a subject has letters, digits, `-` and `_`, and single dots between its words; remove {0:?}"
    )]
    Letter(char),
    #[error("a word of the subject is empty; write one dot between two words and none at the ends")]
    EmptyWord,
    #[error(
        "the first word of a subject must be plain text, so that no event can choose it; write for example `falco.{{rule}}`"
    )]
    OpenBeginning,
}

impl Subject {
    /// Compiles the template at `path` and reports every problem.
    pub fn compile(template: &str, path: &str, cx: &mut PlanCx<'_>) -> Option<Self> {
        let pieces = match split(template) {
            Ok(pieces) => pieces,
            Err(problem) => {
                cx.error(path, problem);
                return None;
            }
        };
        let mut compile = |piece| match piece {
            Written::Text(text) => Some(Piece::Text(text.to_owned())),
            Written::Field("priority") => Some(Piece::Priority),
            Written::Field(field) => FieldConfig(field.to_owned()).compile(path, cx).map(Piece::Field),
        };
        // Each is looked at, so that every misspelt field is reported.
        let compiled: Vec<Option<Piece>> = pieces.into_iter().map(&mut compile).collect();
        compiled.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    /// The subject of every record, if it is the same for all.
    pub fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The subject of a record.
    pub fn of(&self, seen: Seen<'_>) -> String {
        let mut subject = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => subject.push_str(text),
                Piece::Priority => {
                    push_word(&mut subject, semantics::priority(seen.record).map(Priority::title).unwrap_or_default());
                }
                Piece::Field(field) => push_word(&mut subject, &field.text(seen).unwrap_or_default()),
            }
        }
        subject
    }
}

/// A part of the template as it is written.
enum Written<'t> {
    Text(&'t str),
    Field(&'t str),
}

fn split(template: &str) -> Result<Vec<Written<'_>>, Problem> {
    if template.is_empty() {
        return Err(Problem::Empty);
    }
    let mut pieces = Vec::new();
    // What the template is with every field in one letter.
    let mut outline = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (text, behind) = rest.split_at(at);
        let (field, after) = behind.split_at(behind.find('}').ok_or(Problem::Unclosed)?);
        pieces.extend((!text.is_empty()).then_some(Written::Text(text)));
        pieces.push(Written::Field(field.trim_start_matches('{').trim()));
        outline.push_str(text);
        outline.push('?');
        rest = &after[1..];
    }
    pieces.extend((!rest.is_empty()).then_some(Written::Text(rest)));
    outline.push_str(rest);
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || "-_.?".contains(*letter);
    let texts = pieces.iter().filter_map(|piece| if let Written::Text(text) = piece { Some(*text) } else { None });
    if let Some(letter) = texts.flat_map(str::chars).find(|letter| !fits(letter) || *letter == '?') {
        return Err(Problem::Letter(letter));
    }
    if outline.split('.').any(str::is_empty) {
        return Err(Problem::EmptyWord);
    }
    if outline.split('.').next().is_some_and(|first| first.contains('?')) {
        return Err(Problem::OpenBeginning);
    }
    if template.len() > LONGEST_TEMPLATE || outline.matches('?').count() > MOST_FIELDS {
        return Err(Problem::TooLong);
    }
    Ok(pieces)
}

/// Appends a value as a part of one word.
fn push_word(subject: &mut String, value: &str) {
    let start = subject.len();
    let mut gap = false;
    for letter in value.chars() {
        if !letter.is_ascii_alphanumeric() && letter != '-' {
            gap = true;
            continue;
        }
        if subject.len() - start + 2 > LONGEST_VALUE {
            break;
        }
        if std::mem::take(&mut gap) && subject.len() > start {
            subject.push('_');
        }
        subject.push(letter.to_ascii_lowercase());
    }
    if subject.len() == start {
        subject.push_str(ABSENT);
    }
}
