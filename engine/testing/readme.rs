//! `check_readmes`: a README shows the configuration that its component has.

use crate::{component::Factory, config::reference};
use std::path::Path;

/// Around what the program writes; the prose outside is the author's.
const BEGIN: &str = "<!-- configuration: from the schema; LANNER_BLESS=1 writes it anew -->";
const END: &str = "<!-- end of configuration -->";
const HEADING: &str = "## Configuration";

/// Compares the table below `## Configuration` in `<folder>/<type>/README.md` of every component with the one that its
/// schema makes. With `LANNER_BLESS` in the environment it writes the table instead: between the marks, or, where a
/// README has none yet, in place of its first table.
///
/// # Panics
/// A README is missing or out of date; the message names all of them and the remedy.
pub fn check_readmes(components: &[Factory], folder: &str) {
    let bless = std::env::var_os("LANNER_BLESS").is_some();
    let mut stale = Vec::new();
    for factory in components {
        let path = Path::new(folder).join(factory.type_name).join("README.md");
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let block = format!("{BEGIN}\n{}{END}\n", reference::table(factory));
        let current = with_block(&committed, &block);
        if bless && current.as_ref().is_some_and(|current| *current != committed) {
            let current = current.as_deref().unwrap_or_default();
            std::fs::write(&path, current).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        } else if current.as_ref() != Some(&committed) || !committed.contains(BEGIN) {
            stale.push(format!("{}/README.md", factory.type_name));
        }
    }
    assert!(
        stale.is_empty(),
        "the configuration tables of {} are out of date; run this test with LANNER_BLESS=1",
        stale.join(", ")
    );
}

/// The page with its block replaced; none when there is no place for it.
fn with_block(page: &str, block: &str) -> Option<String> {
    if let Some((before, rest)) = page.split_once(BEGIN) {
        let (_, after) = rest.split_once(END)?;
        return Some(format!("{before}{block}{}", after.strip_prefix('\n').unwrap_or(after)));
    }
    let start = page.find(HEADING)? + HEADING.len();
    let section_end = page[start..].find("\n## ").map_or(page.len(), |at| start + at);
    let table = page[start..section_end].find("\n|").map(|at| start + at + 1);
    let Some(from) = table else {
        return Some(format!("{}\n\n{block}{}", &page[..start], &page[start..]));
    };
    let rows = page[from..].split_inclusive('\n').take_while(|line| line.starts_with('|'));
    let to = from + rows.map(str::len).sum::<usize>();
    Some(format!("{}{block}{}", &page[..from], &page[to..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a page with the marks, one with a table made by hand, one with neither, one without the heading.
    /// Guarantee: the block takes the place of exactly that; all other text stays; without a heading nothing is written.
    #[test]
    fn the_block_replaces_only_the_table() {
        let block = format!("{BEGIN}\nnew\n{END}\n");
        for (page, expected) in [
            (format!("a\n{BEGIN}\nold\n{END}\nb"), format!("a\n{block}b")),
            (
                format!("x\n{HEADING}\nprose\n| k |\n|---|\n| v |\n\nmore\n## Promises\n| p |\n"),
                format!("x\n{HEADING}\nprose\n{block}\nmore\n## Promises\n| p |\n"),
            ),
            (format!("{HEADING}\n\n## Promises\n| p |\n"), format!("{HEADING}\n\n{block}\n\n## Promises\n| p |\n")),
        ] {
            let once = with_block(&page, &block);
            assert_eq!(once.as_deref(), Some(&*expected));
            assert_eq!(with_block(&expected, &block), once, "writing it again changes nothing");
        }
        assert_eq!(with_block("no such heading", &block), None);
    }
}
