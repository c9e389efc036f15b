//! Lenient reading of token responses.
//!
//! A refresh token is single use: after a successful request, the response is the only source of
//! its successor. So one odd or missing field must not lose the other tokens.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use url::form_urlencoded;

use crate::oura::Secret;
use crate::oura::scope::strip_scope_prefix;

/// The assumed lifetime of a token without a readable one, in seconds. A token that expires earlier
/// is replaced when the API rejects it.
const DEFAULT_LIFETIME: i64 = 3600;
/// The longest lifetime, in seconds. Oura's longest known one is 30 days.
const MAX_LIFETIME: i64 = 366 * 86_400;

/// The readable fields of a token response (RFC 6749 §5.1).
#[derive(Debug)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: Option<Secret>,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// The lifetime of the access token in seconds, at least 1.
    pub lifetime: i64,
    /// The scopes without the prefix `extapi:`. Empty if the response has none.
    pub scopes: Vec<String>,
}

impl TokenResponse {
    /// Reads every readable field of `body`: a JSON object, which may be cut off, or a form. Of a
    /// repeated field, the last one counts. Returns `None` without any token.
    pub fn parse(body: &[u8]) -> Option<TokenResponse> {
        let text = String::from_utf8_lossy(body);
        let fields = read_fields(text.trim_start_matches('\u{feff}').trim_start());
        let field = |name: &str| {
            fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
        };
        let access_token = field("access_token").and_then(read_token);
        let refresh_token = field("refresh_token").and_then(read_token);
        if access_token.is_none() && refresh_token.is_none() {
            return None;
        }
        Some(TokenResponse {
            access_token,
            refresh_token,
            lifetime: field("expires_in").and_then(read_lifetime).unwrap_or(DEFAULT_LIFETIME),
            scopes: field("scope").map(read_scopes).unwrap_or_default(),
        })
    }
}

/// Returns the fields of a form or of a JSON object, up to the first one that is not JSON.
fn read_fields(text: &str) -> Vec<(String, Box<RawValue>)> {
    let Some(mut rest) = text.strip_prefix('{') else {
        let form = form_urlencoded::parse(text.trim_end().as_bytes());
        return form
            .filter_map(|(name, value)| Some((name.into_owned(), to_raw_value(&value).ok()?)))
            .collect();
    };
    let mut fields = Vec::new();
    while let Some(field) = read_field(&mut rest) {
        fields.push(field);
        match rest.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    fields
}

/// Reads `"name": value` from the start of `rest`.
fn read_field(rest: &mut &str) -> Option<(String, Box<RawValue>)> {
    let name = read_value(rest)?;
    *rest = rest.trim_start().strip_prefix(':')?;
    let value = read_value(rest)?;
    // A name with an invalid escape is none of the known ones.
    Some((serde_json::from_str(name.get()).unwrap_or_default(), value))
}

/// Reads one JSON value from the start of `rest`, without an interpretation of its content.
fn read_value(rest: &mut &str) -> Option<Box<RawValue>> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
    let value = values.next()?.ok()?;
    *rest = &rest[values.byte_offset()..];
    Some(value)
}

fn read_token(value: &RawValue) -> Option<Secret> {
    let text = match serde_json::from_str(value.get()).ok()? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(Secret::new(text.trim())).filter(|token| !token.is_empty())
}

/// Reads seconds from a number or a text. Returns `None` unless they are above zero.
fn read_lifetime(value: &RawValue) -> Option<i64> {
    let seconds: f64 = value.get().trim_matches('"').trim().parse().ok()?;
    // The conversion of a float saturates.
    (seconds > 0.0).then(|| (seconds as i64).clamp(1, MAX_LIFETIME))
}

/// Reads scopes from a text, in which spaces or commas separate them, or from a list.
fn read_scopes(value: &RawValue) -> Vec<String> {
    let texts = match serde_json::from_str(value.get()) {
        Ok(Value::String(text)) => vec![text],
        Ok(Value::Array(items)) => {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    texts
        .iter()
        .flat_map(|text| text.split(|char: char| char.is_whitespace() || char == ','))
        .filter(|scope| !scope.is_empty())
        .map(|scope| strip_scope_prefix(scope).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `{"access_token":"a","refresh_token":"r",<rest>}`.
    fn parse(rest: &str) -> TokenResponse {
        let body = format!(r#"{{"access_token":"a","refresh_token":"r",{rest}}}"#);
        TokenResponse::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn odd_lifetime_does_not_lose_the_tokens() {
        for (text, seconds) in [
            ("86400", 86_400),
            (r#""86400""#, 86_400),
            (r#"" 60 ""#, 60),
            ("2591999.7", 2_591_999),
            ("8.64e4", 86_400),
            ("0.2", 1),
            ("1e999", MAX_LIFETIME),
            ("99999999999999999999", MAX_LIFETIME),
            ("0", DEFAULT_LIFETIME),
            ("-1", DEFAULT_LIFETIME),
            ("null", DEFAULT_LIFETIME),
            ("true", DEFAULT_LIFETIME),
            (r#""soon""#, DEFAULT_LIFETIME),
            (r#""NaN""#, DEFAULT_LIFETIME),
            ("[60]", DEFAULT_LIFETIME),
            (r#"{"seconds":60}"#, DEFAULT_LIFETIME),
            (r#""\ud83d""#, DEFAULT_LIFETIME),
        ] {
            let response = parse(&format!(r#""expires_in":{text}"#));
            assert_eq!(response.lifetime, seconds, "{text}");
            assert_eq!(response.refresh_token, Some(Secret::new("r")), "{text}");
        }
        assert_eq!(parse(r#""token_type":null"#).lifetime, DEFAULT_LIFETIME);
    }

    #[test]
    fn scopes_are_read_from_texts_and_lists() {
        for (text, scopes) in [
            (r#""extapi:daily spo2""#, vec!["daily", "spo2"]),
            (r#""daily, spo2""#, vec!["daily", "spo2"]),
            (r#"["extapi:daily", 7, "spo2 tag", null]"#, vec!["daily", "spo2", "tag"]),
            (r#""""#, vec![]),
            ("null", vec![]),
            ("{}", vec![]),
            (r#""\ud83d""#, vec![]),
        ] {
            assert_eq!(parse(&format!(r#""scope":{text}"#)).scopes, scopes, "{text}");
        }
    }

    #[test]
    fn tokens_are_read_from_damaged_responses() {
        let nested = format!(r#""x":{}{},"expires_in":60"#, "[".repeat(5000), "]".repeat(5000));
        assert_eq!(parse(&nested).lifetime, 60);
        for body in [
            &b"\xef\xbb\xbf {\"x\":\"\xff\",\"access_token\":\"a\",\"refresh_token\":\"r\"}"[..],
            br#"{"access_token":"a","refresh_token":"r","scope":"dai"#,
            br#"{"access_token":"a","refresh_token":"r","expires_in":864"#,
            br#"{"access_token":"a","refresh_token":"r"} trailing"#,
            br#"{"access_token":"old","access_token":"a","refresh_token":"r"}"#,
            br#"{"\ud83d":1,"access_token":" a ","refresh_token":"r"}"#,
            b"access_token=a&refresh_token=r&expires_in=60\n",
        ] {
            let shown = String::from_utf8_lossy(body);
            let response = TokenResponse::parse(body).expect(&shown);
            assert_eq!(response.access_token, Some(Secret::new("a")), "{shown}");
            assert_eq!(response.refresh_token, Some(Secret::new("r")), "{shown}");
        }
    }

    #[test]
    fn unreadable_token_is_missing() {
        for (body, access, refresh) in [
            (r#"{"access_token":"a","refresh_token":""}"#, Some("a"), None),
            (r#"{"access_token":"a","refresh_token":null}"#, Some("a"), None),
            (r#"{"access_token":["a"],"refresh_token":"r"}"#, None, Some("r")),
            (r#"{"refresh_token":"r","access_token":"a"#, None, Some("r")),
            (r#"{"access_token":17,"token_type":7}"#, Some("17"), None),
        ] {
            let response = TokenResponse::parse(body.as_bytes()).expect(body);
            assert_eq!(response.access_token, access.map(Secret::new), "{body}");
            assert_eq!(response.refresh_token, refresh.map(Secret::new), "{body}");
        }
        for body in ["", "{}", "[]", "null", "<html></html>", r#"{"access_token":null}"#] {
            assert!(TokenResponse::parse(body.as_bytes()).is_none(), "{body}");
        }
    }
}
