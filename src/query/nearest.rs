//! Which known names a mistyped one could have meant.

/// Up to three of `known`, nearest first, none that differs by more than a third of its letters. Of `s.score`, `score` is the name.
pub fn nearest(name: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    nearest_whole(name.rsplit('.').next().unwrap_or(name), known)
}

/// The same, for names that have dots of their own.
pub fn nearest_whole(name: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let most = (wanted.chars().count() / 3).max(2);
    let mut found: Vec<(usize, String)> = known
        .into_iter()
        .map(|name| (distance(&wanted, &name.as_ref().to_lowercase()), name.as_ref().to_owned()))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein's: the fewest letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        assert_eq!(
            nearest("averge_hrv", ["average_hrv", "average_breath", "day"]),
            ["average_hrv"]
        );
        assert_eq!(nearest("s.scor", ["score", "scope"]), ["score", "scope"]);
        assert!(nearest("bananas", ["score", "day"]).is_empty());
    }
}
