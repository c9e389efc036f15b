//! Mutations for the fuzzer that keep most of a statement valid.
//!
//! They insert, remove, replace and swap words of SQL or JSON. Where they return nothing, the fuzzer
//! mutates bytes instead.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::properties::Property;

/// Words, names and signs with a meaning to SQLite, the guard or the macros.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "OFFSET", "WITH",
    "RECURSIVE", "UNION ALL", "EXCEPT", "VALUES",
    "AS", "AS MATERIALIZED", "JOIN", "LEFT JOIN", "NATURAL", "USING", "ON", "AND", "OR", "NOT",
    "IN", "EXISTS", "BETWEEN", "LIKE", "GLOB", "MATCH",
    "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "COLLATE NOCASE", "IS NULL", "DISTINCT", "OVER",
    "PARTITION BY", "ROWS", "UNBOUNDED PRECEDING",
    "FILTER", "WINDOW", "EXPLAIN QUERY PLAN", "INDEXED BY", "RETURNING", "INSERT INTO", "UPDATE",
    "DELETE FROM", "DROP TABLE", "ATTACH", "PRAGMA",
    "CREATE TEMP TABLE", "VACUUM INTO", "BEGIN", "COMMIT", "REINDEX", "ANALYZE",
    "heartrate", "daily_sleep", "nights", "days", "samples", "coverage", "baselines", "hypnogram",
    "oura_raw_documents", "sync_status",
    "meta", "samples_data", "coverage_data", "sqlite_schema", "sqlite_master", "sqlite_temp_schema",
    "sqlite_sequence", "sqlite_dbpage", "dbstat",
    "pragma_table_info", "pragma_database_list", "pragma_function_list", "json_each", "json_tree",
    "generate_series", "fts5", "main", "temp",
    "time", "bpm", "source", "day", "score", "value", "payload", "rowid", "name", "sql", "*",
    "count", "sum", "avg", "median", "percentile", "stddev", "corr", "ewma", "slope", "intercept",
    "circular_mean", "hms", "local_time", "local_hour",
    "group_concat", "json_group_array", "zeroblob", "randomblob", "printf", "format", "replace",
    "hex", "char", "unhex", "substr", "load_extension",
    "readfile", "writefile", "fts3_tokenizer", "edit", "row_number", "lag", "nth_value", "ntile",
    "strftime", "unixepoch", "date", "json_extract",
    "$__time", "$__timeFilter", "$__timeGroup", "$__timeGroupAlias", "$__unixEpochFilter",
    "$__unixEpochGroup", "$__interval", "$__interval_ms",
    "$__from", "$__to", "${__from:date:iso}", "${__to:date:seconds}", "${__from:date:YYYY-MM}",
    "$__searchFilter", "$__dayFilter", "$__dayGroup",
    "$__localTime", "$__timeFrom()", "$__timeTo()", "$__nonsense", "'5m'", "'-1h'", "'$__interval'",
    "NULL", "previous", "'week'",
    "(", ")", ",", ";", ".", "'", "\"", "`", "[", "]", "--", "/*", "*/", "\n", "||", "->", "->>",
    "=", "<>", "<", "<<", "&", "%", "+", "-", "/",
    "?", "?1", ":a", "@a", "$a", "#1", "0", "1", "-1", "9223372036854775807",
    "-9223372036854775808", "1e308", "0x7fffffffffffffff", "1.5",
    "'x'", "x'00ff'", "''", "'%'", "\u{0}", "ä", "\u{202e}",
];

/// Words with a meaning in requests, documents, specifications and token responses.
#[rustfmt::skip]
const JSON_PIECES: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"", "null", "true", "-1", "0", "1e999", "1.5",
    "9223372036854775808", "\"\"", "\\u0000", "\\ud800", "\u{202e}",
    "\"data\":", "\"next_token\":", "\"id\":", "\"day\":", "\"timestamp\":", "\"interval\":",
    "\"items\":", "\"2026-03-29\"", "\"2026-03-29T02:30:00+02:00\"", "\"+262142-12-31\"",
    "\"$ref\":", "\"#/components/schemas/A\"", "\"type\":", "\"object\"", "\"array\"",
    "\"properties\":", "\"anyOf\":", "\"allOf\":", "\"enum\":", "\"format\":", "\"paths\":",
    "\"/v2/usercollection/a\":", "\"get\":", "\"responses\":", "\"200\":", "\"content\":",
    "\"application/json\":", "\"schema\":", "\"access_token\":", "\"refresh_token\":",
    "\"expires_in\":", "\"scope\":", "\"error\":", "access_token=a&", "GET ", "POST ", "status",
    "schema", "coverage?collection=", "&from=2026-01-01", "sql\n", "oauth/callback\n", "sync\n",
    "backfill\n", "\"rawSql\":", "\"SELECT 1\"", "\"params\":", "\"format\":", "\"time_series\"",
    "\"state\":", "\"code\":", "\"days\":", "\"confirm\":",
];

/// Mutates the first `size` bytes of `data` as text and returns the new size, at most `max_size`.
/// `None` if they are not text, and in two of five cases.
pub fn mutate(
    property: Property,
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
) -> Option<usize> {
    let mut random = SmallRng::seed_from_u64(u64::from(seed));
    let text = std::str::from_utf8(&data[..size]).ok().filter(|_| random.random_bool(0.6))?;
    let changed = mutate_text(property, text, &mut random);
    let length = changed.len().min(max_size);
    data[..length].copy_from_slice(&changed.as_bytes()[..length]);
    Some(length)
}

/// Returns `text` with one to three words changed.
pub fn mutate_text(property: Property, text: &str, random: &mut SmallRng) -> String {
    let pieces = match property {
        Property::Macros | Property::Queries => PIECES,
        _ => JSON_PIECES,
    };
    let mut words: Vec<&str> =
        text.split_inclusive([' ', '(', ')', ',', '.', '\n', ':', '{', '[', '"']).collect();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=words.len());
        let piece = pieces.choose(random).expect("the list is not empty");
        match random.random_range(0..6) {
            0 if at < words.len() => drop(words.remove(at)),
            1 if at < words.len() => words[at] = piece,
            2 if words.len() > 1 => {
                let first = random.random_range(0..words.len());
                let second = random.random_range(0..words.len());
                words.swap(first, second);
            }
            3 if at < words.len() => {
                let word = words[at];
                words.insert(at, word);
            }
            _ => {
                words.insert(at, " ");
                words.insert(at, piece);
            }
        }
    }
    words.concat()
}
