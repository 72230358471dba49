//! The bytes on disk, in version 1. Everything is little-endian. The drawing is in the README of the crate.
//!
//! A file is a [`segment`] header and then [`record`]s, each at a multiple of 8 bytes; a record's body holds
//! [`body`] entries and cursors. Nothing refers to another file but by queue name and offset, so that every record
//! can be read without its neighbours.

pub mod body;
pub mod checksum;
pub mod names;
pub mod record;
pub mod segment;

/// Fixed-size little-endian fields out of bytes that may be too short.
pub(crate) mod field {
    pub fn u32(from: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*from.get(at..)?.first_chunk()?))
    }

    pub fn u64(from: &[u8], at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*from.get(at..)?.first_chunk()?))
    }
}
