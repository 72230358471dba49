//! Tells the program which compiler made it: instruction counts of another one mean nothing.

use std::{env, process::Command};

fn main() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!("cargo::rustc-env=LANNER_COMPILER={version}");
    println!("cargo::rerun-if-changed=build.rs");
}
