//! The HTTP client for Oura's API and login.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future, for traits that are used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The user agent of every request, including the login. Oura rejects requests without one since
/// API version 1.43.
pub const USER_AGENT: &str = concat!("ringside-oura-datasource/", env!("CARGO_PKG_VERSION"));

/// The time limit from a request to the last byte of its response: enough for the largest page on a
/// slow line.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Creates the HTTP client for all requests to Oura.
///
/// - Redirects are not followed: they would carry a client secret or a token to another address.
/// - A connection must be established within 10 seconds.
/// - A read fails after 30 seconds without data, and a request after [`REQUEST_TIMEOUT`].
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    http_client_with_timeout(REQUEST_TIMEOUT)
}

/// Creates a client like [`http_client`] with another limit than [`REQUEST_TIMEOUT`].
pub fn http_client_with_timeout(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}
