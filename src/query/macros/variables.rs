//! Grafana's own variables: `$__interval`, `${__from}`, `${__to:date:YYYY-MM}`. In panels the browser has replaced them already; alert rules
//! and public dashboards send them as they were written.

use std::fmt::Write;

use super::Problem;
use crate::query::{QueryContext, interval};
use crate::time::Tz;

/// What stands in a search box while nothing was typed into it.
pub(super) const ANYTHING: &str = "%";

/// The names, longest first where one begins like another.
const NAMES: [&str; 5] = ["__searchFilter", "__interval_ms", "__interval", "__from", "__to"];

/// The value of `${name}` or `${name:format}`, written with its braces. Dates are those of `zone`, ISO 8601 is in UTC.
pub(super) fn variable(text: &str, context: &QueryContext, zone: Tz) -> Result<String, Problem> {
    let inner = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(|| Problem::Unclosed(text.to_owned()))?;
    let (name, format) =
        inner.split_once(':').map_or((inner, None), |(name, format)| (name, Some(format)));
    let milliseconds = match name {
        "__from" => context.from_ms,
        "__to" => context.to_ms,
        "__interval" => return Ok(interval::format(context.interval)),
        "__interval_ms" => return Ok(context.interval.as_millis().to_string()),
        "__searchFilter" => return Ok(ANYTHING.to_owned()),
        _ => return Err(Problem::Unknown(text.to_owned())),
    };
    let Some(format) = format else { return Ok(milliseconds.to_string()) };
    let moment = chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    match format.split_once(':').unwrap_or((format, "iso")) {
        ("date", "iso") => Ok(moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
        ("date", "seconds") => Ok(moment.timestamp().to_string()),
        ("date", pattern) => {
            let pattern =
                strftime(pattern).ok_or_else(|| Problem::TimeFormat(format.to_owned()))?;
            Ok(moment.with_timezone(&zone).format(&pattern).to_string())
        }
        _ => Err(Problem::TimeFormat(format.to_owned())),
    }
}

/// A string is text, but `'${__from:date:iso}'`, `'$__interval'` and `LIKE '$__searchFilter'` can only be written in one.
pub(super) fn variables_in(
    string: &str,
    context: &QueryContext,
    zone: Tz,
) -> Result<String, Problem> {
    let mut result = String::with_capacity(string.len());
    let mut rest = string;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = variable_length(rest);
        match length {
            Some(length) if rest.starts_with("${") => {
                result.push_str(&variable(&rest[..length], context, zone)?)
            }
            Some(length) => {
                result.push_str(&variable(&format!("${{{}}}", &rest[1..length]), context, zone)?)
            }
            None => result.push('$'),
        }
        rest = &rest[length.unwrap_or(1)..];
    }
    result.push_str(rest);
    Ok(result)
}

/// How long the variable is that `text` begins with, if it begins with one.
fn variable_length(text: &str) -> Option<usize> {
    let is_end = |rest: &str| {
        !rest.starts_with(|character: char| character.is_alphanumeric() || character == '_')
    };
    if let Some(inner) = text.strip_prefix("${") {
        NAMES.iter().find(|name| {
            inner.strip_prefix(**name).is_some_and(|rest| rest.starts_with([':', '}']))
        })?;
        return text.find('}').map(|end| end + 1);
    }
    let name = NAMES.iter().find(|name| text[1..].strip_prefix(**name).is_some_and(is_end))?;
    Some(1 + name.len())
}

/// The pieces of a format as moment.js writes it, and as `strftime` does; the longer of two that begin alike first.
#[rustfmt::skip]
const PIECES: [(&str, &str); 27] = [
    ("YYYY", "%Y"), ("YY", "%y"), ("GGGG", "%G"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("M", "%-m"), ("DDDD", "%j"), ("DD", "%d"),
    ("D", "%-d"), ("dddd", "%A"), ("ddd", "%a"), ("E", "%u"), ("WW", "%V"), ("HH", "%H"), ("H", "%-H"), ("hh", "%I"), ("h", "%-I"),
    ("mm", "%M"), ("m", "%-M"), ("ss", "%S"), ("s", "%-S"), ("A", "%p"), ("a", "%P"), ("ZZ", "%z"), ("Z", "%:z"), ("X", "%s"),
];

/// `YYYY-MM-DD[T]HH` as `%Y-%m-%dT%H`; nothing for letters that mean nothing here.
fn strftime(pattern: &str) -> Option<String> {
    // What is written between letters goes into the statement as it is: nothing that means something there.
    if !pattern
        .chars()
        .all(|character| character.is_alphanumeric() || " -/:.,_+%[]".contains(character))
    {
        return None;
    }
    let mut result = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let known = PIECES.iter().find(|(moment, _)| rest.starts_with(moment));
        let length = match (known, first) {
            (Some((moment, strftime)), _) => {
                result.push_str(strftime);
                moment.len()
            }
            (None, '[') => {
                let end = rest.find(']').filter(|end| !rest[1..*end].contains('['))?;
                result.push_str(&rest[1..end].replace('%', "%%"));
                end + 1
            }
            (None, '%') => {
                result.push_str("%%");
                1
            }
            (None, ']') => return None,
            (None, letter) if letter.is_alphabetic() => return None,
            (None, other) => {
                // Writing into a string cannot fail.
                let _ = result.write_char(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    // Nothing, or what begins as a macro's name does, would make one of a dollar sign before it.
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
    fn times_are_written_in_the_forms_that_dashboards_use() {
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
                variable(&format!("${{__from{format}}}"), &context(), Tz::Europe__Vienna)
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
                matches!(variable(unknown, &context(), Tz::UTC), Err(Problem::TimeFormat(_))),
                "{unknown}"
            );
        }
    }

    #[test]
    fn in_a_string_only_variables_are_replaced() {
        for (string, replaced) in [
            ("'$__interval and $__interval_ms'", "'5m and 300000'"),
            ("'$__from' || '${__to:date:seconds}'", "'1700000000000' || '1700003600'"),
            ("'%$__searchFilter%'", "'%%%'"),
            (
                "'$__timeFilter(t) $__fromage $5 ${name} ${__from'",
                "'$__timeFilter(t) $__fromage $5 ${name} ${__from'",
            ),
        ] {
            assert_eq!(variables_in(string, &context(), Tz::UTC).as_deref(), Ok(replaced));
        }
    }
}
