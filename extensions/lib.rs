//! lanner-extensions
