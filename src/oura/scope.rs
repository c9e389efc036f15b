//! OAuth scopes: their names, and the missing scope of an error response.

/// The scopes that a login requests by default: all that Oura documents.
pub const SCOPES: &[&str] = &[
    "email",
    "personal",
    "daily",
    "heartrate",
    "workout",
    "tag",
    "session",
    "spo2",
    "stress",
    "heart_health",
    "ring_configuration",
];

/// Words next to "scope" in an error message that are not scope names.
const FILLER_WORDS: &[&str] = &[
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

/// Strips the prefix of the portal's scope names: `extapi:daily` is the scope `daily`.
pub(super) fn strip_scope_prefix(scope: &str) -> &str {
    scope.strip_prefix("extapi:").unwrap_or(scope)
}

/// Returns the missing scope that `detail` reports, for example "Token is not authorized access
/// spo2 scope." `default` is the collection's own scope, for a message that mentions a scope
/// without naming it.
pub(super) fn find_missing_scope(detail: &str, default: Option<&str>) -> Option<String> {
    let words: Vec<&str> = detail
        .split(|char: char| !(char.is_ascii_alphanumeric() || char == '_' || char == ':'))
        .map(|word| strip_scope_prefix(word.trim_matches(':')))
        .filter(|word| !word.is_empty())
        .collect();
    let position = words.iter().position(|word| {
        ["scope", "scopes", "insufficient_scope"].contains(&word.to_ascii_lowercase().as_str())
    })?;
    let before = position.checked_sub(1).map(|index| words[index]);
    let after = words.get(position + 1).copied();
    let neighbours = || before.into_iter().chain(after);
    neighbours()
        .find(|word| SCOPES.contains(word) || Some(*word) == default)
        .or_else(|| {
            neighbours().find(|word| !FILLER_WORDS.contains(&word.to_ascii_lowercase().as_str()))
        })
        .or(default)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_scope_is_read_from_the_message() {
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
            assert_eq!(find_missing_scope(detail, Some("daily")).as_deref(), scope, "{detail}");
        }
        assert_eq!(find_missing_scope("insufficient_scope", None), None);
    }
}
