//! Lanner's own rules. The README of the folder describes every one of them.
//!
//! Promises: they load without a finding; they carry ATT&CK tags; what users may want to change is a list, a macro or an
//! exception, so that a file loaded behind them can append to it.

/// Rules that come with Lanner.
#[derive(Debug, Clone, Copy)]
pub struct Ruleset {
    /// How configurations call it.
    pub name: &'static str,
    /// How messages call its text.
    pub file: &'static str,
    /// The rules.
    pub text: &'static str,
}

/// Rules for Kubernetes audit events.
pub const K8S_AUDIT: Ruleset =
    Ruleset { name: "k8s_audit", file: "builtin/k8s_audit.yaml", text: include_str!("k8s_audit.yaml") };

/// Rules for the alerts of Falco's system call rules. Their fields are those of the alerts, not of system calls.
pub const SYSCALL_ALERTS: Ruleset =
    Ruleset { name: "syscall", file: "builtin/syscall_alerts.yaml", text: include_str!("syscall_alerts.yaml") };

/// All of them.
pub const ALL: [Ruleset; 2] = [K8S_AUDIT, SYSCALL_ALERTS];
