use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, scope},
};

/// In 2030, so that no alert is from the future.
const OBSERVED: u64 = 1_900_000_000_000_000_000;

/// Falco's JSON as a receiver maps it.
pub fn falco(alerts: &str) -> Logs {
    let mut logs = Logs::default();
    FalcoMapper::new(&MappingOptions::default()).map_body(&alerts.into(), OBSERVED, &scope("test"), &mut logs);
    logs
}

/// Records that share a resource.
pub fn records(resource: Resource, records: impl IntoIterator<Item = impl Into<LogRecord>>) -> Logs {
    let records = records.into_iter().map(Into::into).collect();
    Logs { groups: vec![lanner_engine::event::LogGroup { resource: resource.into(), scope: scope("test"), records }] }
}

/// A request with these records.
pub fn request_of(logs: Logs) -> Request {
    Request::new(Batch::logs(logs).to_otlp())
}

/// Alerts with text in every field that tries to be more than text (S11): mentions, links, entities, markup, terminal
/// control, line breaks, HTML, template syntax, marks that turn the direction of writing.
pub fn hostile() -> Vec<String> {
    const TEXTS: [&str; 25] = [
        "<!channel>",
        "<!here|x>",
        "<@U12345678>",
        "<#C1|x>",
        "<!subteam^S1>",
        "<http://evil.example|click>",
        "&lt;!channel&gt;",
        "&#60;!channel&#62;",
        "`<!channel>`",
        "```<!channel>",
        "*_~`",
        "@channel @here #general",
        "http://evil.example/x?y=1&z=2",
        "\u{1b}[2J\u{1b}]8;;http://evil.example\u{7}x",
        "a\r\nb\nc",
        "\u{202e}gpj.exe",
        "\u{200b}\u{feff}\u{2066}x",
        "<script>alert(1)</script>",
        "{{7*7}} ${env:HOME} %proc.name",
        "\"}]}, {\"text\":\"x\"",
        "\\\"\\u0000",
        "🧨👨\u{200d}👩\u{200d}👧\u{1f3fd}",
        "שלום <!here>",
        "e\u{301}\u{301}\u{301}",
        ">>> quote",
    ];
    const FIELDS: [&str; 20] = [
        "proc.name",
        "proc.cmdline",
        "proc.pname",
        "user.name",
        "fd.name",
        "k8s.ns.name",
        "k8s.pod.name",
        "container.name",
        "container.id",
        "container.image.repository",
        "evt.type",
        "evt.args",
        "x.y",
        "rule",
        "hostname",
        "tags",
        "output",
        "source",
        "priority",
        "uuid",
    ];
    let alert = |text: &str, field: &str| {
        let mut fields = serde_json::Map::new();
        fields.insert(field.to_owned(), text.into());
        fields.insert(text.to_owned(), text.into());
        serde_json::json!({
            "rule": text, "output": text, "hostname": text, "source": text, "tags": [text], "priority": "Critical",
            "time": "2026-11-22T10:00:00Z", "output_fields": fields,
        })
        .to_string()
    };
    TEXTS.iter().flat_map(|text| FIELDS.iter().map(move |field| alert(text, field))).collect()
}
