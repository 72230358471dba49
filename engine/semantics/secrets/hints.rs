//! Hints of secrets: words of which a text must have one before it is worth a closer look.
//!
//! Promise: a shape whose pattern matches a text is among those that its hints name; upper and lower case are the same.
//!
//! Most texts have no hint, so that is found out first and fast: in one case, by vector instructions where the processor
//! has them, some dozen bytes at a time. The JSON of an event is searched once ([`Hints`]), not each of its texts.

use super::{SHAPES, redact_hinted, redact_named_hinted};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind, Span, packed};
use smallvec::SmallVec;
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// Shortest text with a secret, in bytes: `pwd=x`.
const SHORTEST: usize = 5;
/// A shorter text is searched faster byte by byte.
const WORTH_A_VECTOR: usize = 48;
/// How much is put into one case at once.
const PIECE: usize = 1024;
/// Of more hints in one JSON no note is kept; its texts are then searched one by one.
const MOST_NOTED: usize = 32;

/// The hints of all shapes, and for each the set of shapes that it is one of.
struct Words {
    words: AhoCorasick,
    shapes: Vec<u32>,
    quick: Option<Quick>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words: Vec<&'static str> = SHAPES.iter().flat_map(|shape| shape.hints).copied().collect();
    words.sort_unstable();
    words.dedup();
    let shapes = words.iter().map(|word| {
        let has = |shape: &super::Shape| u32::from(shape.hints.contains(word));
        (0..).zip(&SHAPES).fold(0, |set, (at, shape)| set | has(shape) << at)
    });
    let mut builder = AhoCorasickBuilder::new();
    // The automaton is small, so the fastest form of it is still only some kilobytes.
    builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::DFA));
    // The hints are constants; a test builds this.
    let built = builder.build(&words).unwrap_or_else(|_| unreachable!("the hints make an automaton"));
    let shapes: Vec<u32> = shapes.collect();
    Words { words: built, quick: Quick::new(&words, &shapes), shapes }
});

/// Where the JSON of an event has hints: the texts that lie in it are judged without another search.
#[derive(Debug)]
pub struct Hints<'t> {
    json: &'t str,
    /// Where each is, and the shapes it is a hint of.
    found: SmallVec<[(Range<usize>, u32); 4]>,
}

impl<'t> Hints<'t> {
    /// Of this JSON; of an empty one where there is none, and every text is searched.
    pub fn of(json: &'t str) -> Self {
        let mut found = SmallVec::new();
        let all_noted = each_hint(json, |at, shapes| {
            found.push((at, shapes));
            found.len() < MOST_NOTED
        });
        if all_noted { Self { json, found } } else { Self { json: "", found: SmallVec::new() } }
    }

    /// As [`redact`](super::redact).
    #[inline]
    pub fn redact<'x>(&self, text: &'x str) -> Cow<'x, str> {
        redact_hinted(text, self.shapes(text))
    }

    /// As [`redact_named`](super::redact_named).
    pub fn redact_named<'x>(&self, name: &str, text: &'x str) -> Cow<'x, str> {
        redact_named_hinted(name, self.shapes(name), text, self.shapes(text))
    }

    /// The shapes that a text has a hint of. One that is no part of the JSON, because it had escapes, is searched.
    #[inline]
    fn shapes(&self, text: &str) -> u32 {
        let start = (text.as_ptr() as usize).wrapping_sub(self.json.as_ptr() as usize);
        let Some(end) = start.checked_add(text.len()).filter(|end| *end <= self.json.len()) else {
            return hinted(text);
        };
        let inside = self.found.iter().filter(|(at, _)| start <= at.start && at.end <= end);
        inside.fold(0, |set, (_, shapes)| set | shapes)
    }
}

/// The shapes that a text has a hint of, as a mask: bit n is `SHAPES[n]`.
pub(super) fn hinted(text: &str) -> u32 {
    let mut set = 0;
    each_hint(text, |_, shapes| {
        set |= shapes;
        true
    });
    set
}

/// Calls `note` with every hint, its place and its shapes, some more than once, until it says no. Whether it never did.
fn each_hint(text: &str, note: impl FnMut(Range<usize>, u32) -> bool) -> bool {
    if text.len() < SHORTEST {
        return true;
    }
    match &WORDS.quick {
        Some(quick) if text.len() >= WORTH_A_VECTOR => quick.each(text.as_bytes(), note),
        _ => each_word(text.as_bytes(), note),
    }
}

fn each_word(text: &[u8], mut note: impl FnMut(Range<usize>, u32) -> bool) -> bool {
    WORDS.words.find_overlapping_iter(text).all(|hint| {
        let shapes = WORDS.shapes.get(hint.pattern().as_usize()).copied().unwrap_or_default();
        note(hint.start()..hint.end(), shapes)
    })
}

/// Parts of words, of which every word has one: those that are rarest in other text. The search compares bytes by their halves,
/// and puts every eighth part into the same of its buckets: beneath each other stand those that are taken for the least of
/// other text there. So what they are and how they stand matters for speed only.
const MARKS: [&str; 25] = [
    "ial", "ecr", "sic", "ass", "tok", "cur", "hp_", "pwd", //
    "dap", "ear", "sql", "://", "key", "hub", "ho_", "hu_", //
    "ghr_", "mar", "sia", "is-", "akia", "eyj", "xox", "hs_", //
    "iza",
];

/// Makes upper and lower case the same, and some bytes that are no letters: faster than telling those apart.
fn fold(byte: u8) -> u8 {
    byte | 0x20
}

/// The search by vector instructions; there is none for every processor.
struct Quick {
    searcher: packed::Searcher,
    /// Per mark, the words that have it.
    marked: Vec<Vec<Marked>>,
    longest: usize,
}

/// A word that has a mark.
struct Marked {
    word: &'static str,
    /// Where in the word the mark is.
    at: usize,
    shapes: u32,
}

impl Quick {
    /// `words` are in lower case.
    fn new(words: &[&'static str], shapes: &[u32]) -> Option<Self> {
        let longest = words.iter().map(|word| word.len()).max()?;
        let with = |mark| {
            let words = words.iter().zip(shapes);
            words.filter_map(|(word, shapes)| Some(Marked { word, at: word.find(mark)?, shapes: *shapes })).collect()
        };
        (2 * longest < PIECE)
            .then(|| packed::Searcher::new(MARKS.map(|mark| mark.bytes().map(fold).collect::<Vec<u8>>())))
            .flatten()
            .map(|searcher| Self { searcher, marked: MARKS.into_iter().map(with).collect(), longest })
    }

    /// As [`each_hint`].
    fn each(&self, text: &[u8], mut note: impl FnMut(Range<usize>, u32) -> bool) -> bool {
        let mut folded = [0; PIECE];
        let mut start = 0;
        loop {
            let rest = text.get(start..).unwrap_or_default();
            let piece = &rest[..rest.len().min(PIECE)];
            let folded = &mut folded[..piece.len()];
            folded.iter_mut().zip(piece).for_each(|(to, byte)| *to = fold(*byte));
            let mut left = Span::from(0..folded.len());
            while let Some(mark) = self.searcher.find_in(&*folded, left) {
                for word in self.marked.get(mark.pattern().as_usize()).into_iter().flatten() {
                    let Some(at) = (start + mark.start()).checked_sub(word.at) else { continue };
                    let place = at..at + word.word.len();
                    let found = text.get(place.clone());
                    if found.is_some_and(|found| found.eq_ignore_ascii_case(word.word.as_bytes()))
                        && !note(place, word.shapes)
                    {
                        return false;
                    }
                }
                // The next one may begin inside of this one.
                left.start = mark.start() + 1;
            }
            if piece.len() == rest.len() {
                return true;
            }
            // A mark may lie across the end of this piece.
            start += PIECE + 1 - self.longest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> Vec<&'static str> {
        SHAPES.iter().flat_map(|shape| shape.hints).copied().collect()
    }

    /// The shapes of every word in a text, by the definition.
    fn shapes_of(text: &str) -> u32 {
        let lower = text.to_ascii_lowercase();
        let has = |shape: &crate::semantics::secrets::Shape| shape.hints.iter().any(|hint| lower.contains(hint));
        (0..).zip(&SHAPES).fold(0, |set, (at, shape)| set | u32::from(has(shape)) << at)
    }

    /// Scenario: the words of all shapes, behind a long text; the marks.
    /// Guarantee: the quick search is there on processors that most of us have, and leaves out no word; no mark hides another.
    #[test]
    fn every_word_is_found_by_the_quick_search() {
        assert!(WORDS.quick.is_some() || !cfg!(target_arch = "x86_64"));
        for (index, mark) in MARKS.iter().enumerate() {
            assert!(words().iter().any(|word| word.contains(mark)), "{mark}");
            assert!(MARKS[..index].iter().all(|other| !mark.starts_with(other) && !other.starts_with(mark)), "{mark}");
        }
        for word in words() {
            let text = format!("{}{}", "-".repeat(WORTH_A_VECTOR), word.to_uppercase());
            assert_eq!(hinted(&text), shapes_of(word), "{word}");
        }
    }

    /// Scenario: JSON with more hints than are noted.
    /// Guarantee: its texts are judged all the same.
    #[test]
    fn many_hints_are_as_good_as_few() {
        let json = "token ".repeat(MOST_NOTED + 1);
        let hints = Hints::of(&json);
        assert_eq!(hints.shapes(&json[6..]), shapes_of("token"));
        assert_eq!(hints.shapes(" none of these words "), 0);
    }

    proptest! {
        /// Scenario: long texts with words, broken words or none at any place, one behind the other, also where pieces
        /// meet; and every part of such a text as a text of its own.
        /// Guarantee: the shapes are those of the words that are there, for the whole and for each part.
        #[test]
        fn what_is_there_is_found(
            parts in prop::collection::vec((0..2 * PIECE, prop::sample::select(words()), 0..12usize), 0..4),
            after in 0..64usize,
            upper in any::<bool>(),
            cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let mut text = String::new();
            for (before, word, cut) in parts {
                // Some words one behind the other, some far apart.
                text.extend(std::iter::repeat_n('.', before % (PIECE + 7) * (before % 2)));
                text.push_str(&word[..word.len().saturating_sub(cut / 2)]);
            }
            text.extend(std::iter::repeat_n('.', after));
            if upper {
                text = text.to_uppercase();
            }
            prop_assert_eq!(hinted(&text), if text.len() < SHORTEST { 0 } else { shapes_of(&text) });
            let (one, other) = (cut.0.index(text.len() + 1), cut.1.index(text.len() + 1));
            let part = &text[one.min(other)..one.max(other)];
            let expected = if part.len() < SHORTEST { 0 } else { shapes_of(part) };
            let noted = Hints::of(&text).shapes(part);
            // A text too short for a secret may be said to have a hint.
            prop_assert!(noted == expected || part.len() < SHORTEST && noted == shapes_of(part));
            prop_assert_eq!(Hints::of("").shapes(part), expected);
        }
    }
}
