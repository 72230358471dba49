//! `lanner explain`: what a code of `validate` means.

use super::{Outcome, print};
use lanner_engine::config::codes;
use std::process::ExitCode;

/// Explains an error code, for example L0104
#[derive(clap::Args)]
pub struct Args {
    code: String,
}

impl Args {
    pub fn run(&self) -> Outcome {
        match codes::explain(&self.code) {
            Some(code) => {
                print(&format!(
                    "{}: {}\n\n{}\n\nwrong:\n{}\n\nright:\n{}\n",
                    code.code,
                    code.title,
                    code.explanation,
                    indented(code.wrong),
                    indented(code.right)
                ))?;
                Ok(ExitCode::SUCCESS)
            }
            None => {
                eprintln!("lanner: there is no code `{}`; codes look like L0104", self.code);
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
