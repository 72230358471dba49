//! `CacheLine`: a value whose changes slow nobody down who uses its neighbours.

use std::ops::Deref;

/// A value alone on its cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct CacheLine<T>(T);

impl<T> Deref for CacheLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
