//! `lanner rules`: outputs and exit codes that scripts rely on.

use crate::support::{
    data,
    lanner::{TempDir, binary, command, command_with},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

const RULES: &str = "- list: watched
  items: [pods, secrets]
- macro: created
  condition: ka.verb = create
- rule: Created
  desc: Something was created
  condition: created and ka.target.resource in (watched)
  output: created (user=%ka.user.name by=%ka.user.groups)
  priority: NOTICE
  source: k8s_audit
  tags: [k8s]
- rule: Eve
  desc: Eve did something
  condition: ka.user.name = eve
  output: eve was here
  priority: ERROR
  source: k8s_audit
";

const EVENT: &str = r#"{"auditID":"1","verb":"create","stageTimestamp":"2026-01-02T03:04:05.000000006Z","user":{"username":"eve"},"objectRef":{"resource":"pods"}}"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn file(dir: &TempDir, name: &str, content: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scenario: good rules; rules with two mistakes and something unused, for people and for programs; a folder; standard
/// input; a file that is not there.
/// Guarantee: everything is reported in one run with file, line, column and the line itself; exit codes 0 and 1.
#[test]
fn check_reports_everything() {
    let dir = TempDir::new();
    let good = file(&dir, "a.yaml", RULES);
    let output = command(&["rules", "check", &good]);
    assert_eq!((output.status.code(), text(&output.stdout).trim()), (Some(0), "2 rules, 1 macro, 1 list, 0 warnings"));

    let broken = RULES.replace("ka.user.name = eve", "ka.uzer.name = eve").replace("NOTICE", "LOUD")
        + "- list: idle\n  items: []\n";
    let broken = file(&dir, "broken.yml", &broken);
    let output = command(&["rules", "check", &broken]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("broken.yml:9:13") && shown.contains("LOUD"), "{shown}");
    assert!(shown.ends_with("1 error, 0 warnings\n"), "{shown}");
    let output = command(&["rules", "check", &broken, "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for row in &rows {
        for key in ["severity", "code", "message", "file", "line", "column", "path", "help"] {
            assert!(row.get(key).is_some(), "{key} is missing in {row}");
        }
    }
    assert_eq!(rows[0]["path"], "rule::Created");

    // In the order of the names: the overlay comes behind what it changes.
    file(
        &dir,
        "broken.yml",
        "- rule: Eve\n  enabled: false\n  override: {enabled: replace}\n- list: idle\n  items: []\n",
    );
    let folder = dir.path().to_str().unwrap();
    let output = command(&["rules", "check", folder]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), "2 rules, 1 macro, 2 lists, 1 warning");
    assert!(text(&output.stderr).contains("LOAD_UNUSED_LIST"));
    assert_eq!(command(&["rules", "check", folder, "--strict"]).status.code(), Some(1));

    assert!(command_with(&["rules", "check", "-"], RULES.as_bytes()).status.success());
    let output = command_with(&["rules", "check", "-"], b"- rule: [\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("<stdin>:"), "{}", text(&output.stderr));
    let output = command(&["rules", "check", "/there/is/no/such/file", &good]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("LOAD_ERR_FILE_READ"));
    assert_eq!(command(&["rules", "check"]).status.code(), Some(2));
}

/// Scenario: conditions as arguments and on standard input, one of several lines with a mistake, one with a NUL byte
/// where none may be, one that is too long.
/// Guarantee: the condition comes out in its normal form, the mistake with place and caret; exit codes 0, 1 and 2.
#[test]
fn parse_shows_the_normal_form_or_the_place() {
    let output = command(&["rules", "parse", "a.b=c  and not not (d or not e)"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "(a.b = c and (d or not e))\n".to_owned()));
    let output = command_with(&["rules", "parse", "-"], b"a.b = c\n  and )");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error: 2:7: expected"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("  |   and )\n  |       ^"), "{}", text(&output.stderr));
    let output = command_with(&["rules", "parse", "-", "--null", "--format", "json"], b"a.b = 1\0a.b\0\0c");
    let rows = lines(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    let valid: Vec<&Value> = rows.iter().map(|row| &row["valid"]).collect();
    assert_eq!(valid, [&json!(true), &json!(false), &json!(false), &json!(true)]);
    assert_eq!((&rows[1]["line"], &rows[1]["column"]), (&json!(1), &json!(4)));
    let output = command_with(&["rules", "parse", "-"], &b"a".repeat(3 << 20));
    assert!(text(&output.stderr).contains("bytes, at most"), "{}", text(&output.stderr));
    assert_eq!(command(&["rules", "parse", "a", "--null"]).status.code(), Some(2));
}

/// Scenario: events alone, in an EventList, in an array, among damaged lines and alerts, by the first and by all rules.
/// Guarantee: one alert a line in Falco's shape; what is not evaluated is named by line and counted; matches do not change
/// the exit code.
#[test]
fn eval_prints_alerts() {
    let dir = TempDir::new();
    let rules = file(&dir, "rules.yaml", RULES);
    let list = format!(r#"{{"kind":"EventList","items":[{EVENT},{EVENT}]}}"#);
    let events =
        format!("{EVENT}\n\nnonsense\n{list}\n[{EVENT}]\r\n{{\"rule\":\"an alert\"}}\n{}\n{EVENT}", &EVENT[..40]);
    let path = file(&dir, "events.jsonl", &events);
    let output = command(&["rules", "eval", "--rules", &rules, &path]);
    let (alerts, said) = (lines(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert_eq!(alerts.len(), 5, "{said}");
    let first = text(&output.stdout).lines().next().unwrap().to_owned();
    let (_, behind) = first.split_once(r#","output":"#).unwrap();
    assert_eq!(
        behind,
        concat!(
            r#""03:04:05.000000006: Notice created (user=eve by=<NA>)","#,
            r#""output_fields":{"evt.time":1767323045000000006,"ka.user.groups":null,"ka.user.name":"eve"},"#,
            r#""priority":"Notice","rule":"Created","source":"k8s_audit","tags":["k8s"],"time":"2026-01-02T03:04:05.000000006Z"}"#,
        )
    );
    for part in ["line 3 is skipped: not_json", "line 6 is skipped: not_event", "line 7 is skipped: not_json"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(said.contains("8 events, 5 matched, 3 skipped (not_event 1, not_json 2)\n       5  Created"), "{said}");

    let all = command_with(&["rules", "eval", "-r", &rules, "--matching", "all", "-"], events.as_bytes());
    assert_eq!(lines(&all.stdout).len(), 10);
    assert!(text(&all.stderr).contains("       5  Eve"), "{}", text(&all.stderr));
    let none = command_with(&["rules", "eval", "-r", &rules, "-"], b"");
    assert_eq!((none.status.code(), none.stdout.len()), (Some(0), 0));
}

/// Scenario: no rules; broken rules; rules of another source; events that are not there; both on standard input.
/// Guarantee: nothing is evaluated, the message says what to do; exit code 1, 2 for wrong usage.
#[test]
fn eval_refuses_what_it_cannot_do() {
    let dir = TempDir::new();
    let rules = file(&dir, "rules.yaml", RULES);
    let broken = file(&dir, "broken.yaml", "- rule: x\n");
    let events = file(&dir, "events.jsonl", EVENT);
    let cases: [(&[&str], i32, &str); 5] = [
        (&[&events], 2, "--rules"),
        (&["-r", &broken, &events], 1, "broken.yaml:1:"),
        (&["-r", &rules, "--source", "syscall", &events], 1, "choose another --source"),
        (&["-r", &rules, "/there/is/no/such/file"], 1, "cannot be read"),
        (&["-r", "-", "-"], 2, "put one into a file"),
    ];
    for (args, code, message) in cases {
        let output = command(&[&["rules", "eval"], args].concat());
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

/// Scenario: one line of 60 MiB that is one EventList, then one event of 6 MiB.
/// Guarantee: memory stays below the length of the line; every event of the list is evaluated; the one that is too large
/// is counted.
#[test]
fn eval_needs_bounded_memory() {
    const EVENTS: usize = 600;
    let dir = TempDir::new();
    let rules = file(&dir, "rules.yaml", RULES);
    let mut child = Command::new(binary())
        .args(["rules", "eval", "-r", &rules, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let padded = |bytes: usize| EVENT.replacen('{', &format!(r#"{{"padding":"{}","#, "x".repeat(bytes)), 1);
    let large = padded(100 << 10);
    pipe.write_all(br#"{"kind":"EventList","items":["#).unwrap();
    for event in 0..EVENTS {
        let comma = if event > 0 { "," } else { "" };
        pipe.write_all(format!("{comma}{large}").as_bytes()).unwrap();
    }
    pipe.write_all(format!("]}}\n{}\n{EVENT}\n", padded(6 << 20)).as_bytes()).unwrap();
    // What was written was read, but for what a pipe holds.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().to_owned();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(pipe);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.contains(&format!("{} events, {} matched, 1 skipped", EVENTS + 2, EVENTS + 1)), "{said}");
    assert!(peak < 48 << 10, "{peak} KiB");
}

/// Scenario: a rule over the team's alerts (or a made-up one) that looks at the first rule's name and at its fields.
/// Guarantee: it sees both; alerts of other sources are counted as such.
#[test]
fn eval_runs_rules_over_alerts() {
    let dir = TempDir::new();
    let rules = "- rule: Shell\n  desc: d\n  condition: security_rule.name icontains shell and proc.name in (sh, bash)\n  output: again %proc.name\n  priority: INFO\n";
    let rules = file(&dir, "rules.yaml", rules);
    let made_up =
        r#"{"rule":"A shell","priority":"Notice","time":"2026-01-01T00:00:00Z","output_fields":{"proc.name":"sh"}}"#;
    let other = r#"{"rule":"A shell","source":"k8s_audit"}"#;
    let mut alerts = vec![made_up.to_owned(), other.to_owned()];
    alerts.extend(data::lines("dev/falco_alerts.jsonl").unwrap_or_default());
    let is_shell = |alert: &&Value| {
        let name = alert["output_fields"]["proc.name"].as_str().unwrap_or_default();
        let rule = alert["rule"].as_str().unwrap_or_default().to_lowercase();
        matches!(alert["source"].as_str(), None | Some("syscall"))
            && rule.contains("shell")
            && matches!(name, "sh" | "bash")
    };
    let expected = lines(alerts.join("\n").as_bytes()).iter().filter(is_shell).count();
    let output =
        command_with(&["rules", "eval", "-r", &rules, "--source", "syscall", "-"], alerts.join("\n").as_bytes());
    let (found, said) = (lines(&output.stdout), text(&output.stderr));
    assert_eq!(found.len(), expected, "{said}");
    assert!(expected >= 1 && said.contains("line 2 is skipped: other_source"), "{said}");
    assert_eq!(found[0]["output"], "00:00:00.000000000: Informational again sh");
}
