//! Reading what Oura answers: never more of it than expected, and what of it may be shown to a person.

use std::error::Error;

use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;

use super::Secret;
use crate::time::Instant;

/// The longest piece of an answer that an error repeats, in characters.
const DETAIL_LENGTH: usize = 200;

#[derive(Debug)]
pub(super) enum BodyError {
    /// The connection ended before the body did.
    Cut {
        detail: String,
    },
    TooLong {
        limit: usize,
    },
}

/// The body, decompressed, if it has at most `limit` bytes.
pub(super) async fn body(
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| BodyError::Cut { detail: network(error) })?
    {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How far `now` is ahead of the server's `Date` (RFC 9110 §6.6.1), in seconds.
pub(super) fn skew(headers: &HeaderMap, now: Instant) -> Option<i64> {
    let date = Instant::of_http_date(headers.get(DATE)?.to_str().ok()?)?;
    Some(now.seconds() - date.seconds())
}

/// Why a request failed, with its causes and without its address, which may hold a token.
pub(super) fn network(error: reqwest::Error) -> String {
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => return "nobody took up the connection in time".to_owned(),
        (true, false) => return "its answer took too long".to_owned(),
        _ => {}
    }
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    shortened(&causes.join(": "))
}

/// What an error answer says, in one line, without any of `secrets`; empty when it says nothing that a person could read.
///
/// Oura has several forms: `{"detail": "…"}`, `{"detail": [{"loc": […], "msg": "…"}]}` (422), RFC 7807's `title`, RFC 6749's
/// `error_description` and `error`; plain text from what stands before it. A page of HTML says nothing.
pub(super) fn detail(body: &[u8], secrets: &[&Secret]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(answer) => said(&answer),
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.starts_with('<') { String::new() } else { shortened(&without(&text, secrets)) }
}

fn said(answer: &Value) -> String {
    match answer {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(said).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => {
            ["detail", "error_description", "msg", "message", "title", "error"]
                .iter()
                .filter_map(|name| fields.get(*name).map(said))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// `text` with every one of `secrets` in it blacked out.
fn without(text: &str, secrets: &[&Secret]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "[secret]"))
}

fn shortened(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(DETAIL_LENGTH + 1)
        .collect();
    if line.chars().count() > DETAIL_LENGTH {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_error_answer_is_read() {
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
            assert_eq!(detail(body.as_bytes(), &[]), expected);
        }
    }

    #[test]
    fn a_long_answer_is_cut_and_secrets_are_blacked_out_before_the_cut() {
        let token = Secret::new("t".repeat(150));
        let body = format!("{} {}", "x".repeat(100), token.reveal());
        assert_eq!(detail(body.as_bytes(), &[&token]), format!("{} [secret]", "x".repeat(100)));
        assert_eq!(detail("ä".repeat(500).as_bytes(), &[]).chars().count(), DETAIL_LENGTH + 1);
    }
}
