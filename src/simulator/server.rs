//! What happens to every request before and after its handler: manners are checked, faults strike, and all of it is written down.

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

pub(super) fn router(oura: Arc<Oura>) -> Router {
    let missing = || async { Refusal::new(StatusCode::NOT_FOUND, "Not Found") };
    let routes = consent::routes().merge(api::routes()).fallback(missing);
    routes.layer(from_fn_with_state(oura.clone(), gate)).with_state(oura)
}

async fn gate(State(oura): State<Arc<Oura>>, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let method = request.method().to_string();
    let (mut response, spoilt) = answer(&oura, request, next).await;
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

/// The answer, and whether a fault spoilt it.
async fn answer(oura: &Oura, mut request: Request, next: Next) -> (Response, bool) {
    if !request.headers().contains_key(header::USER_AGENT) {
        oura.journal().violated(Violation::NoUserAgent);
        return (
            Refusal::new(StatusCode::FORBIDDEN, "A User-Agent header is required.").into_response(),
            false,
        );
    }
    if let Some(wait) = oura.turnstile(oura.config.clock.now()) {
        return (too_many(oura, wait), false);
    }
    let path = request.uri().path().to_owned();
    oura.faults.pass_barriers(&path).await;
    let strikes = oura.faults.strike(&path, range(request.uri()));
    let mut refusal = None;
    for strike in &strikes {
        match strike {
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
            // Whichever page is asked for, it is the first.
            Misbehaviour::EndlessPages => *request.uri_mut() = without_token(request.uri()),
            _ => {}
        }
    }
    let response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    (spoil(response, &strikes).await, strikes.iter().any(Misbehaviour::spoils))
}

/// The days that are asked for, both included.
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

/// The address of the first page.
fn without_token(uri: &Uri) -> Uri {
    let parameters = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, _)| name != "next_token");
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}?{query}", uri.path()).parse().unwrap_or_else(|_| uri.clone())
}

/// What the documentation says the limit is: requests, and seconds.
const DOCUMENTED_LIMIT: (usize, i64) = (5000, 300);

fn too_many(oura: &Oura, wait: u64) -> Response {
    let (most, seconds) = oura.config.rate_limit.unwrap_or(DOCUMENTED_LIMIT);
    let reset = oura.config.clock.now().seconds().saturating_add_unsigned(wait);
    let headers = [
        (header::RETRY_AFTER, wait.to_string()),
        (HeaderName::from_static("x-ratelimit-limit"), most.to_string()),
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

/// Does to a finished answer what the faults say.
async fn spoil(response: Response, strikes: &[Misbehaviour]) -> Response {
    let touches_body = |strike: &&Misbehaviour| {
        use Misbehaviour::*;
        !matches!(
            strike,
            Status { .. } | LongestRange(_) | ScopeMissing | MembershipExpired | Delay(_)
        )
    };
    let strikes: Vec<&Misbehaviour> = strikes.iter().filter(touches_body).collect();
    if strikes.is_empty() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut text = to_bytes(body, usize::MAX).await.unwrap_or_default();
    for strike in &strikes {
        text = match strike {
            Misbehaviour::UnknownField => change(&text, |page| {
                each_document(page, |document| document["brand_new"] = json!({ "value": 1 }))
            }),
            Misbehaviour::WrongType => change(&text, |page| each_document(page, swap_types)),
            Misbehaviour::WrongShape => change(&text, unlist),
            Misbehaviour::Shuffled => {
                change(&text, |page| documents(page, |documents| documents.reverse()))
            }
            Misbehaviour::Duplicated => change(&text, |page| {
                documents(page, |documents| documents.extend(documents.clone()))
            }),
            Misbehaviour::EndlessPages => change(&text, |page| page["next_token"] = json!("again")),
            Misbehaviour::InvalidJson => Bytes::from([b"{\"data\": [}".as_slice(), &text].concat()),
            _ => text,
        };
    }
    let cut = strikes.contains(&&Misbehaviour::HalfBody);
    let pause = strikes.iter().find_map(|strike| match strike {
        Misbehaviour::Drip(pause) => Some(*pause),
        _ => None,
    });
    let body = match (cut, pause) {
        (true, _) => half(text),
        (false, Some(pause)) => drip(text, pause),
        (false, None) => Body::from(text),
    };
    Response::from_parts(parts, body)
}

fn change(text: &Bytes, how: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(mut value) = serde_json::from_slice(text) else { return text.clone() };
    how(&mut value);
    Bytes::from(value.to_string())
}

fn documents(page: &mut Value, how: impl FnOnce(&mut Vec<Value>)) {
    if let Some(documents) = page.get_mut("data").and_then(Value::as_array_mut) {
        how(documents);
    }
}

fn each_document(page: &mut Value, how: impl Fn(&mut Value)) {
    match page.get("data") {
        Some(_) => documents(page, |documents| documents.iter_mut().for_each(how)),
        None => how(page),
    }
}

/// Numbers become texts and texts numbers, at any depth; a truth becomes a list.
fn swap_types(value: &mut Value) {
    *value = match value.take() {
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(as_number(&text)),
        Value::Bool(truth) => json!([truth]),
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

/// Seconds since 1970 of what is a time or a day; of anything else a number that no other text is likely to have.
fn as_number(text: &str) -> i64 {
    let time = Stamp::parse(text, Tz::UTC).map(|stamp| stamp.at);
    let time = time.or_else(|_| text.parse().map(|day: Day| day.midnight(Tz::UTC)));
    time.map_or_else(
        |_| i64::from(Noise::new(0, beginning(), text).bits() as u32),
        Instant::seconds,
    )
}

/// The list as an object, its documents by their places.
fn unlist(page: &mut Value) {
    if let Some(Value::Array(documents)) = page.get_mut("data").map(Value::take) {
        page["data"] = documents
            .into_iter()
            .enumerate()
            .map(|(place, document)| (place.to_string(), document))
            .collect();
    }
}

/// The first half, then the connection breaks.
fn half(text: Bytes) -> Body {
    let pieces = [
        Ok(text.slice(..text.len() / 2)),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    // Yielding before the break lets the first half be sent; else the answer would not even begin.
    Body::from_stream(tokio_stream::iter(pieces).then(async |piece| {
        if piece.is_err() {
            tokio::task::yield_now().await;
        }
        piece
    }))
}

/// In sixteen pieces.
fn drip(text: Bytes, pause: Duration) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    tokio::spawn(async move {
        for piece in text.chunks((text.len() / 16).max(1)) {
            tokio::time::sleep(pause).await;
            // The reader may have gone.
            if sender.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                return;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}
