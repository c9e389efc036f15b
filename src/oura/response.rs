//! Reading of Oura's responses: bounded bodies, and error details that are safe to show.

use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;

use super::{NetworkError, Secret};
use crate::format::one_line;
use crate::time::Instant;

/// The longest excerpt of a response in an error, in characters.
const MAX_DETAIL_CHARS: usize = 200;

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyError {
    /// The connection ended before the body did. Contains the bytes that arrived.
    Incomplete { error: NetworkError, received: Vec<u8> },
    /// The body is longer than `limit` bytes.
    TooLong { limit: usize },
}

/// Reads the decompressed body, up to `limit` bytes.
pub(super) async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(body),
            Err(error) => {
                return Err(BodyError::Incomplete { error: error.into(), received: body });
            }
        };
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
}

/// Returns how many seconds `now` is ahead of the server's `Date` (RFC 9110 §6.6.1).
pub(super) fn clock_skew(headers: &HeaderMap, now: Instant) -> Option<i64> {
    let date = Instant::of_http_date(headers.get(DATE)?.to_str().ok()?)?;
    Some(now.seconds() - date.seconds())
}

/// Returns the message of an error response in one line, without any of `secrets`. Empty if the
/// body has no readable message.
///
/// Oura uses several formats: `{"detail": "…"}`, `{"detail": [{"loc": […], "msg": "…"}]}` (422),
/// RFC 7807's `title`, RFC 6749's `error_description` and `error`. Proxies add plain text, and HTML
/// pages, which count as unreadable.
pub(super) fn error_detail(body: &[u8], secrets: &[&Secret]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(answer) => find_message(&answer),
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.starts_with('<') {
        return String::new();
    }
    one_line(&redact(&text, secrets), MAX_DETAIL_CHARS)
}

fn find_message(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let messages = items.iter().map(find_message).filter(|text| !text.is_empty());
            messages.collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => {
            ["detail", "error_description", "msg", "message", "title", "error"]
                .iter()
                .filter_map(|name| fields.get(*name).map(find_message))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Replaces every one of `secrets` in `text`.
fn redact(text: &str, secrets: &[&Secret]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "[secret]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_format_is_read() {
        for (body, expected) in [
            (r#"{"detail":"Document not found."}"#, "Document not found."),
            (
                r#"{"detail":[{"type":"x","loc":["query"],"msg":"bad date"},{"msg":"too long"}]}"#,
                "bad date; too long",
            ),
            (r#"{"status":403,"title":"Forbidden"}"#, "Forbidden"),
            (r#"{"error":"invalid_grant","error_description":"code expired"}"#, "code expired"),
            (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
            ("upstream\nis down", "upstream is down"),
            ("<html>502</html>", ""),
            ("[1,2]", ""),
        ] {
            assert_eq!(error_detail(body.as_bytes(), &[]), expected);
        }
    }

    #[test]
    fn secrets_are_redacted_before_truncation() {
        let token = Secret::new("t".repeat(150));
        let body = format!("{} {}", "x".repeat(100), token.reveal());
        assert_eq!(
            error_detail(body.as_bytes(), &[&token]),
            format!("{} [secret]", "x".repeat(100))
        );
        assert_eq!(
            error_detail("ä".repeat(500).as_bytes(), &[]).chars().count(),
            MAX_DETAIL_CHARS + 1
        );
    }
}
