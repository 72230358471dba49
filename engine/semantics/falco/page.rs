//! `docs/mapping.md`, made from the table.
