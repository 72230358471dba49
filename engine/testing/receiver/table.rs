//! The status table as users see it, made of the subjects that are tested.

use super::{
    pull::{Fate, PullSubject, Supply},
    push::{Expect, PushSubject},
};
use std::fmt::Write;

/// Around what the program writes; the prose outside is the author's.
const BEGIN: &str = "<!-- tables: from the conformance subjects; LANNER_BLESS=1 writes them anew -->";
const END: &str = "<!-- end of tables -->";

/// A row: what happens, and the text for a subject.
type Row<S> = (&'static str, fn(&S) -> String);

/// Compares the tables in the page at `path` with the subjects. With `LANNER_BLESS` in the environment it writes them instead.
///
/// # Panics
/// The page is missing, has no place for the tables, or shows others.
pub fn check_page(path: &str, push: &[PushSubject], pull: &[PullSubject]) {
    let page = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{path} has no `{BEGIN}` and `{END}`"));
    let current = format!("{before}{BEGIN}\n\n{}\n{}\n{END}{after}", push_table(push), pull_table(pull));
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::write(path, &current).unwrap_or_else(|error| panic!("{path}: {error}"));
    } else {
        assert!(page == current, "{path} is out of date; run this test with LANNER_BLESS=1");
    }
}

/// What senders of requests see.
pub fn push_table(subjects: &[PushSubject]) -> String {
    let rows: [Row<PushSubject>; 11] = [
        ("taken", |subject| said(&subject.one.expect)),
        ("three items, one of them bad", |subject| said_and_kept(&subject.some_invalid.expect)),
        ("nothing usable", |subject| said_and_kept(&subject.invalid.expect)),
        ("nested 10,000 deep", |subject| said_and_kept(&subject.too_deep.expect)),
        ("larger than the limit, as sent or unpacked", |subject| said(&subject.too_large)),
        ("a queue is full", |subject| waited(subject, &subject.busy)),
        ("the memory budget is used up", |subject| waited(subject, &subject.no_room)),
        ("Lanner is stopping", |subject| said(&subject.draining)),
        ("the body stops coming", |subject| said(&subject.too_slow)),
        ("the sender leaves inside its body", |subject| said_and_kept(&subject.broken_body)),
        ("the sender leaves before the answer", |subject| said_and_kept(&subject.sender_gone)),
    ];
    table(subjects, |subject| subject.title, &rows)
}

/// What becomes of items that a receiver fetches.
pub fn pull_table(subjects: &[PullSubject]) -> String {
    let rows: [Row<PullSubject>; 6] = [
        ("an item", |_| "arrives once".to_owned()),
        ("an item that cannot be used", |subject| fate(subject.invalid)),
        ("an item above the limit", |subject| fate(subject.oversized)),
        ("a queue is full", |_| "it waits; nothing is lost".to_owned()),
        ("Lanner is stopping", |subject| match subject.supply {
            Supply::Added => "what was fetched is finished".to_owned(),
            Supply::Endless => "ends; what it held is counted".to_owned(),
        }),
        ("the source goes away and comes back", |subject| {
            if subject.leaves { "goes on; every item once" } else { "–" }.to_owned()
        }),
    ];
    table(subjects, |subject| subject.title, &rows)
}

fn table<S>(subjects: &[S], title: fn(&S) -> &'static str, rows: &[Row<S>]) -> String {
    let mut text = String::from("| |");
    for subject in subjects {
        let _ = write!(text, " {} |", title(subject));
    }
    let _ = write!(text, "\n|---|{}\n", "---|".repeat(subjects.len()));
    for (what, cell) in rows {
        let _ = write!(text, "| {what} |");
        for subject in subjects {
            let _ = write!(text, " {} |", cell(subject));
        }
        text.push('\n');
    }
    text
}

fn said(expect: &Expect) -> String {
    match expect {
        Expect { sees, lost: "", .. } => format!("`{sees}`"),
        Expect { sees: "", lost, .. } => format!("counted as `{lost}`"),
        Expect { sees, lost, .. } => format!("`{sees}`; counted as `{lost}`"),
    }
}

fn said_and_kept(expect: &Expect) -> String {
    let records = if expect.kept == 1 { "record" } else { "records" };
    match expect {
        Expect { kept: 0, .. } => said(expect),
        Expect { sees: "", kept, .. } => format!("kept as {kept} {records}"),
        Expect { sees, kept, .. } => format!("`{sees}`; kept as {kept} {records}"),
    }
}

fn waited(subject: &PushSubject, expect: &Expect) -> String {
    if subject.waits { format!("waits, then {}", said(expect)) } else { said(expect) }
}

fn fate(fate: Option<Fate>) -> String {
    match fate {
        None => "–".to_owned(),
        Some(Fate::Kept) => "kept as a plain record".to_owned(),
        Some(Fate::Counted(reason)) => format!("counted as `{reason}`"),
    }
}
