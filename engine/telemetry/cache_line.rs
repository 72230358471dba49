//! `CacheLine`: a value whose changes slow nobody down who uses its neighbours; [`stripe`]: which part of a thing in parts a thread
//! uses.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How many parts a thing has that threads change at once.
pub(crate) const STRIPES: usize = 4;

thread_local! {
    static STRIPE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Relaxed) % STRIPES
    };
}

/// The part of this thread, below [`STRIPES`].
pub(crate) fn stripe() -> usize {
    // A thread that is ending has no number any more.
    STRIPE.try_with(|stripe| *stripe).unwrap_or(0)
}

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
