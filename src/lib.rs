//! lanner
