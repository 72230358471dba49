//! `docs/mapping.md`, made from the table, so that page and code cannot differ.

use super::{
    reasons,
    table::{As, DERIVED, Place, ROWS, St},
};
use crate::{
    event::Priority,
    semantics::{SCHEMA_URL, category::Category, event_names, secrets::MARK, threat},
};
use std::fmt::Write as _;

/// The whole page.
pub(super) fn page() -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write(&mut out);
    out
}

fn write(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "# How Falco alerts become OpenTelemetry log records: mapping `v1`\n\n\
         Made from the tables in `engine/semantics`; edit those and run the tests with `LANNER_BLESS=1`.\n\n\
         A name or a type of `v1` never changes. Scopes carry `lanner.mapping` = `v1` and the schema URL\n\
         `{SCHEMA_URL}`. `null`, empty text and `<NA>` are left out; integers stay exact. Text over\n\
         `max_attribute_bytes` is cut at a character boundary; attributes over `max_attributes` are dropped and counted in\n\
         `dropped_attributes_count`, least important first. Values are data and never become names.\n\n\
         With `redact_command_lines`, the default, secrets that are recognised by their shape are `{MARK}` in\n\
         the body, in the original and in every text of a field; `log.record.uid` is that of the alert as it was sent.\n"
    )?;
    severity(out)?;
    record(out)?;
    fields(out)?;
    derived(out)?;
    identity(out)?;
    threats(out)?;
    oddities(out)?;
    crate::semantics::audit::page::section(out)?;
    carried(out)?;
    judged(out)
}

/// What the processor `categorize` adds.
fn judged(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n# What `categorize` adds\n\n\
         | attribute | value |\n|---|---|\n\
         | `lanner.indicators.{{process,user,container,file,address}}` | text lists: values to search for elsewhere |\n\
         | `lanner.compliance.{{pci_dss,nist_800_53,cis_controls}}` | text lists: controls of PCI DSS 4.0, NIST SP 800-53 r5, CIS Controls 8 |\n\
         | `lanner.recommendation`, `lanner.recommendation.id` | static text, and its name in its table |\n\
         | `lanner.threat.origin` | also `override`: the ids are the configuration's |\n\
         | `lanner.priority.original` | `falco.priority` before an override |"
    )
}

/// What a record keeps of the one that carried the event.
fn carried(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n# Events that other agents carry\n\n\
         `falco_parse` and `k8s_audit_parse` make the same records of events in the bodies of log records. The scope is\n\
         `lanner.processor.falco_parse` or `lanner.processor.k8s_audit_parse`.\n\n\
         | of the record that carried the event | becomes |\n|---|---|\n\
         | resource attributes | stay and win; what the event says differently is an attribute of the record |\n\
         | record attributes | stay, unless the event has one of that name; then they count in `dropped_attributes_count` |\n\
         | `observed_time_unix_nano`, trace and span id, flags | stay |\n\
         | `time_unix_nano` | for an event that has none |\n\
         | other keys of a body that is a map | `lanner.body.<key>`; a map or list as compact JSON |"
    )
}

fn severity(out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Severity\n\n| priority | SeverityNumber | `falco.priority` |\n|---|---|---|")?;
    for priority in Priority::ALL.iter().rev() {
        writeln!(out, "| {priority} | {} | `{}` |", priority.severity_number().0, priority.lower())?;
    }
    writeln!(
        out,
        "\nMatched without case; `Info` is `Informational`. SeverityText is the word as sent. Another word gives 0.\n"
    )
}

fn record(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "## The record\n\n| part | from |\n|---|---|\n\
         | `time_unix_nano` | `time`; else `evt.time`, `evt.time.iso8601`, `evt.rawtime`; else 0 |\n\
         | `observed_time_unix_nano` | time of receipt |\n\
         | `event_name` | `{}`; `{}` for source `internal` |\n\
         | body | `message`, else `output` |\n",
        event_names::FALCO_ALERT,
        event_names::FALCO_INTERNAL
    )
}

fn fields(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "## Output fields\n\n\
         S stable, RC release candidate, D development in OpenTelemetry, - our own or borrowed.\n\
         Every other field, and a value that fits none of these, is `falco.output_fields.<field>` (`[n]` becomes `.n`),\n\
         subject to `preserve`.\n\n| field | attribute | of | value | |\n|---|---|---|---|---|"
    )?;
    for row in ROWS {
        for target in row.to {
            let name = match target.name {
                "" => "-".to_owned(),
                name => format!("`{name}`"),
            };
            let value = match target.kind {
                As::TextUnless(other) => format!("text, unless `{}`", other.row().field),
                kind => words(kind).to_owned(),
            };
            writeln!(
                out,
                "| `{}` | {name} | {} | {value} | {} |",
                row.field,
                place(target.place),
                stability(target.stability)
            )?;
        }
    }
    writeln!(out)
}

/// A kind in words.
fn words(kind: As) -> &'static str {
    match kind {
        As::Same => "as it came",
        As::Int => "integer",
        As::LoginId => "integer; -1 and 4294967295 are left out",
        As::Text | As::TextUnless(_) => "text",
        As::TextInPod => "text, with Kubernetes fields",
        As::One => "list of one text",
        As::List => "list of texts",
        As::NotZero => "whether it is not 0",
        As::Time => "RFC 3339 time of nanoseconds",
        As::IpVersion => "`ipv4` or `ipv6`",
        As::FilePath => "absolute path; `fd.name` only of a file; the first of the four fields wins",
        As::Labels => "`key: value` pairs, one attribute each",
        As::Timestamp => "feeds `time_unix_nano` only",
        As::Derived => "feeds a derived attribute",
    }
}

fn derived(out: &mut String) -> std::fmt::Result {
    writeln!(out, "## Derived attributes\n\n| from | attribute | of | value | |\n|---|---|---|---|---|")?;
    for row in DERIVED {
        writeln!(
            out,
            "| {} | `{}` | {} | {} | {} |",
            row.from,
            row.name.replace(", ", "`, `"),
            place(row.place),
            row.how,
            stability(row.stability)
        )?;
    }
    writeln!(out, "\nA container whose id is `host` is no container: its fields are left out.\n")
}

fn identity(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "## Identity\n\n\
         `log.record.uid` is the first 16 bytes of BLAKE3, as 32 hexadecimal digits, over `lanner-uid-v1`, a zero byte,\n\
         the kind `falco.alert`, a zero byte, and each part as its length (8 bytes, big-endian) and its bytes: host name,\n\
         `falco.source`, rule, `falco.priority`, the time in nanoseconds as decimal digits, then the output, else the\n\
         message, else the output fields sorted by key: the key is a part, then a type byte (`s` text, `n` number, `b` flag,\n\
         `j` list or object) with the text or the source's own JSON. A missing part is empty. An alert without any time has\n\
         the time 0.\n"
    )
}

fn threats(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "## ATT&CK and categories\n\nTags decide. A well-formed id that is not listed is kept without a name; a tactic is\n\
         never guessed from a technique. The names are those of ATT&CK Enterprise v14 to v18.\n\n| id | name |\n|---|---|"
    )?;
    for (id, name, tag) in threat::TACTICS {
        writeln!(out, "| {id}, `mitre_{tag}` | {name} |")?;
    }
    for (id, name) in threat::TECHNIQUES {
        writeln!(out, "| {id} | {name} |")?;
    }
    let words = |base_only: bool| {
        let chosen = Category::ALL.iter().filter(|category| category.is_base() || !base_only);
        chosen.map(|category| category.as_str()).collect::<Vec<_>>().join(", ")
    };
    writeln!(
        out,
        "\nCategories, the first match wins: {}. With `categories: extended` of the\n\
         processor `categorize`: {}.\n",
        words(true),
        words(false)
    )
}

fn oddities(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "## What is kept though it is odd\n\nAs a plain record, its body the text:\n\n| reason | meaning |\n|---|---|"
    )?;
    for (reason, meaning) in reasons::PLAIN {
        writeln!(out, "| `{reason}` | {meaning} |")?;
    }
    writeln!(out, "\nAs an alert, counted as degraded:\n\n| reason | meaning |\n|---|---|")?;
    for (reason, meaning) in reasons::DEGRADED {
        writeln!(out, "| `{reason}` | {meaning} |")?;
    }
    Ok(())
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Record => "record",
        Place::Resource => "resource",
    }
}

fn stability(stability: St) -> &'static str {
    match stability {
        St::Stable => "S",
        St::Rc => "RC",
        St::Dev => "D",
        St::Own => "-",
    }
}
