//! The pages for people: the login at Oura, and the description of the API. Both are static, so
//! they need no token. Their scripts send one with each request.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The description of the API: OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `GET oauth/start` and `GET oauth/callback`.
pub async fn connect() -> Response {
    page(include_str!("pages/connect.html"))
}

/// `GET docs`.
pub async fn reference() -> Response {
    page(include_str!("pages/reference.html"))
}

/// `GET openapi.json`.
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// A page that runs its own script and style only, and no other site can embed.
fn page(html: &'static str) -> Response {
    let policy = format!(
        "default-src 'none'; connect-src 'self'; script-src '{}'; style-src '{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash_of(html, "script"),
        hash_of(html, "style")
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, html).into_response()
}

/// The hash of the page's only element with this name, for its policy.
fn hash_of(html: &str, element: &str) -> String {
    let content = html
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")))
        .map_or("", |(content, _)| content);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}
