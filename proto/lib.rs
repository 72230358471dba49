//! lanner-proto
