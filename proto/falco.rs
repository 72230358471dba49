//! Falco's gRPC API, Falco 0.24 to 0.43: the messages of `falco/*.proto`, written by hand so that building needs no protoc.
//!
//! Text of an alert is bytes here, which are the same on the wire: C++ servers send text that is not UTF-8 (part of a
//! watched process's command line), and a reader that insists would lose the alert. For the same reason the map of
//! output fields is the list of entries that it is on the wire.

#[cfg(test)]
mod tests;

/// gRPC method paths.
pub mod grpc_path {
    pub const SUB: &str = "/falco.outputs.service/sub";
    pub const GET: &str = "/falco.outputs.service/get";
    pub const VERSION: &str = "/falco.version.service/version";
}

/// Package `falco.outputs`.
pub mod outputs {
    use super::schema;
    use prost::bytes::Bytes;

    /// Asks for alerts.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub struct Request {}

    /// An alert.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Response {
        #[prost(message, optional, tag = "1")]
        pub time: Option<prost_types::Timestamp>,
        #[prost(enumeration = "schema::Priority", tag = "2")]
        pub priority: i32,
        #[prost(enumeration = "schema::Source", tag = "3")]
        pub source_deprecated: i32,
        #[prost(bytes = "bytes", tag = "4")]
        pub rule: Bytes,
        #[prost(bytes = "bytes", tag = "5")]
        pub output: Bytes,
        #[prost(message, repeated, tag = "6")]
        pub output_fields: Vec<OutputField>,
        #[prost(bytes = "bytes", tag = "7")]
        pub hostname: Bytes,
        #[prost(bytes = "bytes", repeated, tag = "8")]
        pub tags: Vec<Bytes>,
        #[prost(bytes = "bytes", tag = "9")]
        pub source: Bytes,
    }

    /// An entry of the map `output_fields`.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct OutputField {
        #[prost(bytes = "bytes", tag = "1")]
        pub key: Bytes,
        #[prost(bytes = "bytes", tag = "2")]
        pub value: Bytes,
    }
}

/// Package `falco.schema`.
pub mod schema {
    /// How urgent, the most urgent first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub enum Priority {
        Emergency = 0,
        Alert = 1,
        Critical = 2,
        Error = 3,
        Warning = 4,
        Notice = 5,
        Informational = 6,
        Debug = 7,
    }

    /// Where an event comes from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
    #[repr(i32)]
    pub enum Source {
        Syscall = 0,
        K8sAudit = 1,
        Internal = 2,
        Plugin = 3,
    }
}

/// Package `falco.version`.
pub mod version {
    /// Asks for the version.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub struct Request {}

    /// The version.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Response {
        #[prost(string, tag = "1")]
        pub version: String,
        #[prost(uint32, tag = "2")]
        pub major: u32,
        #[prost(uint32, tag = "3")]
        pub minor: u32,
        #[prost(uint32, tag = "4")]
        pub patch: u32,
        #[prost(string, tag = "5")]
        pub prerelease: String,
        #[prost(string, tag = "6")]
        pub build: String,
        #[prost(uint32, tag = "7")]
        pub engine_minor: u32,
        #[prost(string, tag = "8")]
        pub engine_fields_checksum: String,
        #[prost(uint32, tag = "9")]
        pub engine_major: u32,
        #[prost(uint32, tag = "10")]
        pub engine_patch: u32,
        #[prost(string, tag = "11")]
        pub engine_version: String,
    }
}
