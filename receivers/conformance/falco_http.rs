//! `falco_http`: Falco reads no status, so what is refused is lost; it is held back as long as allowed.

use super::nested;
use crate::falco_http::FalcoHttp;
use lanner_engine::{
    component::Factory,
    testing::receiver::push::{BODY_LIMIT, CONNECTIONS, Case, Expect, Format, Protocol, PushSubject},
};

const ALERT: &str = r#"{"hostname":"node-a","output":"12:00:00.000000001: Notice A shell was spawned","priority":"Notice","rule":"Terminal shell in container","source":"syscall","tags":["container","shell"],"time":"2026-11-22T12:00:00.000000001Z","output_fields":{"evt.time":1795348800000000001,"proc.name":"sh"}}"#;

pub fn subject() -> PushSubject {
    PushSubject {
        title: "`falco_http`",
        factory: Factory::receiver::<FalcoHttp>(),
        config: |place| {
            format!(
                "{{endpoint: 'localhost:{}', hold: {}, max_request_body_size: {BODY_LIMIT}, max_connections: {CONNECTIONS}}}",
                place.port,
                place.patience()
            )
        },
        protocol: Protocol::Http1,
        path: "/",
        content_type: "application/json",
        encodings: &["gzip", "deflate", "zstd", "snappy"],
        format: Format::Json,
        one: Case::new(ALERT, Expect::taken("200", 1)),
        several: Case::new([ALERT; 3].join("\n"), Expect::taken("200", 3)),
        some_invalid: Case::new(format!("{ALERT}\nnot json\n{ALERT}"), Expect::taken("200", 3)),
        invalid: Case::new("Falco is alive", Expect::taken("400", 1)),
        too_deep: Case::new(
            format!(r#"{{"rule":"deep","output_fields":{{"a":{}}}}}"#, nested(10_000)),
            Expect::taken("400", 1),
        ),
        waits: true,
        busy: Expect::refused("503, Retry-After: 1", "held_too_long", 0),
        no_room: Expect::refused("503, Retry-After: 1", "held_too_long", 1),
        draining: Expect::refused("503, Retry-After: 5", "draining", 1),
        too_large: Expect::refused("413", "too_large", 1),
        too_slow: Expect::refused("408", "body_timeout", 1),
        sender_gone: Expect::taken("", 1),
        broken_body: Expect::refused("", "broken_body", 1),
    }
}
