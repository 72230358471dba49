//! The `curl` program, which is the library Falco sends with.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Posts a body and returns the status and the answer's body.
pub fn post(url: &str, body: &[u8], options: &[&str]) -> (u16, String) {
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", "--data-binary", "@-", "--write-out", "\n%{http_code}"])
        .args(["--header", "Content-Type: application/json", "--user-agent", "falcosecurity/falco"])
        .args(options)
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("curl is installed");
    // A server may answer without reading everything; curl then closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(body);
    let output = child.wait_with_output().unwrap();
    split(&output.stdout)
}

/// Gets a page and returns the status and its body.
pub fn get(url: &str, options: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code}"])
        .args(options)
        .arg(url)
        .output()
        .expect("curl is installed");
    split(&output.stdout)
}

fn split(printed: &[u8]) -> (u16, String) {
    let printed = String::from_utf8_lossy(printed);
    let (body, status) = printed.rsplit_once('\n').unwrap_or(("", &printed));
    (status.parse().unwrap_or(0), body.to_owned())
}
