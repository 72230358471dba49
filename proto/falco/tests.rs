//! The hand-written messages against the `.proto` files.

use super::{outputs, schema, version};
use prost::{Message, bytes::Bytes};
use std::collections::{BTreeMap, HashMap};

const OUTPUTS: &str = include_str!("outputs.proto");
const SCHEMA: &str = include_str!("schema.proto");
const VERSION: &str = include_str!("version.proto");

/// Name, type and number of each field or value in a block (`message response`, `enum priority`) of a `.proto` file.
fn entries(file: &str, block: &str) -> BTreeMap<u32, (String, String)> {
    let (_, rest) = file.split_once(&format!("{block} {{\n")).expect(block);
    let (body, _) = rest.split_once("\n}").expect("an end");
    let statements = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(';'));
    statements
        .map(|statement| {
            let (left, number) = statement.split_once(" = ").expect(statement);
            let (kind, name) = left.rsplit_once(' ').unwrap_or(("", left));
            (number.parse().expect(statement), (name.to_owned(), kind.to_owned()))
        })
        .collect()
}

/// Field numbers and wire types of an encoded message, as protobuf defines them: (number << 3) | type.
fn wire(message: &impl Message) -> BTreeMap<u32, u64> {
    let mut bytes = Bytes::from(message.encode_to_vec());
    let mut found = BTreeMap::new();
    while !bytes.is_empty() {
        let key = prost::encoding::decode_varint(&mut bytes).expect("a key");
        let length = prost::encoding::decode_varint(&mut bytes).expect("a number or a length");
        found.insert((key >> 3) as u32, key & 7);
        if key & 7 == 2 {
            drop(bytes.split_to(length as usize));
        }
    }
    found
}

/// The names of a message's fields, in the order of their numbers, as `Debug` shows them.
fn names(message: &impl std::fmt::Debug) -> Vec<String> {
    let text = format!("{message:#?}");
    let top = text.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    top.filter_map(|line| line.trim().split_once(": ").map(|(name, _)| name.to_owned())).collect()
}

fn assert_in_step(message: &(impl Message + std::fmt::Debug), file: &str) {
    let entries = entries(file, "message response");
    let wire_type = |kind: &str| if matches!(kind, "uint32") || kind.starts_with("falco.schema.") { 0 } else { 2 };
    let expected: BTreeMap<u32, u64> = entries.iter().map(|(number, (_, kind))| (*number, wire_type(kind))).collect();
    assert_eq!(wire(message), expected);
    assert_eq!(names(message), entries.values().map(|(name, _)| name.clone()).collect::<Vec<_>>());
}

fn alert() -> outputs::Response {
    outputs::Response {
        time: Some(prost_types::Timestamp { seconds: 1_748_736_000, nanos: 1 }),
        priority: schema::Priority::Notice as i32,
        source_deprecated: schema::Source::Plugin as i32,
        rule: "A rule".into(),
        output: "something".into(),
        output_fields: vec![outputs::OutputField { key: "proc.pid".into(), value: "7".into() }],
        hostname: "node-1".into(),
        tags: vec!["a".into(), "b".into()],
        source: "github".into(),
    }
}

/// Scenario: somebody changes a name, a number or a type in a `.proto` file or in the messages.
/// Guarantee: the two agree, field by field, on the wire.
#[test]
fn messages_are_those_of_the_proto_files() {
    assert_in_step(&alert(), OUTPUTS);
    let text = String::from("x");
    let version = version::Response {
        version: text.clone(),
        major: 1,
        minor: 2,
        patch: 3,
        prerelease: text.clone(),
        build: text.clone(),
        engine_minor: 4,
        engine_fields_checksum: text.clone(),
        engine_major: 5,
        engine_patch: 6,
        engine_version: text,
    };
    assert_in_step(&version, VERSION);
    for file in [OUTPUTS, VERSION] {
        assert!(file.contains("message request {}\n"));
    }
    let names = |block| entries(SCHEMA, block).into_iter().map(|(number, (name, _))| (number as i32, name));
    // `K8sAudit` here is `K8S_AUDIT` there.
    let same = |here: &dyn std::fmt::Debug, there: &str| {
        assert_eq!(format!("{here:?}").to_uppercase(), there.replace('_', ""));
    };
    for (number, name) in names("enum priority") {
        same(&schema::Priority::try_from(number).expect("known"), &name);
    }
    for (number, name) in names("enum source") {
        same(&schema::Source::try_from(number).expect("known"), &name);
    }
    assert_eq!((names("enum priority").count(), names("enum source").count()), (8, 4));
    assert!(schema::Priority::try_from(8).is_err() && schema::Source::try_from(4).is_err());
}

/// Scenario: a method or package is renamed in one place.
/// Guarantee: the paths are package, service and method of the files.
#[test]
fn paths_are_those_of_the_proto_files() {
    for (file, method, path) in [
        (OUTPUTS, "sub(stream request) returns (stream response)", super::grpc_path::SUB),
        (OUTPUTS, "get(request) returns (stream response)", super::grpc_path::GET),
        (VERSION, "version(request) returns (response)", super::grpc_path::VERSION),
    ] {
        let (_, rest) = file.split_once("package ").expect("a package");
        let (package, rest) = rest.split_once(';').expect("an end");
        assert!(rest.contains(&format!("rpc {method};")), "{method}");
        let (name, _) = method.split_once('(').expect("a method");
        assert_eq!(path, format!("/{package}.service/{name}"));
        assert!(rest.contains("service service {"));
    }
}

/// The alert as a reader that insists on UTF-8 and maps declares it.
#[derive(Clone, PartialEq, prost::Message)]
struct Strict {
    #[prost(string, tag = "4")]
    rule: String,
    #[prost(map = "string, string", tag = "6")]
    output_fields: HashMap<String, String>,
    #[prost(string, repeated, tag = "8")]
    tags: Vec<String>,
}

/// Scenario: alerts between this reader and one that declares text and a map; one with text that is not UTF-8.
/// Guarantee: they are the same on the wire; what is not UTF-8 arrives here, byte for byte.
#[test]
fn bytes_and_entries_are_text_and_map_on_the_wire() {
    let strict = Strict::decode(&*alert().encode_to_vec()).expect("the same wire");
    assert_eq!(strict.rule, "A rule");
    assert_eq!(strict.output_fields, HashMap::from([("proc.pid".to_owned(), "7".to_owned())]));
    assert_eq!(strict.tags, ["a", "b"]);
    let back = outputs::Response::decode(&*strict.encode_to_vec()).expect("the same wire");
    assert_eq!((back.output_fields, back.tags), (alert().output_fields, alert().tags));
    let latin = outputs::Response { rule: Bytes::from_static(b"caf\xe9"), ..alert() }.encode_to_vec();
    assert!(Strict::decode(&*latin).is_err());
    assert_eq!(&*outputs::Response::decode(&*latin).expect("tolerant").rule, b"caf\xe9");
}
