//! `CallResource`: a forwarded HTTP request, served in memory by the routes of [`crate::api`].

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use grafana_plugin_sdk::pluginv2::{CallResourceRequest, CallResourceResponse, StringList};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::context::{self, Call};
use super::startup::Startup;
use crate::api::{self, ApiError, ConfigurationPageOnly};
use crate::doors::Door;

/// Serves the request. The first message has status and headers, the others have the body.
#[expect(clippy::result_large_err, reason = "tonic defines the stream's error type")]
pub async fn handle(
    startup: &Startup,
    door: Option<&Door>,
    request: CallResourceRequest,
) -> impl Stream<Item = Result<CallResourceResponse, Status>> + Send + use<> {
    let response = match route(startup, door, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let (parts, body) = response.into_parts();
    let head = CallResourceResponse {
        code: parts.status.as_u16().into(),
        headers: header_lists(&parts.headers),
        ..Default::default()
    };
    let chunks = body.into_data_stream().map(|chunk| match chunk {
        Ok(body) => Ok(CallResourceResponse { body, ..Default::default() }),
        Err(error) => Err(Status::internal(error.to_string())),
    });
    tokio_stream::once(Ok(head)).chain(chunks)
}

async fn route(
    startup: &Startup,
    door: Option<&Door>,
    request: CallResourceRequest,
) -> Result<Response, ApiError> {
    let call = Call { context: request.plugin_context.as_ref(), door };
    let caller = context::caller(call);
    let target = context::target(startup, call).await?;
    let mut forwarded = http_request(request).map_err(|error| {
        ApiError::new(400, "bad_request", format!("invalid request: {error}"), "")
    })?;
    api::check_change(forwarded.method(), forwarded.headers())?;
    forwarded.extensions_mut().insert(caller);
    forwarded.extensions_mut().insert(ConfigurationPageOnly);
    Ok(api::respond(target, forwarded).await)
}

/// Converts Grafana's request. Its `url` is the path below the data source's resources, with the
/// query and without a leading slash.
fn http_request(request: CallResourceRequest) -> Result<http::Request<Body>, http::Error> {
    let address = if request.url.is_empty() { &request.path } else { &request.url };
    let mut built = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("/{}", address.trim_start_matches('/')));
    for (name, list) in &request.headers {
        for value in &list.values {
            built = built.header(name, value);
        }
    }
    built.body(Body::from(request.body))
}

fn header_lists(headers: &HeaderMap) -> HashMap<String, StringList> {
    let mut lists: HashMap<String, StringList> = HashMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        lists.entry(name.to_string()).or_default().values.push(value);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(url: &str, path: &str) -> String {
        let request = CallResourceRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            path: path.to_owned(),
            ..Default::default()
        };
        http_request(request).unwrap().uri().to_string()
    }

    #[test]
    fn url_is_read_with_and_without_slash_and_query() {
        assert_eq!(forwarded("status", "status"), "/status");
        assert_eq!(
            forwarded("/coverage?collection=sleep&from=2026-01-01", "coverage"),
            "/coverage?collection=sleep&from=2026-01-01"
        );
        assert_eq!(forwarded("", "status"), "/status");
        assert_eq!(forwarded("", ""), "/");
    }

    #[test]
    fn invalid_url_is_an_error() {
        let request = CallResourceRequest {
            method: "GE T".to_owned(),
            url: "a b".to_owned(),
            ..Default::default()
        };
        assert!(http_request(request).is_err());
    }
}
