//! The command `lanner`.
