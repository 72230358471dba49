//! The codes of findings: one table, what `lanner explain` prints. A code is never reused for something else.
//!
//! L00xx syntax, files, layers and references to variables; L01xx the shape of values; L02xx references between
//! components and the graph; L03xx resources and safety.

/// A code and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// Why it is a problem and what to do.
    pub explanation: &'static str,
    /// A piece of YAML (or a command) that leads to it.
    pub wrong: &'static str,
    /// The same, put right.
    pub right: &'static str,
}

/// Finds a code, in any letter case.
pub fn explain(code: &str) -> Option<&'static Code> {
    TABLE.iter().find(|known| known.code.eq_ignore_ascii_case(code.trim()))
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal, wrong $wrong:literal, right $right:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*
        /// All codes, in order.
        pub const TABLE: &[Code] = &[
            $(Code { code: $code, title: $title, explanation: $explanation, wrong: $wrong, right: $right },)*
        ];
    };
}

codes! {
    UNREADABLE = "L0001", "a configuration file cannot be read",
        "The path given with --config does not lead to a readable UTF-8 file, or a folder holds no *.yaml file.",
        wrong "lanner run -c gatway.yaml", right "lanner run -c gateway.yaml";
    SYNTAX = "L0002", "not valid YAML",
        "The file ends to be YAML at the place shown; what comes after it was not read. Tabs in the indentation, a missing quote or bracket and wrong indentation are the usual causes.",
        wrong "receivers: [falco_http", right "receivers: [falco_http]";
    DUPLICATE_KEY = "L0003", "a key is written twice",
        "Two equal keys in one map: one of them would silently win.",
        wrong "exporters:\n  debug:\n  debug:", right "exporters:\n  debug:\n  debug/second:";
    BUDGET = "L0004", "the file is too large or too deep",
        "A configuration file has at most 1 MiB, 64 levels and 100,000 values (aliases expanded), so that a hostile file cannot use up memory.",
        wrong "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]  # and so on", right "write the values out, or split the file in two";
    UNSUPPORTED_YAML = "L0005", "a YAML feature that has no meaning here",
        "Documents after the first, keys that are not text, private tags and aliases inside their own anchor are not read.",
        wrong "endpoint: !secret abc", right "endpoint: ${env:ENDPOINT}";
    UNSET = "L0006", "an environment variable is not set",
        "A reference to a variable that is not set gives null, as in the Collector. Set it, or write a default behind `:-`.",
        wrong "endpoint: ${env:SINK}", right "endpoint: ${env:SINK:-localhost:4317}";
    BAD_REFERENCE = "L0007", "a reference that cannot be read",
        "References are `${env:NAME}`, `${NAME}`, `${env:NAME:-default}` and `${file:PATH}`. A dollar sign that is meant as such is written `$$`.",
        wrong "endpoint: ${sink-address}", right "endpoint: ${env:SINK_ADDRESS}";
    UNREADABLE_REFERENCE = "L0008", "the file of a reference cannot be read",
        "`${file:PATH}` is replaced by the text of a file of at most 64 KiB, without the line end at its end.",
        wrong "token: ${file:/run/secrets/tokn}", right "token: ${file:/run/secrets/token}";
    ERASED = "L0009", "an empty key erases what an earlier file wrote",
        "Files are merged in order. A key with nothing behind it replaces the whole map of the files before it, as in the Collector. Remove the key to keep the map.",
        wrong "# second file\nexporters:", right "# second file: no `exporters` key at all";
    BAD_OVERRIDE = "L0010", "a --set argument or LANNER__ variable that cannot be used",
        "Write `--set key.key=value`; a part that contains dots is put in quotes. The variable form is LANNER__key__key=value.",
        wrong "--set exporters.otlp_grpc/a.b.endpoint=x:4317", right "--set 'exporters.\"otlp_grpc/a.b\".endpoint=x:4317'";
    EMPTY = "L0011", "empty configuration",
        "Nothing is configured. The smallest configuration has a receiver, an exporter and a pipeline that joins them.",
        wrong "", right "receivers:\n  falco_http:\nexporters:\n  debug:\nservice:\n  pipelines:\n    logs:\n      receivers: [falco_http]\n      exporters: [debug]";

    UNKNOWN_SECTION = "L0101", "an unknown key at the top, in service or in a pipeline",
        "The top keys are receivers, processors, connectors, exporters, extensions and service.",
        wrong "recievers:\n  falco_http:", right "receivers:\n  falco_http:";
    WRONG_TYPE = "L0103", "a value of the wrong type",
        "Values are not converted: a quoted number is text, and text is no number.",
        wrong "queue_size: \"1000\"", right "queue_size: 1000";
    UNKNOWN_KEY = "L0104", "an unknown key",
        "A component does not know the key, so whatever it says would be ignored.",
        wrong "otlp_grpc:\n  endpont: tempo:4317", right "otlp_grpc:\n  endpoint: tempo:4317";
    BAD_CHOICE = "L0105", "not one of the possible values",
        "The key takes one of a few words.",
        wrong "compression: gzp", right "compression: gzip";
    MISSING_KEY = "L0106", "a required key is missing",
        "The component has no default for the key.",
        wrong "watch: {}", right "watch:\n  path: /var/log/audit.json";
    BAD_VALUE = "L0107", "a value that cannot be read",
        "Durations have a unit (5s, 1m30s), addresses to listen on are host:port, regular expressions follow the syntax of the regex crate.",
        wrong "timeout: 5", right "timeout: 5s";
    OUT_OF_RANGE = "L0108", "a number out of range",
        "The number is smaller or larger than what the key allows.",
        wrong "num_consumers: 0", right "num_consumers: 1";
    BAD_ID = "L0109", "not a component or pipeline id",
        "Ids are `type` or `type/name`: a type starts with a letter and has letters, digits and _; a name has no blanks and no symbols. Pipelines are named logs, metrics or traces, with /name to have several.",
        wrong "exporters:\n  debug/:", right "exporters:\n  debug/verbose:";
    REFUSED = "L0110", "a component does not accept its configuration",
        "The shape is right, but the component cannot work with the values; the message says what it needs.",
        wrong "stamp:\n  key: \"\"", right "stamp:\n  key: deployment.environment.name";
    DOUBTFUL = "L0111", "a component warns about its configuration",
        "The component can work with it, but probably not as intended.",
        wrong "rule: \"\"", right "rule: Terminal shell";
    UNDECODABLE = "L0112", "a value that does not fit",
        "The value passes the checks of its key but not those of the whole.",
        wrong "port: 4294967296", right "port: 4317";
    CONFLICT = "L0113", "two values that do not go together",
        "Each value is possible, both together are not.",
        wrong "batch:\n  min_size: 100\n  max_size: 10", right "batch:\n  min_size: 10\n  max_size: 100";

    UNKNOWN_TYPE = "L0201", "an unknown component type",
        "This binary has no component of that type in that section; `lanner components` lists what it has.",
        wrong "receivers:\n  falco_htpp:", right "receivers:\n  falco_http:";
    OLD_TYPE = "L0202", "an older spelling of a component type",
        "The old name works as the Collector's does, but the new one is what documentation uses.",
        wrong "exporters:\n  otlp:", right "exporters:\n  otlp_grpc:";
    UNDEFINED = "L0203", "a reference to something that is not configured",
        "A pipeline or service::extensions names a component that its section does not define.",
        wrong "exporters: [otlp_grpc/tmpo]", right "exporters: [otlp_grpc/tempo]";
    NO_PIPELINE = "L0204", "no pipelines",
        "Without a pipeline under service::pipelines nothing runs.",
        wrong "service:\n  pipelines:", right "service:\n  pipelines:\n    logs:\n      receivers: [falco_http]\n      exporters: [debug]";
    EMPTY_PIPELINE = "L0205", "a pipeline without receivers or exporters",
        "A pipeline needs something in front and something behind; processors may be left out.",
        wrong "logs:\n  receivers: [falco_http]", right "logs:\n  receivers: [falco_http]\n  exporters: [debug]";
    NO_SECTION = "L0206", "no receivers or no exporters at all",
        "At least one receiver and one exporter must be configured; a connector does not count.",
        wrong "exporters:\n  debug:", right "receivers:\n  falco_http:\nexporters:\n  debug:";
    PROCESSOR_TWICE = "L0207", "a processor twice in one pipeline",
        "Give the second one a name to have two of a type.",
        wrong "processors: [filter, filter]", right "processors: [filter, filter/second]";
    LISTED_TWICE = "L0208", "a receiver, exporter or extension listed twice",
        "It is used once, as in the Collector.",
        wrong "exporters: [debug, debug]", right "exporters: [debug]";
    AMBIGUOUS = "L0209", "an ambiguous id",
        "A connector stands among receivers and exporters in pipelines, so it cannot have the id of one of those.",
        wrong "exporters:\n  debug:\nconnectors:\n  debug:", right "exporters:\n  debug/out:\nconnectors:\n  debug:";
    SIGNAL = "L0210", "a component in a pipeline of a signal it does not support",
        "The first half of a pipeline's id says what flows through it: logs, metrics or traces.",
        wrong "metrics:\n  receivers: [falco_http]", right "logs:\n  receivers: [falco_http]";
    CONNECTOR = "L0211", "a connector that does not join two pipelines",
        "A connector must be an exporter of one pipeline and a receiver of another, and must be able to turn the signal of the one into that of the other.",
        wrong "logs:\n  exporters: [event_metrics]", right "logs:\n  exporters: [event_metrics]\nmetrics:\n  receivers: [event_metrics]";
    CYCLE = "L0212", "pipelines in a circle",
        "Events would go round for ever. Break the circle that the message shows.",
        wrong "logs/a:\n  exporters: [forward/b]\nlogs/b:\n  receivers: [forward/b]\n  exporters: [forward/a]", right "logs/b:\n  receivers: [forward/b]\n  exporters: [debug]";
    UNUSED = "L0213", "a component that no pipeline uses",
        "It is configured and checked, but it is not started.",
        wrong "receivers:\n  falco_http:\n  k8s_audit:\n# pipelines use falco_http only", right "remove it, or list it in a pipeline";
    UNLISTED = "L0214", "an extension that service::extensions does not list",
        "Extensions start only when they are listed.",
        wrong "extensions:\n  health_check:", right "extensions:\n  health_check:\nservice:\n  extensions: [health_check]";
    NOT_STORAGE = "L0215", "`storage` names an extension that is no storage",
        "Checkpoints and other state are kept in a storage extension, such as file_storage.",
        wrong "file_log:\n  storage: health_check", right "file_log:\n  storage: file_storage";
    ROUTE = "L0216", "a route and its pipeline that do not fit",
        "A connector that routes names the pipelines it sends to, and each of them lists the connector among its receivers. Both must flow with the same signal.",
        wrong "routing:\n  default_pipelines: [logs/all]\n# and below: logs/all: {receivers: [falco_http]}", right "routing:\n  default_pipelines: [logs/all]\n# and below: logs/all: {receivers: [routing]}";

    PORT_CLASH = "L0301", "two components on one port",
        "Only one of them can listen; give the other another endpoint.",
        wrong "falco_http:\n  endpoint: localhost:2801\nk8s_audit:\n  endpoint: localhost:2801", right "k8s_audit:\n  endpoint: localhost:9765";
    NO_STORAGE = "L0302", "sending_queue::storage is not possible yet",
        "Storage extensions keep the small state of components, but not queues yet. Without the key the queue is in memory.",
        wrong "sending_queue:\n  storage: file_storage", right "sending_queue:\n  queue_size: 5000";
    OPEN_DOOR = "L0303", "listening beyond this machine without TLS",
        "Whoever reaches the address can send events, and everything is readable on the way. Listen on localhost, or configure tls, or make sure that the network is closed.",
        wrong "endpoint: 0.0.0.0:2801", right "endpoint: localhost:2801";
}
