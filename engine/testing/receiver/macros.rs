//! The macros that make a test of every row.

/// A test for every row of [`push`](crate::testing::receiver::push), of the subject that the function `$subject` describes.
/// The crate needs tokio with `macros` and, for its tests, `test-util`.
#[macro_export]
macro_rules! push_receiver_conformance {
    ($subject:path) => {
        $crate::push_receiver_conformance!(@rows $subject:
            accepted, some_invalid, invalid, busy, no_room, room_in_time, draining, not_answered_before_it_is_taken,
            size_is_capped, decompression_is_capped, nesting_is_bounded, connections_are_capped,
            broken_head, broken_body, sender_gone, receiver_dropped,
            draining_finishes_what_is_in_flight, drain_refuses_new, several_on_one_connection, garbage);
        $crate::push_receiver_conformance!(@timed $subject:
            slow_head, slow_body, idle_connections_do_not_hold, drain_is_bounded);
    };
    (@rows $subject:path: $($row:ident),*) => {$(
        #[tokio::test]
        async fn $row() {
            $crate::testing::receiver::push::$row(&$subject()).await;
        }
    )*};
    (@timed $subject:path: $($row:ident),*) => {$(
        #[tokio::test]
        async fn $row() {
            let clock = $crate::testing::receiver::Clock {
                pause: tokio::time::pause,
                advance: |by| Box::pin(tokio::time::advance(by)),
            };
            $crate::testing::receiver::push::$row(&$subject(), clock).await;
        }
    )*};
}

/// A test for every row of [`pull`](crate::testing::receiver::pull), of the subject that the function `$subject` describes.
#[macro_export]
macro_rules! pull_receiver_conformance {
    ($subject:path) => {
        $crate::pull_receiver_conformance!(@rows $subject:
            accepted, invalid, busy, draining, stopping, lost, drain_without_source, receiver_dropped);
    };
    (@rows $subject:path: $($row:ident),*) => {$(
        #[tokio::test]
        async fn $row() {
            $crate::testing::receiver::pull::$row(&$subject()).await;
        }
    )*};
}
