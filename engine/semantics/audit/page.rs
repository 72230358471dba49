//! The section of `docs/mapping.md` on audit events, made from the table.

use super::{
    reasons,
    table::{self, As, ROWS, SEVERITIES, When},
};
use std::fmt::Write as _;

/// Writes the section.
pub(in crate::semantics) fn section(out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n# How Kubernetes audit events become log records\n\n\
         `event_name` is `k8s.audit.event`. The time is `requestReceivedTimestamp` at stage RequestReceived, else\n\
         `stageTimestamp`. The body is one line: user, verb, resource, namespace and name, code. SeverityText is empty.\n\n\
         `log.record.uid` is `<auditID>/<stage>/<digest>`; the digest is made as above, with the kind `k8s.audit.event` and\n\
         the parts cluster name and bytes of the event as received (and, when Lanner removed its objects, the BLAKE3 hash of\n\
         what was removed). A client may choose `auditID`, so it identifies nothing by itself.\n\n\
         | when, first match | SeverityNumber |\n|---|---|"
    )?;
    for (when, number) in SEVERITIES {
        let when = match when {
            When::Stage(stages) => format!("stage {}", stages.join(" or ")),
            When::CodeFrom(code) => format!("code {code} and above"),
            When::Code(codes) => {
                format!("code {}", codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))
            }
            When::Otherwise => "otherwise".to_owned(),
        };
        writeln!(out, "| {when} | {} |", number.0)?;
    }
    writeln!(out, "\n| event | attribute | value |\n|---|---|---|")?;
    for row in ROWS {
        writeln!(out, "| `{}` | `{}` | {} |", row.from, row.name, words(row.kind))?;
    }
    writeln!(out, "| both timestamps | `{}` | seconds from the request to the stage |", table::DURATION)?;
    writeln!(out, "| `annotations` | `{}<key>` | text |", table::ANNOTATION)?;
    writeln!(out, "| `user.extra` | `{}<key>` | list of texts |", table::USER_EXTRA)?;
    writeln!(
        out,
        "| too large | `{}` | true when `requestObject` and `responseObject` were removed |",
        table::OBJECTS_REMOVED
    )?;
    writeln!(
        out,
        "\n`requestObject` and `responseObject` are left out, except what JSON pointers in the configuration choose. The data of\n\
         Secrets and ConfigMaps and issued tokens then read `[REDACTED]`.\n\nAs a plain record, its body the text:\n\n\
         | reason | meaning |\n|---|---|"
    )?;
    for (reason, meaning) in reasons::PLAIN {
        writeln!(out, "| `{reason}` | {meaning} |")?;
    }
    writeln!(out, "\nAs an audit event, counted as degraded:\n\n| reason | meaning |\n|---|---|")?;
    for (reason, meaning) in reasons::DEGRADED {
        writeln!(out, "| `{reason}` | {meaning} |")?;
    }
    Ok(())
}

fn words(kind: As) -> &'static str {
    match kind {
        As::Text => "text",
        As::Int => "integer",
        As::List => "list of texts",
        As::First => "the first of the list; all but the last are chosen by the client",
        As::UrlPath => "what is before the question mark",
        As::UrlQuery => "what is behind the question mark",
        As::Method => "the HTTP method of the verb",
        As::OfPods => "text, when the resource is `pods`",
        As::OfFailure => "text, when the code is 400 or above",
    }
}
