//! "Did you mean".

/// The nearest candidate, when it is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are not compared, so that hostile ones cost nothing.
    const LONGEST: usize = 128;
    /// More candidates are not compared, for the same reason.
    const MOST: usize = 1024;
    if word.len() > LONGEST {
        return None;
    }
    let length = word.chars().count();
    let allowed = |candidate: &str| (candidate.len().max(3) / 3).min(3);
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST && *candidate != word)
        // A distance is never smaller than the difference of the lengths, which costs nothing to know.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}
