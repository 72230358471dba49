use super::*;
use crate::testing::{data, falco, hostile_each, records, request_of};
use lanner_engine::testing::log;

/// The message that a look makes of the first record.
fn message(config: Json, logs: &Logs) -> Json {
    let group = &logs.groups[0];
    plan(config).0.unwrap().look.message(&group.resource, &group.records[0])
}

/// Scenario: an alert of Falco.
/// Guarantee: this is what Slack gets: a line for notifications, then a card with colour, output and fields under Falco's
/// names.
#[test]
fn golden_message() {
    let logs = falco(
        r#"{"hostname":"node-1","output":"A shell <sh> was spawned","priority":"Warning","rule":"Terminal shell in container",
        "source":"syscall","tags":["container","shell","mitre_execution","T1059"],"time":"2026-11-22T10:00:00.123Z",
        "output_fields":{"proc.name":"bash","proc.tty":34816,"k8s.ns.name":"shop","k8s.pod.name":"cart-1","user.name":null}}"#,
    );
    let section = |fields: &[&str]| -> Json {
        let fields = fields.iter().map(|text| json!({"type": "mrkdwn", "text": text, "verbatim": true}));
        json!({"type": "section", "fields": fields.collect::<Vec<_>>()})
    };
    let fields = [
        "*rule*\n`Terminal shell in container`",
        "*priority*\n`Warning`",
        "*source*\n`syscall`",
        "*hostname*\n`node-1`",
        "*tags*\n`container, shell, mitre_execution, T1059`",
        "*k8s.ns.name*\n`shop`",
        "*k8s.pod.name*\n`cart-1`",
        "*proc.name*\n`bash`",
        "*proc.tty*\n`34816`",
        "*time*\n`2026-11-22T10:00:00.123Z`",
    ];
    let output = json!({"type": "mrkdwn", "text": "```A shell &lt;sh&gt; was spawned```", "verbatim": true});
    let last = json!({"type": "mrkdwn", "text": "Execution · T1059", "verbatim": true});
    assert_eq!(
        message(bot(json!({})), &logs),
        json!({
            "text": "*Warning* Terminal shell in container · `shop/cart-1`",
            "unfurl_links": false, "unfurl_media": false, "link_names": false,
            "attachments": [{"color": "#ffc700", "blocks": [
                {"type": "section", "text": output},
                section(&fields),
                {"type": "context", "elements": [last]},
            ]}],
        })
    );
    let chosen =
        message(bot(json!({"text": "%rule by %proc.name", "fields": ["proc.name", "user.name", "team.x"]})), &logs);
    assert_eq!(chosen["text"], "Terminal shell in container by bash");
    assert_eq!(chosen["attachments"][0]["blocks"][1], section(&["*proc.name*\n`bash`"]));
}

/// Scenario: what falcosidekick's own test expects of its message for an alert.
/// Guarantee: the same colour, and every field of it, in its order; numbers beside.
#[test]
fn fields_and_colour_are_those_of_falcosidekick() {
    let Some(cases) = data::lines("expected_outputs.jsonl") else { return };
    let cases = cases.iter().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let mut seen = 0;
    for case in cases.filter(|case| case["output"] == "slack") {
        let logs = falco(&case["event"].to_string());
        let message = message(bot(json!({})), &logs);
        let expected = &case["expected"]["attachments"][0];
        let card = &message["attachments"][0];
        assert_eq!(card["color"], expected["color"]);
        assert_eq!(card["blocks"][0]["text"]["text"], format!("```{}```", expected["text"].as_str().unwrap()));
        let fields: Vec<&str> = card["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|block| block["fields"].as_array())
            .flatten()
            .map(|field| field["text"].as_str().unwrap())
            .collect();
        let titles: Vec<&str> = fields.iter().map(|text| text[1..].split_once("*\n").unwrap().0).collect();
        let wanted: Vec<&str> =
            expected["fields"].as_array().unwrap().iter().map(|field| field["title"].as_str().unwrap()).collect();
        let common: Vec<&str> = titles.iter().copied().filter(|title| wanted.contains(title)).collect();
        assert_eq!(common, wanted);
        assert!(fields.contains(&"*proc.tty*\n`1234`"), "{fields:?}");
        seen += 1;
    }
    assert!(seen > 0);
}

/// Scenario: every sample alert, and 500 alerts with hostile text in every field (S11).
/// Guarantee: every message is within Slack's limits, and no text of an event is markup, a mention, a link or control.
#[test]
fn s11_hostile_alerts_stay_text() {
    let mut alerts = hostile_each();
    assert_eq!(alerts.len(), 500);
    alerts.extend(data::lines("dev/falco_alerts.jsonl").unwrap_or_default());
    for alert in alerts {
        let logs = falco(&alert);
        for config in
            [json!({}), json!({"text": "%rule %output", "fields": ["rule", "output", "hostname", "proc.name"]})]
        {
            let message = message(bot(config), &logs);
            assert_eq!(check(&message), BTreeSet::new(), "{alert}");
            assert!(!message.to_string().contains("<!"), "{message}");
        }
    }
}

/// Scenario: alerts with up to 128 fields of up to 4096 bytes, of letters, emoji, combining marks, Hebrew and entities; a
/// rule, a place and a recommendation as long (X3: 51 blocks, 3001 and 13300 characters).
/// Guarantee: every message is within the limits; what is cut ends in an ellipsis; what is not shown is counted.
#[test]
fn x3_messages_keep_slacks_limits() {
    let alphabets = ["a", "<", "&é", "👨\u{200d}👩\u{200d}👧", "e\u{301}", "שלום ", "\u{1b}", "`*_"];
    let (mut state, mut cut, mut left_out) = (1u64, 0, 0);
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..50 {
        let mut text = |most: usize| alphabets[random(alphabets.len())].repeat(random(most) + 1);
        let mut record = log()
            .event_name("falco.alert")
            .priority(Priority::Critical)
            .body(Value::text(text(5000)))
            .attr("security_rule.name", Value::text(text(600)))
            .attr("security_rule.category", Value::text(text(600)))
            .attr("lanner.recommendation", Value::text(text(4000)));
        for field in 0..(round * 5 % 129) {
            record = record.attr(&format!("field{field}.{}", text(100)), Value::text(text(4096)));
        }
        let mut resource = Resource::default();
        resource.attrs.set("k8s.namespace.name", Value::text(text(500)));
        let message = message(bot(json!({})), &records(resource, [record]));
        assert_eq!(check(&message), BTreeSet::new(), "round {round}");
        cut += usize::from(message.to_string().contains('…'));
        left_out += usize::from(message.to_string().contains("not shown"));
    }
    assert!(cut > 45 && left_out > 20, "{cut} {left_out}");
}

/// Scenario: a record of another program, with nothing but a line; an empty one.
/// Guarantee: both are shown.
#[tokio::test(start_paused = true)]
async fn plain_records_are_shown() {
    let fake = Fake::willing();
    let running = Running::start(bot(json!({})), &fake).await;
    let logs = records(Resource::default(), [log().body("hello"), log()]);
    assert_eq!(running.export(request_of(logs)).await.unwrap(), Outcome::Delivered);
    assert_eq!(fake.lines(), ["Log record", "Log record"]);
    assert!(fake.calls().iter().all(|call| check(&call.message).is_empty()));
}
