//! lanner-exporters
