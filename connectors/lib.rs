//! lanner-connectors
