//! Secrets in command lines and messages: found by their shape, replaced by a mark.
//!
//! Promises
//! - Only the secret goes: the name, the option, the user and everything around it stay, so that the event is still
//!   understood.
//! - Text without a hint of a secret is neither copied nor looked at by a regular expression.
//! - Time is linear in the text, whatever it holds.
//! - What is found is a guess: there are secrets that look like any other word. Prose and the names of Kubernetes
//!   secrets (`secret=db-credentials`, as Falco's audit rules write them) stay.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex::{Regex, RegexBuilder};
use std::{borrow::Cow, sync::LazyLock};

/// What stands where a secret was.
pub const MARK: &str = "[REDACTED]";

/// Parts of words without which no pattern below can match.
const HINTS: [&str; 22] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "accesskey",
    "access-key",
    "access_key",
    "private",
    "credential",
    "auth",
    "bearer",
    "basic ",
    "://",
    "akia",
    "asia",
    "gh",
    "xox",
    "eyj",
    "aiza",
];
/// Programs with an option of one letter for a secret, as hints.
const PROGRAMS: [&str; 5] = ["mysql", "mariadb", "curl", "redis-cli", "ldap"];

static HINTED: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let hints = HINTS.iter().chain(&PROGRAMS);
    let builder = AhoCorasickBuilder::new().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(hints);
    // The hints are constants; a test builds this.
    builder.unwrap_or_else(|_| unreachable!("the hints make an automaton"))
});

/// What a name must contain for its value to be a secret.
const NAMES: &str = r"pass(?:word|wd|phrase|code)|(?:\b|[_-])pass\b|pwd|token|api[-_]?key|access[-_]?key|private[-_]?key|secret[-_]?key|client[-_]?secret|app[-_]?secret|secret[-_]?access[-_]?key|credentials?|auth[-_]?key";
/// A value: in quotes, also in quotes with backslashes as JSON inside a text has them, or up to the next break.
const VALUE: &str = r#"\\?"[^"\\]+|'[^']+|[^\s"'&;|,)\\]+"#;

/// Each has the secret in the group `secret`.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // --db-password=x, DB_PASSWORD=x, "password": "x", ?token=x
        format!(r#"(?i)[\w.-]*(?:{NAMES})[\w.-]*\\?["']?\s?[=:]\s?(?P<secret>{VALUE})"#),
        // CLIENT_SECRET=x: in capitals only, because `secret=` is how Falco's rules name Kubernetes secrets.
        format!(r"\b[A-Z0-9_]*SECRET[A-Z0-9_]*=(?P<secret>{VALUE})"),
        // --password x, --token x: behind an option a blank is enough.
        format!(r#"(?i)(?:^|\s)--?[\w-]*(?:{NAMES}|secret)[\w-]*\s+(?P<secret>{VALUE})"#),
        // Authorization: Bearer x
        r"(?i)\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9._~+/=-]{8,})".to_owned(),
        // scheme://user:x@host
        r"(?i)\b[a-z][a-z0-9+.-]+://[^\s/:@]*:(?P<secret>[^\s/@]+)@".to_owned(),
        // mysql -px, curl -u user:x, redis-cli -a x, ldapsearch -w x, sshpass -p x
        format!(r"(?i)\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;&\n]*?\s-p(?P<secret>{VALUE})"),
        format!(r"(?i)\bcurl\b[^|;&\n]*?\s(?:-u|--user|-U|--proxy-user)[ =]?[^\s:]*:(?P<secret>{VALUE})"),
        format!(r"(?i)\bredis-cli\b[^|;&\n]*?\s-a\s+(?P<secret>{VALUE})"),
        format!(r"(?i)\bldap\w*\b[^|;&\n]*?\s-w\s+(?P<secret>{VALUE})"),
        format!(r"(?i)\bsshpass\b[^|;&\n]*?\s-p\s*(?P<secret>{VALUE})"),
        // Tokens that say what they are: AWS, GitHub, Slack, Google, JSON Web Tokens.
        r"\b(?P<secret>(?:AKIA|ASIA)[0-9A-Z]{16})\b".to_owned(),
        r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{36,})\b".to_owned(),
        r"\b(?P<secret>github_pat_[A-Za-z0-9_]{22,})\b".to_owned(),
        r"\b(?P<secret>xox[abposr]-[A-Za-z0-9-]{10,})".to_owned(),
        r"\b(?P<secret>AIza[0-9A-Za-z_-]{35})".to_owned(),
        r"\b(?P<secret>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)".to_owned(),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>[^-]+)".to_owned(),
    ];
    // The patterns are constants; a test compiles them.
    patterns.iter().filter_map(|pattern| RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()).collect()
});

/// The text with every secret in it replaced; the text itself when there is none.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !HINTED.is_match(text) {
        return Cow::Borrowed(text);
    }
    let mut found: Vec<(usize, usize)> = PATTERNS
        .iter()
        .flat_map(|pattern| pattern.captures_iter(text))
        .filter_map(|captures| captures.name("secret"))
        .map(|secret| (secret.start(), secret.end()))
        .filter(|(start, end)| is_secret(&text[*start..*end]))
        .collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_unstable();
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for (start, end) in found {
        // Overlaps with one that is out already: only the rest of it goes.
        if end <= copied {
            continue;
        }
        if start >= copied {
            out.push_str(&text[copied..start]);
            out.push_str(quote(&text[start..end]));
            out.push_str(MARK);
        }
        copied = end;
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The opening quote of a value, which stays.
fn quote(value: &str) -> &str {
    ["\\\"", "\"", "'"].into_iter().find(|quote| value.starts_with(quote)).unwrap_or_default()
}

/// Whether a value behind a name is one at all: not a reference to one, nothing redacted already, not `<NA>`.
fn is_secret(value: &str) -> bool {
    let bare = value.trim_start_matches(['\\', '"', '\'']);
    !bare.is_empty()
        && !bare.starts_with(['$', '<', '%', '*', '('])
        && !bare.starts_with("[REDACTED")
        && !matches!(bare, "true" | "false" | "null" | "none" | "yes" | "no" | "-" | "/dev/null")
}

#[cfg(test)]
mod tests;
