//! The splitter alone: what comes out must not depend on how the body was cut.

use super::{door::EVENT, split::*};

/// Pieces of a body that is fed in steps: text or the reason, and whether something was removed.
fn split(body: &[u8], step: usize, max_item: usize) -> Vec<(String, Option<[u8; 32]>)> {
    let mut splitter = Splitter::new(max_item);
    let mut pieces = Vec::new();
    let mut found = |piece: Piece<'_>| match piece {
        Piece::Item { bytes, removed } => pieces.push((String::from_utf8_lossy(bytes).into_owned(), removed)),
        Piece::Broken { reason, .. } => pieces.push((format!("!{reason}"), None)),
    };
    for part in body.chunks(step) {
        splitter.feed(part, &mut found);
        assert!(splitter.held() <= 4 * (max_item + (64 << 10) + step) + 1024, "{}", splitter.held());
    }
    splitter.finish(&mut found);
    pieces
}

/// Scenario: whole and damaged bodies of every shape, fed byte by byte and in larger steps.
/// Guarantee: the same pieces each time; whole bodies give exactly their items.
#[test]
fn cutting_does_not_matter() {
    let pretty = "{\n  \"kind\": \"EventList\",\n  \"items\": [\n    {\"a\": [1, {\"items\": [2]}]},\n    {\"b\": \"x]}\\\"\\\\\"}\n  ]\n}\n";
    let whole: &[(&str, &[&str])] = &[
        (pretty, &["{\"a\": [1, {\"items\": [2]}]}", "{\"b\": \"x]}\\\"\\\\\"}"]),
        (
            "{\"items\":[{\"a\":1}],\"kind\":\"EventList\",\"metadata\":{\"x\":[{}]}}{\"b\":2}",
            &["{\"a\":1}", "{\"b\":2}"],
        ),
        ("[{\"a\":1},{\"items\":[{\"b\":1},7]},{\"c\":1}]", &["{\"a\":1}", "{\"b\":1}", "7", "{\"c\":1}"]),
        ("\u{feff}{\"a\":1}\r\n{\"b\":\"ä\"}\n", &["{\"a\":1}", "{\"b\":\"ä\"}"]),
        ("Falco is\nalive", &["Falco is", "alive"]),
        ("{\"items\":[]}", &[]),
        ("[]", &[]),
        ("", &[]),
    ];
    for (body, expected) in whole {
        for step in [1, 2, 3, 7, 64, 100_000] {
            let found: Vec<_> = split(body.as_bytes(), step, 1 << 20).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, *expected, "{body} in steps of {step}");
        }
    }
    let event = EVENT;
    for body in [
        format!("{{\"items\":[{event},{{\"x\":[}},{event},{event}]}}"),
        format!("{{\"items\":[{event},{{\"x\":\"unterminated}},{event}\n"),
        format!("{{\"x\":[}}\n{event}\n{{\"y\":\"\n{event}"),
        format!("[{event},{event}"),
        event[..200].to_owned(),
        "]}]}{[".to_owned(),
        "\"".repeat(1001),
    ] {
        let expected = split(body.as_bytes(), 100_000, 1 << 20);
        let events = expected.iter().filter(|(text, _)| text == event).count();
        assert!(events + 1 >= body.matches(event).count(), "{expected:?}");
        for step in [1, 5, 17, 400] {
            assert_eq!(split(body.as_bytes(), step, 1 << 20), expected, "{body} in steps of {step}");
        }
    }
}

/// Scenario: K3: items of 3 MB by their objects, and one by something else, between usual ones.
/// Guarantee: the objects are replaced by `null`, whatever the steps; different objects give different hashes; what is
/// too large even so is broken; the neighbours are untouched.
#[test]
fn large_items_lose_their_objects() {
    let large = |letter: &str| {
        format!(
            "{{\"stage\":\"Panic\",\"requestObject\":{{\"a\":\"{}\"}},\"verb\":\"get\",\"responseObject\":[{{\"items\":[1]}}],\"z\":1}}",
            letter.repeat(3_000_000)
        )
    };
    let stripped = "{\"stage\":\"Panic\",\"requestObject\":null,\"verb\":\"get\",\"responseObject\":null,\"z\":1}";
    let huge = format!("{{\"stage\":\"Panic\",\"userAgent\":\"{}\"}}", "u".repeat(3_000_000));
    let (x, y) = (large("x"), large("y"));
    let body = format!("{{\"items\":[{EVENT},{x},{huge},{EVENT},{x},{y},{EVENT}]}}");
    let mut before = None;
    for step in [4096, 70_001, 1 << 20, 100_000_000] {
        let found = split(body.as_bytes(), step, 1 << 20);
        let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, [EVENT, stripped, "!item_too_large", EVENT, stripped, stripped, EVENT], "{step}");
        assert_eq!(found[1].1, found[4].1);
        assert_ne!(found[4].1, found[5].1);
        assert!(found[1].1.is_some() && found[0].1.is_none());
        assert_eq!(*before.get_or_insert_with(|| found.clone()), found);
    }
}

/// Scenario: 200,000 brackets, and a line of 10 MB that is no JSON.
/// Guarantee: no recursion, bounded memory (asserted while feeding), one piece each.
#[test]
fn depth_and_length_are_bounded() {
    assert_eq!(split("[{\"a\":".repeat(100_000).as_bytes(), 4096, 1 << 20).len(), 1);
    let line = split("x".repeat(10_000_000).as_bytes(), 4096, 1 << 20);
    assert_eq!(line.len(), 1);
}

/// Scenario: bodies that end inside an event, in a list and alone, found by fuzzing.
/// Guarantee: the text that is kept is what came, without a line feed that nobody sent.
#[test]
fn what_is_cut_short_is_kept_as_it_came() {
    let part = &EVENT[..200];
    for body in [format!("{{\"items\":[{EVENT},{part}"), part.to_owned(), format!("[{part}\n")] {
        let mut broken = Vec::new();
        let mut found = |piece: Piece<'_>| {
            if let Piece::Broken { bytes, .. } = piece {
                broken.push(String::from_utf8_lossy(bytes).into_owned());
            }
        };
        let mut splitter = Splitter::new(1 << 20);
        splitter.feed(body.as_bytes(), &mut found);
        splitter.finish(&mut found);
        assert_eq!(broken.len(), 1);
        assert!(body.trim_end_matches('\n').ends_with(broken[0].trim_end_matches('\n')), "{broken:?}");
        assert_eq!(broken[0].ends_with('\n'), body.ends_with('\n'));
    }
}

/// Scenario: events over the limit, whole, broken and cut short, with what is too large inside and outside of their objects,
/// a line over 64 KiB, and a list whose end is broken; in steps of every kind. Found by fuzzing.
/// Guarantee: the same pieces to the byte, so that a batch that is sent again gives the same ids.
#[test]
fn cutting_does_not_matter_over_the_limit() {
    let large = |inside: &str| EVENT.replacen('{', &format!("{{{inside},"), 1);
    let object = large(&format!("\"requestObject\":{{\"a\":\"{}\"}}", "o".repeat(900)));
    let text = large(&format!("\"auditID\":\"{}\"", "t".repeat(900)));
    let pieces = |body: &str, step: usize| {
        let mut pieces = Vec::new();
        let mut found = |piece: Piece<'_>| {
            pieces.push(match piece {
                Piece::Item { bytes, removed } => (bytes.to_vec(), removed, ""),
                Piece::Broken { bytes, reason } => (bytes.to_vec(), None, reason),
            });
        };
        let mut splitter = Splitter::new(600);
        body.as_bytes().chunks(step).for_each(|part| splitter.feed(part, &mut found));
        splitter.finish(&mut found);
        pieces
    };
    let broken = text.replacen("ttt", "t\"]\"t", 1);
    for body in [
        format!("{{\"items\":[{object},{text},{{\"x\":1}}]}}"),
        format!("{{\"items\":[{broken},{object}]}}"),
        format!("{{\"items\":[{},{object}]}}", text.replace("ttt\"", "ttt\"]")),
        format!("{{\"items\":[{}", &text[..text.len() - 9]),
        format!("{}\n{EVENT}", "s".repeat(70_000)),
        format!("{{\"items\":[{},{{\"x\":1}}]}}", object.replacen("{\"a\"", "\"a\":{\"a\"", 1)),
        format!("{},\"items\":[{EVENT}]}}", &text[..text.len() - 1]),
        "{\"items\":[{}],\"metadata\":{\"a\":1],\n{\"x\":1}".to_owned(),
    ] {
        let whole = pieces(&body, body.len());
        assert!(whole.iter().all(|(bytes, _, _)| bytes.len() <= 64 << 10));
        for step in [1, 2, 17, 599, 601] {
            assert!(pieces(&body, step) == whole, "{} in steps of {step}", &body[..30]);
        }
    }
}

/// Takes every second event of a list itself.
#[derive(Default)]
struct EverySecond {
    asked: usize,
    taken: usize,
    pieces: Vec<Vec<u8>>,
}

impl Taker for EverySecond {
    fn events(&mut self, text: &str) -> usize {
        self.asked += 1;
        let event = text.find(EVENT).filter(|at| text[..*at].trim_matches([',', ' ', '\n']).is_empty());
        self.taken += usize::from(event.is_some());
        event.map_or(0, |at| at + EVENT.len())
    }

    fn piece(&mut self, piece: Piece<'_>) {
        self.pieces.push(piece.bytes().to_vec());
    }
}

/// Scenario: a list of events behind text that is no UTF-8, in steps of every kind, to a taker who takes only the first of
/// what is offered.
/// Guarantee: every event comes once, one way or the other; the taker is asked three times at most for what is fed at once,
/// and never for what is not in a list.
#[test]
fn what_is_not_taken_comes_in_pieces() {
    let events = [EVENT; 40].join(",");
    let body = [b"{\"kind\":\"EventList\",\"items\":[{\"a\":\"\xff\"},".as_slice(), events.as_bytes(), b"]}"].concat();
    for step in [1, 100, EVENT.len(), 3 * EVENT.len() + 7, body.len()] {
        let (mut taker, mut splitter) = (EverySecond::default(), Splitter::new(1 << 20));
        let mut fed = 0;
        for part in body.chunks(step) {
            splitter.feed(part, &mut taker);
            fed += 1;
            assert!(taker.asked <= 3 * fed, "in steps of {step}");
        }
        assert!(splitter.finish(&mut taker));
        assert_eq!(taker.taken + taker.pieces.len(), 41, "in steps of {step}");
        assert!(taker.pieces[1..].iter().all(|piece| piece == EVENT.as_bytes()));
        // No shorter step surely holds a whole event.
        assert!(taker.taken > 0 || step < 2 * EVENT.len());
    }
    let (mut taker, mut splitter) = (EverySecond::default(), Splitter::new(1 << 20));
    splitter.feed([EVENT; 3].join("\n").as_bytes(), &mut taker);
    splitter.finish(&mut taker);
    assert_eq!((taker.asked, taker.pieces.len()), (0, 3));
}
