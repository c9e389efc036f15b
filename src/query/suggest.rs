//! Suggestions for mistyped names.

/// Names that are longer, in characters, get no suggestions: comparing them with every known name
/// would cost more than the query.
const MAX_NAME_LENGTH: usize = 64;

const MAX_SUGGESTIONS: usize = 3;

/// Returns up to three of `known`, most similar first.
///
/// A name is similar if at most a third of the characters of `name` differ, or two of a short name.
pub fn similar_names(name: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let name = name.to_lowercase();
    let length = name.chars().count();
    if length > MAX_NAME_LENGTH {
        return Vec::new();
    }
    let max_distance = (length / 3).max(2);
    let mut similar: Vec<(usize, String)> = Vec::new();
    for known in known {
        let known = known.as_ref();
        let distance = strsim::levenshtein(&name, &known.to_lowercase());
        if distance <= max_distance {
            similar.push((distance, known.to_owned()));
        }
    }
    similar.sort();
    similar.into_iter().take(MAX_SUGGESTIONS).map(|(_, known)| known).collect()
}

/// Returns the same for an SQL name that may be qualified: of `s.scor`, only `scor` is compared.
pub fn similar_sql_names(
    name: &str,
    known: impl IntoIterator<Item = impl AsRef<str>>,
) -> Vec<String> {
    similar_names(name.rsplit('.').next().unwrap_or(name), known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_sorted_and_others_left_out() {
        assert_eq!(
            similar_sql_names("averge_hrv", ["average_hrv", "average_breath", "day"]),
            ["average_hrv"]
        );
        assert_eq!(similar_sql_names("s.scor", ["score", "scope"]), ["score", "scope"]);
        assert!(similar_sql_names("bananas", ["score", "day"]).is_empty());
    }

    #[test]
    fn a_long_name_gets_no_suggestions() {
        let longest = "x".repeat(MAX_NAME_LENGTH);
        assert_eq!(similar_names(&longest, [&longest]), [longest.as_str()]);
        let too_long = "x".repeat(MAX_NAME_LENGTH + 1);
        assert!(similar_names(&too_long, [&too_long]).is_empty());
    }
}
