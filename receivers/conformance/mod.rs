//! Every receiver of this crate against the conformance kit of the engine; a file each says what it is and what its senders
//! see. `docs/receivers.md` shows it to users.

mod docker_logs;
mod falco_grpc;
mod falco_http;
mod file_log;
mod generator;
mod k8s_audit;
#[cfg(feature = "kafka")]
mod kafka;
mod nats;
mod otlp;
mod stdin;

#[cfg(feature = "kafka")]
use lanner_engine::testing::receiver::table;
use lanner_engine::testing::receiver::{pull::PullSubject, push::PushSubject};
use std::collections::BTreeSet;

/// Makes a test of every row for every subject, and the lists of them.
macro_rules! conformance {
    (
        push { $($push:ident: $push_subject:path,)* }
        pull { $($(#[$condition:meta])? $pull:ident: $pull_subject:path,)* }
    ) => {
        $(mod $push { lanner_engine::push_receiver_conformance!($push_subject); })*
        $($(#[$condition])? mod $pull { lanner_engine::pull_receiver_conformance!($pull_subject); })*

        /// In the order of the table's columns.
        fn push_subjects() -> Vec<PushSubject> {
            vec![$($push_subject()),*]
        }

        /// In the order of the table's columns.
        fn pull_subjects() -> Vec<PullSubject> {
            Vec::from([$($(#[$condition])? $pull_subject()),*])
        }
    };
}

conformance! {
    push {
        falco_http_rows: crate::conformance::falco_http::subject,
        k8s_audit_rows: crate::conformance::k8s_audit::subject,
        otlp_grpc_rows: crate::conformance::otlp::grpc,
        otlp_http_rows: crate::conformance::otlp::protobuf,
        otlp_json_rows: crate::conformance::otlp::json,
    }
    pull {
        falco_grpc_rows: crate::conformance::falco_grpc::subject,
        docker_logs_rows: crate::conformance::docker_logs::subject,
        file_log_rows: crate::conformance::file_log::subject,
        #[cfg(feature = "kafka")]
        kafka_rows: crate::conformance::kafka::subject,
        nats_rows: crate::conformance::nats::subject,
        stdin_rows: crate::conformance::stdin::subject,
        generator_rows: crate::conformance::generator::subject,
    }
}

/// `depth` opening brackets and as many closing ones around nothing.
fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// The line of an alert; the number makes it another one.
pub(crate) fn alert(output: &str, number: usize) -> String {
    format!(
        r#"{{"output":"{output} {number}","priority":"Notice","rule":"Terminal shell in container","source":"syscall","time":"2026-11-22T12:00:00Z","output_fields":{{}}}}"#
    )
}

/// Scenario: somebody adds a receiver.
/// Guarantee: it is a subject of the conformance kit, so every row is tested for it.
#[test]
fn every_receiver_is_a_subject() {
    let push = push_subjects().into_iter().map(|subject| subject.factory.type_name);
    let pull = pull_subjects().into_iter().map(|subject| subject.factory.type_name);
    let subjects: BTreeSet<&str> = push.chain(pull).collect();
    let receivers: BTreeSet<&str> = crate::ALL.iter().map(|factory| factory.type_name).collect();
    assert_eq!(subjects, receivers, "describe the missing ones in receivers/conformance/");
}

/// Scenario: a user looks up what senders see.
/// Guarantee: the tables of `docs/receivers.md` are the ones that are tested; `LANNER_BLESS=1` writes them anew. They have a
/// column for every receiver there is, so this needs all features.
#[cfg(feature = "kafka")]
#[test]
fn the_table_shown_to_users_is_current() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receivers.md");
    table::check_page(page, &push_subjects(), &pull_subjects());
}
