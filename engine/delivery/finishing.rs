//! `Finishing`: a future that is finished even when whoever waits for it goes away.
//!
//! Promise: once begun it runs to its end, here or, when this is dropped on the way, in a task of its own. Only its own panic and the
//! end of the runtime end it earlier. Never begun, it does nothing.
//!
//! Why not a task from the start: hardly anybody goes away, and each event would pay for a task and its turns of the scheduler.

use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::runtime::Handle;

/// See the head of the module.
pub(super) struct Finishing<T: Send + 'static> {
    /// Gone at the end.
    future: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

impl<T: Send + 'static> Finishing<T> {
    /// Finishes this.
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Some(Box::pin(future)), begun: false }
    }
}

impl<T: Send + 'static> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        // While it is polled it is not here, so that a panic does not leave a broken one behind.
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        if self.begun
            && let Some(future) = self.future.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, poll};
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };
    use tokio::sync::Notify;

    /// A future that waits to be let go on, then counts.
    fn counting() -> (Finishing<()>, Arc<Notify>, Arc<AtomicUsize>) {
        let (go_on, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let finishing = Finishing::new({
            let (go_on, ended) = (Arc::clone(&go_on), Arc::clone(&ended));
            async move {
                go_on.notified().await;
                ended.fetch_add(1, Relaxed);
                go_on.notify_one();
            }
        });
        (finishing, go_on, ended)
    }

    /// Scenario: a future is awaited to its end; dropped on the way; dropped before it has begun.
    /// Guarantee: the first two end, once; the third never begins.
    #[tokio::test]
    async fn what_has_begun_ends() {
        let (finishing, go_on, ended) = counting();
        go_on.notify_one();
        finishing.await;
        assert_eq!(ended.load(Relaxed), 1);

        let (mut finishing, go_on, ended) = counting();
        assert!(poll!(&mut finishing).is_pending());
        drop(finishing);
        assert_eq!(ended.load(Relaxed), 0);
        go_on.notify_one();
        // Given by the future at its end.
        go_on.notified().await;
        assert_eq!(ended.load(Relaxed), 1);

        let (finishing, go_on, ended) = counting();
        drop(finishing);
        assert_eq!((Arc::strong_count(&go_on), ended.load(Relaxed)), (1, 0));
    }

    /// Scenario: a future that panics.
    /// Guarantee: whoever waits gets the panic, and nothing of it goes on.
    #[tokio::test]
    async fn a_panic_ends_it() {
        let alive = Arc::new(());
        let finishing = Finishing::new({
            let alive = Arc::clone(&alive);
            async move {
                tokio::task::yield_now().await;
                drop(alive);
                panic!("as wanted");
            }
        });
        assert!(std::panic::AssertUnwindSafe(finishing).catch_unwind().await.is_err());
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
