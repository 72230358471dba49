//! The grammar of ids, and whose state is whose.

use super::{BuildCx, ComponentId, Kind, PipelineId};
use crate::event::Signal;

/// Scenario: ids as the Collector allows them, blanks around the parts included.
/// Guarantee: type and name are told apart at the first slash, and what is printed is read back.
#[test]
fn component_ids() {
    for (text, type_name, name) in [
        ("debug", "debug", None),
        ("otlp_grpc/tempo", "otlp_grpc", Some("tempo")),
        (" otlp / a ", "otlp", Some("a")),
        ("a/b/c", "a", Some("b/c")),
        ("A1_b/\"x\".é-1", "A1_b", Some("\"x\".é-1")),
    ] {
        let id: ComponentId = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((id.type_name(), id.name()), (type_name, name), "{text}");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let longest = format!("{}/{}", "t".repeat(63), "é".repeat(1024));
    assert!(longest.parse::<ComponentId>().is_ok());
}

/// Scenario: texts that are no ids.
/// Guarantee: each is refused with the reason.
#[test]
fn component_ids_that_are_none() {
    let (long_type, long_name) = ("t".repeat(64), format!("t/{}", "n".repeat(1025)));
    for text in ["", "  ", "/a", "a/", "a/ ", "1a", "_a", "a-b", "é", "a b", "a/b c", "a/b\nc", "a/$x", "a/x=y"] {
        assert!(text.parse::<ComponentId>().is_err(), "{text:?}");
    }
    assert!(long_type.parse::<ComponentId>().is_err() && long_name.parse::<ComponentId>().is_err());
    let error = long_name.parse::<ComponentId>().unwrap_err().to_string();
    assert!(error.contains("1025") && error.len() < 200, "{error}");
}

/// Scenario: pipelines of each signal, and of none.
/// Guarantee: the signal is read, the text kept; another word is refused.
#[test]
fn pipeline_ids() {
    for (text, signal) in [("logs", Signal::Logs), ("metrics/red", Signal::Metrics), ("traces/a/b", Signal::Traces)] {
        let id: PipelineId = text.parse().unwrap();
        assert_eq!((id.signal, id.as_str()), (signal, text));
    }
    for text in ["", "log", "Logs", "events/a", "logs/", "debug"] {
        assert!(text.parse::<PipelineId>().is_err(), "{text:?}");
    }
}

/// Scenario: a processor with a storage stands in two pipelines; another one has a name that reads like the first and its
/// pipeline.
/// Guarantee: each has state of its own.
#[tokio::test]
async fn state_is_apart_for_each_pipeline() {
    let (memory, extension) = (crate::testing::MemoryStorage::default(), "file_storage".parse().unwrap());
    let mut owners = std::collections::BTreeSet::new();
    for (id, pipeline) in [("aggregate", "logs"), ("aggregate", "logs/logs"), ("aggregate/logs", "logs")] {
        let cx = BuildCx::new(Kind::Processor, id.parse().unwrap(), Default::default(), Default::default());
        let cx = memory.offer(&extension, cx.in_pipeline(&pipeline.parse().unwrap()));
        let storage = cx.storage(&extension).unwrap();
        assert_eq!(storage.get("key").await.unwrap(), None, "{id} in {pipeline}");
        storage.put(vec![("key".into(), Some(bytes::Bytes::from_static(b"value")))]).await.unwrap();
        assert!(owners.insert(cx.owner()));
    }
}
