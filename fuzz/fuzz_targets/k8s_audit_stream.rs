//! Bodies of the audit webhook, cut in transit anywhere, through the splitter and the mapper.
//!
//! The first byte chooses the step, the second the size limit of an item; the rest is the body.
//! Properties: no panic; the pieces do not depend on the cutting; below the limit they are in the body in their order; one record
//! per piece, the same each time, ids included; what is held is bounded.

#![no_main]

use lanner_engine::semantics::{AuditMapper, AuditOptions, audit::Item};
use lanner_receivers::fuzzing::k8s_audit::{Piece, Splitter};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static MAPPER: LazyLock<AuditMapper> = LazyLock::new(|| {
    let pointers = [("whole", "/requestObject"), ("name", "/objectRef/name")];
    let attributes = pointers.map(|(name, pointer)| (name.to_owned(), pointer.to_owned())).into();
    AuditMapper::new(&AuditOptions { attributes, ..AuditOptions::default() }).expect("pointers")
});

/// A piece, owned.
#[derive(Debug, PartialEq)]
struct Found {
    bytes: Vec<u8>,
    removed: Option<[u8; 32]>,
    reason: Option<&'static str>,
}

fn split(body: &[u8], step: usize, max_item: usize) -> (Vec<Found>, bool) {
    let mut splitter = Splitter::new(max_item);
    let mut pieces = Vec::new();
    let mut found = |piece: Piece<'_>| {
        pieces.push(match piece {
            Piece::Item { bytes, removed } => Found { bytes: bytes.to_vec(), removed, reason: None },
            Piece::Broken { bytes, reason } => Found { bytes: bytes.to_vec(), removed: None, reason: Some(reason) },
        });
    };
    for part in body.chunks(step) {
        splitter.feed(part, &mut found);
        assert!(splitter.held() <= 4 * (max_item + (64 << 10) + step) + 1024, "{} bytes are held", splitter.held());
    }
    let whole = splitter.finish(&mut found);
    (pieces, whole)
}

fuzz_target!(|input: &[u8]| {
    let [step, limit, body @ ..] = input else { return };
    let max_item = 64 + usize::from(*limit) * 64;
    let (pieces, whole) = split(body, body.len().max(1), max_item);
    for step in [1, usize::from(*step) + 2] {
        assert_eq!((&pieces, whole), (&split(body, step, max_item).0, whole), "in steps of {step}");
    }
    let mut rest = body;
    let origin = MAPPER.origin(Some("fuzz"));
    for piece in &pieces {
        // Where an item may be over the limit, its objects may be gone from what is kept.
        if body.len() <= max_item {
            let at = memchr::memmem::find(rest, &piece.bytes);
            rest = &rest[at.expect("a piece is in the body, behind the start of the one before it")..];
            rest = rest.get(1..).unwrap_or_default();
        }
        let text = String::from_utf8_lossy(&piece.bytes).into();
        let map = || match piece.reason {
            None => MAPPER.map(&origin, Item { text: &text, removed: piece.removed }, 1),
            Some(reason) => MAPPER.plain(&origin, &text, reason, 1),
        };
        let (first, again) = (map(), map());
        assert_eq!(first.record, again.record);
        assert_eq!(first.plain, again.plain);
    }
});
