//! `docs/mapping.md` is what the table says.

use super::*;

/// Scenario: the table, the severities or the reasons changed.
/// Guarantee: the page fails to agree until it is written anew with `LANNER_BLESS=1`.
#[test]
fn the_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/mapping.md");
    let page = page::page();
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).expect("a folder");
        std::fs::write(path, &page).expect("the page is written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/mapping.md differs from the table; run this test with LANNER_BLESS=1");
}
