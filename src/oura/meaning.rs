//! What Oura's statuses mean, as one table, and which scope an answer complains about.

use super::oauth::{SCOPES, bare_scope};

/// What to make of a status before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Page,
    /// The range or another parameter is wrong.
    Rejected,
    /// A scope that is missing, if the body names one; else the token.
    Unauthorized,
    /// A scope that is missing, if the body names one; else membership, or a permission.
    Forbidden,
    NotAvailable,
    AppTooOld,
    RateLimited,
    /// Worth another try.
    Transient,
    /// Nothing that Oura's specification knows.
    Unexpected,
}

/// From status, to status (inclusive), meaning.
const MEANINGS: &[(u16, u16, Meaning)] = &[
    (200, 200, Meaning::Page),
    (400, 400, Meaning::Rejected),
    (401, 401, Meaning::Unauthorized),
    (403, 403, Meaning::Forbidden),
    (404, 404, Meaning::NotAvailable),
    (408, 408, Meaning::Transient),
    (422, 422, Meaning::Rejected),
    (426, 426, Meaning::AppTooOld),
    (429, 429, Meaning::RateLimited),
    (500, 599, Meaning::Transient),
];

pub(super) fn meaning(status: u16) -> Meaning {
    MEANINGS
        .iter()
        .find(|(from, to, _)| (*from..=*to).contains(&status))
        .map_or(Meaning::Unexpected, |(_, _, meaning)| *meaning)
}

/// Words beside "scope" that are no scope's name.
const NO_NAMES: &[&str] = &[
    "a",
    "an",
    "and",
    "any",
    "following",
    "has",
    "in",
    "insufficient",
    "is",
    "missing",
    "no",
    "not",
    "of",
    "or",
    "required",
    "that",
    "the",
    "this",
    "token",
    "valid",
];

/// The scope that `detail` says is missing ("Token is not authorized access spo2 scope."). `usual` is the scope that opens the
/// collection, for an answer that speaks of a scope without naming it.
pub(super) fn missing_scope(detail: &str, usual: Option<&str>) -> Option<String> {
    let words: Vec<&str> = detail
        .split(|char: char| !(char.is_ascii_alphanumeric() || char == '_' || char == ':'))
        .map(|word| bare_scope(word.trim_matches(':')))
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|word| {
        ["scope", "scopes", "insufficient_scope"].contains(&word.to_ascii_lowercase().as_str())
    })?;
    let before = at.checked_sub(1).map(|before| words[before]);
    let beside = [before, words.get(at + 1).copied()];
    let named = beside.into_iter().flatten();
    named
        .clone()
        .find(|word| SCOPES.contains(word) || Some(*word) == usual)
        .or_else(|| {
            named.clone().find(|word| !NO_NAMES.contains(&word.to_ascii_lowercase().as_str()))
        })
        .or(usual)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_meaning() {
        for pair in MEANINGS.windows(2) {
            assert!(pair[0].1 < pair[1].0, "{pair:?}");
        }
        assert_eq!(meaning(503), Meaning::Transient);
        assert_eq!(meaning(302), Meaning::Unexpected);
    }

    #[test]
    fn the_missing_scope_is_the_one_that_the_answer_names() {
        for (detail, scope) in [
            ("Token is not authorized access spo2 scope.", Some("spo2")),
            ("Token is not authorized to access extapi:heart_health scope", Some("heart_health")),
            ("Missing scope: ring_configuration", Some("ring_configuration")),
            ("Missing scopes: [stress]", Some("stress")),
            ("Token lacks the metabolic scope", Some("metabolic")),
            ("insufficient_scope", Some("daily")),
            ("This token has not the required scope", Some("daily")),
            ("Token expired", None),
        ] {
            assert_eq!(missing_scope(detail, Some("daily")).as_deref(), scope, "{detail}");
        }
        assert_eq!(missing_scope("insufficient_scope", None), None);
    }
}
