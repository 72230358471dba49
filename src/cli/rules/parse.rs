//! `lanner rules parse`: whether a text is a condition.

use super::{
    super::{Format, Outcome, print},
    files::STDIN,
    wrong_usage,
};
use lanner_rules::language::{Limits, SyntaxError, parse_with};
use serde_json::json;
use std::{
    io::{self, BufRead, Read},
    process::ExitCode,
};

/// Reads conditions and prints them with their groups in parentheses: exit code 1 when one is not a condition
///
/// Fields and macros are not looked up; `lanner rules check` does that.
#[derive(clap::Args)]
pub struct Args {
    /// A condition, for example 'ka.verb = create and not ka.user.name in (admin)'; `-` reads it from standard input
    #[arg(value_name = "CONDITION", allow_hyphen_values = true)]
    condition: String,
    /// Standard input has many conditions, each ended by a NUL byte
    #[arg(short = '0', long)]
    null: bool,
    /// For programs: an object a line for each condition
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Args {
    pub fn run(&self) -> Outcome {
        let good = match (self.condition == STDIN, self.null) {
            (false, true) => return wrong_usage("--null is for standard input; write `-` as the condition"),
            (false, false) => self.one(self.condition.as_bytes())?,
            (true, false) => self.one(&bounded(&mut io::stdin().lock(), None)?)?,
            (true, true) => self.many(&mut io::stdin().lock())?,
        };
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Whether all of them are conditions.
    fn many(&self, input: &mut impl BufRead) -> io::Result<bool> {
        let mut good = true;
        while !input.fill_buf()?.is_empty() {
            let condition = bounded(input, Some(0))?;
            good &= self.one(condition.strip_suffix(&[0]).unwrap_or(&condition))?;
        }
        Ok(good)
    }

    fn one(&self, condition: &[u8]) -> io::Result<bool> {
        let text = String::from_utf8_lossy(condition);
        // Where a rule has it: as deep, and as long.
        let parsed = parse_with(&text, Limits::RULES);
        match (self.format, &parsed) {
            (Format::Human, Ok(expr)) => print(&expr.to_string())?,
            (Format::Human, Err(error)) => eprintln!("error: {}", error.render(&text)),
            (Format::Json, Ok(expr)) => print(&json!({"valid": true, "condition": expr.to_string()}).to_string())?,
            (Format::Json, Err(error)) => print(&as_json(error, &text))?,
        }
        Ok(parsed.is_ok())
    }
}

fn as_json(error: &SyntaxError, text: &str) -> String {
    let place = error.span.place(text);
    json!({"valid": false, "message": error.to_string(), "line": place.line, "column": place.column}).to_string()
}

/// Reads to the end or up to and with a byte. Of what is longer than a condition may be, one byte more is kept, so that
/// the parser says so.
fn bounded(input: &mut impl BufRead, end: Option<u8>) -> io::Result<Vec<u8>> {
    let most = Limits::RULES.length as u64 + 2;
    let mut text = Vec::new();
    let mut taken = input.take(most);
    match end {
        None => taken.read_to_end(&mut text)?,
        Some(end) => taken.read_until(end, &mut text)?,
    };
    Ok(text)
}
