use super::data;
use lanner_engine::{
    event::{LogGroup, OtlpRequest},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, scope},
};
use serde_json::{Value as Json, json};

/// In 2030, so that no alert is from the future.
const OBSERVED: u64 = 1_900_000_000_000_000_000;

/// Falco's JSON as a receiver maps it that keeps everything.
pub fn falco(alerts: &str) -> Logs {
    let whole = MappingOptions {
        redact_command_lines: false,
        max_attribute_bytes: 0,
        max_attributes: 4096,
        ..MappingOptions::default()
    };
    let mut logs = Logs::default();
    FalcoMapper::new(&whole).map_body(&alerts.into(), OBSERVED, &scope("lanner.receiver.falco"), &mut logs);
    logs
}

/// The real alerts as they were sent, each with what the mapping makes of it; `None` without sample data.
pub fn alerts() -> Option<Vec<(Json, Logs)>> {
    let lines = data::lines("dev/falco_alerts.jsonl")?;
    Some(lines.into_iter().map(|line| (serde_json::from_str(&line).unwrap(), falco(&line))).collect())
}

/// Records that share a resource.
pub fn records(resource: Resource, records: impl IntoIterator<Item = impl Into<LogRecord>>) -> Logs {
    let records = records.into_iter().map(Into::into).collect();
    Logs { groups: vec![LogGroup { resource: resource.into(), scope: scope("test"), records }] }
}

/// An export request of records.
pub fn request_of(logs: Logs) -> Request {
    Request::new(Batch::logs(logs).to_otlp())
}

/// An export request of alerts written as JSON.
pub fn alert_request(alerts: &[Json]) -> Request {
    let mut all = Logs::default();
    for alert in alerts {
        for group in falco(&alert.to_string()).groups {
            group.records.into_iter().for_each(|record| all.push(group.resource.clone(), group.scope.clone(), record));
        }
    }
    request_of(all)
}

/// A request whose bytes are no OTLP.
pub fn broken_request() -> Request {
    Request::new(OtlpRequest { signal: Signal::Logs, bytes: vec![0xff; 8].into(), items: 1 })
}

/// An alert of every trick that a hostile value may try on a sink: ends of strings, lines, templates, markup, terminal
/// control, mentions, text in the other direction, and a field of 100 kB.
pub fn hostile() -> Json {
    let nasty = "\"}],\"x\":1}\n{\"create\":{}}\r\n{{ 7*7 }}{% for %}${jndi:ldap://x}%proc.name</script><!channel>@everyone \
                 @channel <@U1> [click](http://evil.example) `code` **bold** \u{1b}[31m\u{0}\u{7}\u{202e}\\ ' & end";
    json!({
        "hostname": nasty, "output": nasty, "priority": "Critical", "rule": nasty, "source": nasty,
        "time": "2025-02-10T09:15:40.698757001Z", "tags": [nasty, "T1059"],
        "output_fields": {
            "proc.name": nasty, "k8s.ns.name": nasty, "k8s.pod.name": nasty, "fd.num": 9_007_199_254_740_993_i64,
            "container.image.repository": nasty, "huge": "ä\"".repeat(50_000), nasty: nasty,
        },
    })
}

/// Alerts with text in every field that tries to be more than text (S11): mentions, links, entities, markup, terminal
/// control, line breaks, HTML, template syntax, marks that turn the direction of writing.
pub fn hostile_each() -> Vec<String> {
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
