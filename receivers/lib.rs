//! lanner-receivers
