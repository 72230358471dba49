//! lanner-processors
