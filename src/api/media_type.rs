//! The media types of query results, and the choice among them by the header `Accept`.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use super::ApiError;
use crate::frames::ARROW_MEDIA_TYPES;

/// A form of the response to `POST sql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
    Lines,
    Csv,
    Arrow,
}

/// The names of each media type. The first name is the one of responses.
const NAMES: [(MediaType, &[&str]); 4] = [
    (MediaType::Json, &["application/json"]),
    (
        MediaType::Lines,
        &[
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/json-seq",
        ],
    ),
    (MediaType::Csv, &["text/csv", "application/csv"]),
    (MediaType::Arrow, ARROW_MEDIA_TYPES),
];

impl MediaType {
    /// Returns the preferred type of the header `Accept` (RFC 9110 §12.5.1), and JSON without one.
    ///
    /// Among equal preferences, JSON wins, and then the order of the header.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<MediaType, ApiError> {
        let mut best: Option<(MediaType, f32)> = None;
        let mut is_limited = false;
        for header in headers.get_all(ACCEPT) {
            let text = header.to_str().map_err(|_| not_acceptable("a text that is not ASCII"))?;
            for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
                is_limited = true;
                let (name, quality) = parse_range(range)?;
                let Some(media_type) = MediaType::matching(&name).filter(|_| quality > 0.0) else {
                    continue;
                };
                let is_better = best.is_none_or(|(chosen, other)| {
                    quality > other
                        || (quality == other
                            && media_type == MediaType::Json
                            && chosen != MediaType::Json)
                });
                if is_better {
                    best = Some((media_type, quality));
                }
            }
        }
        match best {
            Some((media_type, _)) => Ok(media_type),
            None if !is_limited => Ok(MediaType::Json),
            None => Err(not_acceptable("none of the types that this route has")),
        }
    }

    /// The name in the header `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            MediaType::Json => "application/json",
            MediaType::Lines => "application/x-ndjson",
            MediaType::Csv => "text/csv; charset=utf-8; header=present",
            MediaType::Arrow => ARROW_MEDIA_TYPES[0],
        }
    }

    fn matching(range: &str) -> Option<MediaType> {
        match range {
            "*/*" | "application/*" => Some(MediaType::Json),
            "text/*" => Some(MediaType::Csv),
            name => NAMES
                .iter()
                .find(|(_, names)| names.contains(&name))
                .map(|(media_type, _)| *media_type),
        }
    }
}

/// Returns the lower-case name and the quality of one range, for example `text/csv;q=0.5`.
fn parse_range(range: &str) -> Result<(String, f32), ApiError> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !name.contains('/') {
        return Err(not_acceptable(&format!("{range:?}, which is not a media type")));
    }
    let quality = parts
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
        .map_or(Ok(1.0), |(_, value)| value.trim().parse::<f32>());
    match quality {
        Ok(quality) if (0.0..=1.0).contains(&quality) => Ok((name, quality)),
        _ => Err(not_acceptable(&format!("{range:?}, which has an invalid q"))),
    }
}

fn not_acceptable(reason: &str) -> ApiError {
    ApiError::new(
        406,
        "not_acceptable",
        format!("the header Accept has {}", reason.chars().take(200).collect::<String>()),
        format!(
            "Accept application/json, application/x-ndjson, text/csv or {}.",
            ARROW_MEDIA_TYPES[0]
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &'static str) -> Result<MediaType, u16> {
        let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
        MediaType::negotiate(&headers).map_err(|error| error.status)
    }

    #[test]
    fn accept_selects_the_preferred_type() {
        assert_eq!(MediaType::negotiate(&HeaderMap::new()).ok(), Some(MediaType::Json));
        for (accept, expected) in [
            ("*/*", MediaType::Json),
            ("", MediaType::Json),
            ("text/csv", MediaType::Csv),
            ("TEXT/CSV; charset=utf-8", MediaType::Csv),
            ("text/csv;q=0.5, application/x-ndjson", MediaType::Lines),
            ("text/csv, */*;q=0.1", MediaType::Csv),
            ("text/csv, */*", MediaType::Json),
            ("application/json, text/plain, */*", MediaType::Json),
            (ARROW_MEDIA_TYPES[0], MediaType::Arrow),
            ("image/png, application/jsonl", MediaType::Lines),
        ] {
            assert_eq!(negotiated(accept), Ok(expected), "{accept}");
        }
    }

    #[test]
    fn unknown_or_malformed_accept_is_rejected() {
        for accept in [
            "image/png",
            "text/csv;q=0",
            "csv",
            "text/csv;q=much",
            "text/csv;q=2",
            "text/csv;q=NaN",
        ] {
            assert_eq!(negotiated(accept), Err(406), "{accept}");
        }
    }

    #[test]
    fn content_types_are_accepted_again() {
        for (media_type, names) in NAMES {
            let name = media_type.content_type().split(';').next().unwrap();
            assert_eq!((MediaType::matching(name), names[0]), (Some(media_type), name));
        }
    }
}
