//! `docs/performance.md` and its picture, made from `docs/performance/results.json`: the parts between markers are written, the
//! text around them is not touched.

use super::{figures, plot, targets};
use crate::{
    Error,
    results::{Conditions, Results},
};
use std::{fs, path::Path};

const PAGE: &str = "performance.md";
const PICTURE: &str = "performance/scaling.svg";

/// Writes what the results say into this folder of documentation.
pub fn write(results: &Results, docs: &Path) -> Result<(), Error> {
    let page = fs::read_to_string(docs.join(PAGE))?;
    fs::write(docs.join(PAGE), filled(&page, results)?)?;
    if let Some(scaling) = &results.scaling {
        fs::write(docs.join(PICTURE), plot::picture(&scaling.panels))?;
    }
    Ok(())
}

/// The page with its marked parts as the results have them.
fn filled(page: &str, results: &Results) -> Result<String, Error> {
    let mut page = page.to_owned();
    if let Some(measured) = &results.targets {
        page = replaced(&page, "targets", &targets(&measured.rows))?;
        let sync = format!("\nOne `fdatasync` of a small write took {} ms on that disk.\n", measured.fdatasync);
        let where_and_how = shown(&measured.conditions);
        page = replaced(&page, "figures", &(where_and_how + "\n" + &figures(&measured.figures) + &sync))?;
    }
    if let Some(scaling) = &results.scaling {
        page = replaced(&page, "scaling", &shown(&scaling.conditions))?;
    }
    Ok(page)
}

fn shown(conditions: &Conditions) -> String {
    let Conditions { date, cpu, cpus, pinning, seconds, rounds } = conditions;
    format!("{cpu}, {cpus} CPUs, {date}; {pinning}; medians of {rounds} rounds of {seconds} s.\n")
}

/// The text with another part between the markers `name`.
fn replaced(text: &str, name: &str, part: &str) -> Result<String, Error> {
    let (start, end) = (format!("<!-- {name}: written by the benchmark -->\n"), format!("<!-- end of {name} -->"));
    let missing = || format!("{PAGE} has no `{}` ... `{end}`", start.trim());
    let (before, rest) = text.split_once(&start).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{start}{part}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the page and the picture of this repository.
    /// Guarantee: they say what the results say that are kept beside them.
    #[test]
    fn the_page_shows_the_results() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let results = Results::read(&docs).unwrap();
        let page = fs::read_to_string(docs.join(PAGE)).unwrap();
        let again = "`lanner-bench render docs` writes it anew";
        assert!(filled(&page, &results).unwrap() == page, "{PAGE} is not what results.json says; {again}");
        let scaling = results.scaling.unwrap();
        assert!(
            fs::read_to_string(docs.join(PICTURE)).unwrap() == plot::picture(&scaling.panels),
            "{PICTURE}: {again}"
        );
    }

    /// Scenario: a page without the markers of a part.
    /// Guarantee: that is said, and nothing is written.
    #[test]
    fn missing_markers_are_an_error() {
        let page = "a\n<!-- x: written by the benchmark -->\nold\n<!-- end of x -->\nb\n";
        let new = replaced(page, "x", "new\n").unwrap();
        assert_eq!(new, page.replace("old", "new"));
        assert!(replaced(page, "y", "new\n").is_err());
        assert!(replaced("<!-- x: written by the benchmark -->\n", "x", "").is_err());
    }
}
