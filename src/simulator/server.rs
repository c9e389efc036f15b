//! The middleware of every request: checks the client, applies faults and records the journal.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::api::Refusal;
use super::collections::Collection;
use super::faults::Misbehaviour;
use super::journal::{self, Violation};
use super::life::beginning;
use super::noise::Noise;
use super::{Oura, api, consent};
use crate::time::{Day, Instant, Stamp, Tz};

/// The router of the whole simulator.
pub(super) fn router(oura: Arc<Oura>) -> Router {
    let missing = || async { Refusal::new(StatusCode::NOT_FOUND, "Not Found") };
    let routes = consent::routes().merge(api::routes()).fallback(missing);
    routes.layer(from_fn_with_state(oura.clone(), record)).with_state(oura)
}

/// Responds to a request and records it.
async fn record(State(oura): State<Arc<Oura>>, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let method = request.method().to_string();
    let (mut response, spoilt) = respond(&oura, request, next).await;
    let date = oura.config.clock.now().http_date();
    response
        .headers_mut()
        .extend(HeaderValue::from_str(&date).ok().map(|date| (header::DATE, date)));
    let number = oura.journal().record(journal::Request {
        at: oura.config.clock.now(),
        method,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        status: response.status().as_u16(),
        spoilt,
    });
    oura.answered.send_replace(number);
    if response.status().as_u16() >= 400 {
        let trace = HeaderValue::from_str(&format!("{number:032x}")).ok();
        response
            .headers_mut()
            .extend(trace.map(|trace| (HeaderName::from_static("x-trace-id"), trace)));
    }
    response
}

/// Returns the response, and whether a fault withheld or damaged it.
async fn respond(oura: &Oura, mut request: Request, next: Next) -> (Response, bool) {
    if !request.headers().contains_key(header::USER_AGENT) {
        oura.journal().violated(Violation::NoUserAgent);
        return (
            Refusal::new(StatusCode::FORBIDDEN, "A User-Agent header is required.").into_response(),
            false,
        );
    }
    let path = request.uri().path().to_owned();
    if path.starts_with("/v2/")
        && let Some(wait) = oura.check_rate_limit(oura.config.clock.now())
    {
        return (too_many(oura, wait), false);
    }
    oura.faults.pass_barriers(&path).await;
    let misbehaviours = oura.faults.apply(&path, range(request.uri()));
    let mut refusal = None;
    for misbehaviour in &misbehaviours {
        match misbehaviour {
            Misbehaviour::Delay(delay) => tokio::time::sleep(*delay).await,
            Misbehaviour::Status { status: 429, retry_after } => {
                refusal = Some(too_many(oura, retry_after.unwrap_or(1)))
            }
            Misbehaviour::Status { status, .. } => {
                let status =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                refusal = Some(
                    Refusal::new(status, status.canonical_reason().unwrap_or("Error"))
                        .into_response(),
                );
            }
            Misbehaviour::ScopeMissing => {
                let name = path
                    .trim_start_matches("/v2/usercollection/")
                    .split('/')
                    .next()
                    .unwrap_or_default();
                let scope = Collection::named(name)
                    .and_then(|collection| collection.scope)
                    .unwrap_or("personal");
                refusal = Some(Refusal::scope(scope).into_response());
            }
            Misbehaviour::LongestRange(days) => {
                let detail = format!("The range must not be longer than {days} days.");
                refusal = Some(Refusal::new(StatusCode::BAD_REQUEST, &detail).into_response());
            }
            Misbehaviour::MembershipExpired => {
                refusal = Some(Refusal::membership().into_response())
            }
            // Every request returns the first page.
            Misbehaviour::EndlessPages => *request.uri_mut() = without_token(request.uri()),
            _ => {}
        }
    }
    let response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let is_damaged = misbehaviours.iter().any(Misbehaviour::spoils);
    (change_body(response, &misbehaviours).await, is_damaged)
}

/// The requested days, both included.
fn range(uri: &Uri) -> Option<(Day, Day)> {
    let parameters: Vec<_> =
        url::form_urlencoded::parse(uri.query()?.as_bytes()).into_owned().collect();
    let day = |end: &str| {
        let (_, value) = parameters.iter().find(|(name, _)| {
            name.starts_with(end) && (name.ends_with("_date") || name.ends_with("_datetime"))
        })?;
        value.get(..10)?.parse().ok()
    };
    Some((day("start")?, day("end")?))
}

/// The URL without `next_token`.
fn without_token(uri: &Uri) -> Uri {
    let parameters = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, _)| name != "next_token");
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}?{query}", uri.path()).parse().unwrap_or_else(|_| uri.clone())
}

/// The documented rate limit: requests, and seconds.
const DOCUMENTED_LIMIT: (usize, i64) = (5000, 300);

/// A 429 response with Oura's headers.
fn too_many(oura: &Oura, wait: u64) -> Response {
    let (max_requests, seconds) = oura.config.rate_limit.unwrap_or(DOCUMENTED_LIMIT);
    let reset = oura.config.clock.now().seconds().saturating_add_unsigned(wait);
    let headers = [
        (header::RETRY_AFTER, wait.to_string()),
        (HeaderName::from_static("x-ratelimit-limit"), max_requests.to_string()),
        (HeaderName::from_static("x-ratelimit-window"), seconds.to_string()),
        (HeaderName::from_static("x-ratelimit-reset"), reset.to_string()),
        (HeaderName::from_static("x-ratelimit-tier"), "token".to_owned()),
    ];
    (
        StatusCode::TOO_MANY_REQUESTS,
        AppendHeaders(headers),
        Json(json!({ "detail": "Too many requests." })),
    )
        .into_response()
}

/// Applies the faults that change the body.
async fn change_body(response: Response, misbehaviours: &[Misbehaviour]) -> Response {
    let changes_body = |misbehaviour: &&Misbehaviour| {
        use Misbehaviour::*;
        !matches!(
            misbehaviour,
            Status { .. } | LongestRange(_) | ScopeMissing | MembershipExpired | Delay(_)
        )
    };
    let misbehaviours: Vec<&Misbehaviour> = misbehaviours.iter().filter(changes_body).collect();
    if misbehaviours.is_empty() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut text = to_bytes(body, usize::MAX).await.unwrap_or_default();
    for misbehaviour in &misbehaviours {
        text = match misbehaviour {
            Misbehaviour::UnknownField => change_json(&text, |page| {
                each_document(page, |document| document["brand_new"] = json!({ "value": 1 }))
            }),
            Misbehaviour::WrongType => change_json(&text, |page| each_document(page, swap_types)),
            Misbehaviour::WrongShape => change_json(&text, list_to_object),
            Misbehaviour::Shuffled => {
                change_json(&text, |page| documents(page, |documents| documents.reverse()))
            }
            Misbehaviour::Duplicated => change_json(&text, |page| {
                documents(page, |documents| documents.extend(documents.clone()))
            }),
            Misbehaviour::EndlessPages => {
                change_json(&text, |page| page["next_token"] = json!("again"))
            }
            Misbehaviour::InvalidJson => Bytes::from([b"{\"data\": [}".as_slice(), &text].concat()),
            _ => text,
        };
    }
    let pause = misbehaviours.iter().find_map(|misbehaviour| match misbehaviour {
        Misbehaviour::Drip(pause) => Some(*pause),
        _ => None,
    });
    let body = if misbehaviours.contains(&&Misbehaviour::HalfBody) {
        first_half(text)
    } else if let Some(pause) = pause {
        drip(text, pause)
    } else {
        Body::from(text)
    };
    Response::from_parts(parts, body)
}

/// Applies `change` to a JSON body. Returns other bodies unchanged.
fn change_json(text: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(mut value) = serde_json::from_slice(text) else { return text.clone() };
    change(&mut value);
    Bytes::from(value.to_string())
}

/// Applies `change` to the list of documents.
fn documents(page: &mut Value, change: impl FnOnce(&mut Vec<Value>)) {
    if let Some(documents) = page.get_mut("data").and_then(Value::as_array_mut) {
        change(documents);
    }
}

/// Applies `change` to every document, or to a single object.
fn each_document(page: &mut Value, change: impl Fn(&mut Value)) {
    match page.get("data") {
        Some(_) => documents(page, |documents| documents.iter_mut().for_each(change)),
        None => change(page),
    }
}

/// Swaps numbers and text at any depth. A boolean becomes a list.
fn swap_types(value: &mut Value) {
    *value = match value.take() {
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(as_number(&text)),
        Value::Bool(value) => json!([value]),
        Value::Null => Value::Null,
        mut nested => {
            nested
                .as_object_mut()
                .into_iter()
                .flat_map(|fields| fields.values_mut())
                .for_each(swap_types);
            nested.as_array_mut().into_iter().flatten().for_each(swap_types);
            nested
        }
    };
}

/// Seconds since 1970 of a timestamp or a day. For other text, a number that is probably unique.
fn as_number(text: &str) -> i64 {
    let time = Stamp::parse(text, Tz::UTC).map(|stamp| stamp.at);
    let time = time.or_else(|_| text.parse().map(|day: Day| day.midnight(Tz::UTC)));
    time.map_or_else(
        |_| i64::from(Noise::new(0, beginning(), text).bits() as u32),
        Instant::seconds,
    )
}

/// Converts the list to an object. The keys are the positions.
fn list_to_object(page: &mut Value) {
    if let Some(Value::Array(documents)) = page.get_mut("data").map(Value::take) {
        page["data"] = documents
            .into_iter()
            .enumerate()
            .map(|(index, document)| (index.to_string(), document))
            .collect();
    }
}

/// Sends the first half, then closes the connection.
fn first_half(text: Bytes) -> Body {
    let pieces = [
        Ok(text.slice(..text.len() / 2)),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    // Yielding before the error lets the server send the first half. Otherwise the response would
    // not start.
    Body::from_stream(tokio_stream::iter(pieces).then(async |piece| {
        if piece.is_err() {
            tokio::task::yield_now().await;
        }
        piece
    }))
}

/// Sends sixteen pieces with pauses.
fn drip(text: Bytes, pause: Duration) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    tokio::spawn(async move {
        for piece in text.chunks((text.len() / 16).max(1)) {
            tokio::time::sleep(pause).await;
            // The client may have closed the connection.
            if sender.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                return;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}
