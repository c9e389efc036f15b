//! Grafana's variables: `$__interval`, `${__from}`, `${__to:date:YYYY-MM}`.
//!
//! In panels the browser has replaced them already. Alert rules and public dashboards send them
//! as written.

use chrono::{DateTime, Utc};

use super::error::MacroErrorKind;
use crate::query::context::QueryContext;
use crate::query::interval;
use crate::time::{Instant, Tz};

/// The value of a search box that is empty, for LIKE.
pub(super) const MATCH_ALL: &str = "%";

/// The names of all variables. A name stands before the names that are a prefix of it.
const NAMES: [&str; 5] = ["__searchFilter", "__interval_ms", "__interval", "__from", "__to"];

/// Returns the value of `${name}` or `${name:format}`. Dates are those of `zone`, ISO 8601 is in
/// UTC.
pub(super) fn expand_variable(
    text: &str,
    context: &QueryContext,
    zone: Tz,
) -> Result<String, MacroErrorKind> {
    let inner = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(|| MacroErrorKind::Unclosed(text.to_owned()))?;
    let (name, format) = match inner.split_once(':') {
        Some((name, format)) => (name, Some(format)),
        None => (inner, None),
    };
    let milliseconds = match name {
        "__from" => context.from_ms,
        "__to" => context.to_ms,
        "__interval" => return Ok(interval::format(context.interval)),
        "__interval_ms" => return Ok(context.interval.as_millis().to_string()),
        "__searchFilter" => return Ok(MATCH_ALL.to_owned()),
        _ => return Err(MacroErrorKind::Unknown(text.to_owned())),
    };
    let Some(format) = format else { return Ok(milliseconds.to_string()) };
    let timestamp = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    format_timestamp(timestamp, format, zone)
        .ok_or_else(|| MacroErrorKind::TimeFormat(format.to_owned()))
}

/// Formats `timestamp` as `date`, `date:iso`, `date:seconds` or `date:<pattern>`. Returns `None`
/// for an invalid format.
fn format_timestamp(timestamp: DateTime<Utc>, format: &str, zone: Tz) -> Option<String> {
    match format.split_once(':').unwrap_or((format, "iso")) {
        ("date", "iso") => Some(timestamp.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
        ("date", "seconds") => Some(timestamp.timestamp().to_string()),
        ("date", pattern) => {
            let offset = zone.offset_at(Instant(timestamp.timestamp()));
            Some(timestamp.with_timezone(&offset).format(&strftime(pattern)?).to_string())
        }
        _ => None,
    }
}

/// Replaces the variables in a string literal.
///
/// Macros in strings stay text, but `'${__from:date:iso}'`, `'$__interval'` and
/// `LIKE '$__searchFilter'` make no sense outside of a string.
pub(super) fn expand_variables_in_string(
    string: &str,
    context: &QueryContext,
    zone: Tz,
) -> Result<String, MacroErrorKind> {
    let mut result = String::with_capacity(string.len());
    let mut rest = string;
    while let Some(at) = rest.find('$') {
        let (before, dollar) = rest.split_at(at);
        result.push_str(before);
        let Some(length) = variable_length(dollar) else {
            result.push('$');
            rest = &dollar[1..];
            continue;
        };
        let (variable, after) = dollar.split_at(length);
        if variable.starts_with("${") {
            result.push_str(&expand_variable(variable, context, zone)?);
        } else {
            result.push_str(&expand_variable(&format!("${{{}}}", &variable[1..]), context, zone)?);
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

/// Returns the length of the variable at the beginning of `text`, which starts with `$`.
fn variable_length(text: &str) -> Option<usize> {
    if let Some(inner) = text.strip_prefix("${") {
        NAMES.iter().find(|name| {
            inner.strip_prefix(**name).is_some_and(|rest| rest.starts_with([':', '}']))
        })?;
        return text.find('}').map(|end| end + 1);
    }
    let name = NAMES.iter().find(|name| text[1..].strip_prefix(**name).is_some_and(ends_name))?;
    Some(1 + name.len())
}

fn ends_name(rest: &str) -> bool {
    !rest.starts_with(|character: char| character.is_alphanumeric() || character == '_')
}

/// The elements of a moment.js pattern and their `strftime` equivalents. An element stands before
/// the elements that are a prefix of it.
const ELEMENTS: [(&str, &str); 27] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("GGGG", "%G"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DDDD", "%j"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("E", "%u"),
    ("WW", "%V"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("A", "%p"),
    ("a", "%P"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
    ("X", "%s"),
];

/// Translates a moment.js pattern: `YYYY-MM-DD[T]HH` becomes `%Y-%m-%dT%H`. Returns `None` for an
/// unsupported pattern.
fn strftime(pattern: &str) -> Option<String> {
    // The result becomes part of the statement, so characters with a meaning in SQL are rejected.
    let is_allowed =
        |character: char| character.is_alphanumeric() || " -/:.,_+%[]".contains(character);
    if !pattern.chars().all(is_allowed) {
        return None;
    }
    let mut result = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let element = ELEMENTS.iter().find(|(element, _)| rest.starts_with(element));
        let length = match (element, first) {
            (Some((element, directive)), _) => {
                result.push_str(directive);
                element.len()
            }
            // Brackets quote literal text.
            (None, '[') => {
                let end = rest.find(']').filter(|end| !rest[1..*end].contains('['))?;
                result.push_str(&rest[1..end].replace('%', "%%"));
                end + 1
            }
            (None, ']') => return None,
            (None, letter) if letter.is_alphabetic() => return None,
            (None, '%') => {
                result.push_str("%%");
                1
            }
            (None, other) => {
                result.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    // After a dollar sign, an empty result or a leading underscore would form a new macro.
    (!result.is_empty() && !result.starts_with('_')).then_some(result)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn context() -> QueryContext {
        QueryContext {
            from_ms: 1_700_000_000_000,
            to_ms: 1_700_003_600_500,
            interval: Duration::from_secs(300),
            max_data_points: 100,
        }
    }

    #[test]
    fn times_are_formatted_as_dashboards_request() {
        for (format, written) in [
            ("", "1700000000000"),
            (":date", "2023-11-14T22:13:20.000Z"),
            (":date:iso", "2023-11-14T22:13:20.000Z"),
            (":date:seconds", "1700000000"),
            (":date:YYYY-MM", "2023-11"),
            (":date:DD.MM.YYYY HH:mm:ss", "14.11.2023 23:13:20"),
            (":date:dddd D MMMM YY, h:mm a", "Tuesday 14 November 23, 11:13 pm"),
            (":date:YYYY-MM-DD[T]HH:mmZ", "2023-11-14T23:13+01:00"),
            (":date:GGGG-[W]WW 100%", "2023-W46 100%"),
        ] {
            assert_eq!(
                expand_variable(
                    &format!("${{__from{format}}}"),
                    &context(),
                    Tz::named("Europe/Vienna")
                )
                .as_deref(),
                Ok(written),
                "{format}"
            );
        }
        for unknown in [
            "${__from:date:nonsense}",
            "${__from:csv}",
            "${__from:date:[}",
            "${__from:dates}",
            "${__from:date:YYYY`MM}",
            "${__from:date:[a[b]}",
            "${__from:date:YYYY]}",
        ] {
            assert!(
                matches!(
                    expand_variable(unknown, &context(), Tz::UTC),
                    Err(MacroErrorKind::TimeFormat(_))
                ),
                "{unknown}"
            );
        }
    }

    #[test]
    fn only_variables_are_replaced_in_a_string() {
        for (string, replaced) in [
            ("'$__interval and $__interval_ms'", "'5m and 300000'"),
            ("'$__from' || '${__to:date:seconds}'", "'1700000000000' || '1700003600'"),
            ("'%$__searchFilter%'", "'%%%'"),
            (
                "'$__timeFilter(t) $__fromage $5 ${name} ${__from'",
                "'$__timeFilter(t) $__fromage $5 ${name} ${__from'",
            ),
        ] {
            assert_eq!(
                expand_variables_in_string(string, &context(), Tz::UTC).as_deref(),
                Ok(replaced)
            );
        }
    }
}
