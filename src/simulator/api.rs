//! `/v2/usercollection/…`: lists and single documents. Requests need a token with the right scope.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::collections::{Collection, Cursor, Range, Window, page};
use super::consent::Parameters;
use super::{Oura, ring};
use crate::time::{Day, Instant, Stamp, Tz};

/// The routes of the API.
pub(super) fn routes() -> Router<Arc<Oura>> {
    Router::new()
        .route("/v2/usercollection/:collection", routing::get(list))
        .route("/v2/usercollection/:collection/:id", routing::get(single))
        .route("/v2/static/json/:file", routing::get(specification))
}

/// Maximum number of documents per page.
const PAGE: usize = 1000;
/// Maximum range of row collections, in seconds.
const MAX_RANGE: i64 = 30 * 86_400;
/// Seconds per day.
const DAY: i64 = 86_400;

/// An error response: `{"detail": …}` with a status.
#[derive(Debug)]
pub(super) struct Refusal(pub StatusCode, pub Value);

impl Refusal {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal(status, detail.into().into())
    }

    /// The token lacks the scope `name`.
    pub fn scope(name: &str) -> Refusal {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            format!("Token is not authorized access {name} scope."),
        )
    }

    /// The membership is inactive.
    pub fn membership() -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "The subscription to Oura has expired.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "detail": self.1 }))).into_response()
    }
}

async fn list(
    State(oura): State<Arc<Oura>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let collection =
        Collection::named(&name).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Not Found"))?;
    let now = oura.config.clock.now();
    let scopes = authorize(&oura, &headers, collection, now)?;
    if collection.range == Range::Single {
        return Ok(Json(ring::personal_info(&oura.person, &scopes, now)).into_response());
    }
    let parameters = Parameters::parse(&query.unwrap_or_default());
    let latest = parameters.get("latest") == Some("true") && collection.range == Range::Datetimes;
    let (window, cursor) = match parameters.get("next_token") {
        Some(token) => {
            let (window, cursor) = read_token(token, collection)?;
            (window, Some(cursor))
        }
        None => (resolve_window(&oura, collection, &parameters, now)?, None),
    };
    // Generating a thousand documents is too slow for an async thread.
    let task = tokio::task::spawn_blocking(move || {
        let (documents, next) = page(
            &oura.person,
            collection,
            window,
            cursor,
            if latest { usize::MAX } else { PAGE },
            now,
        );
        let documents =
            if latest { &documents[documents.len().saturating_sub(1)..] } else { &documents[..] };
        let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
        let token = next.map(|cursor| write_token(collection, window, cursor));
        format!(r#"{{"data":[{}],"next_token":{}}}"#, texts.join(","), json!(token))
    });
    let body = task
        .await
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The OpenAPI document of a version. Needs no token.
async fn specification(
    State(oura): State<Arc<Oura>>,
    Path(file): Path<String>,
) -> Result<Response, Refusal> {
    let version = file.strip_prefix("openapi-").and_then(|rest| rest.strip_suffix(".json"));
    let found = oura
        .config
        .specifications
        .iter()
        .find(|(published, _)| Some(published.as_str()) == version);
    let (_, document) =
        found.ok_or_else(|| Refusal::new(StatusCode::FORBIDDEN, "Access Denied"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document.clone()).into_response())
}

async fn single(
    State(oura): State<Arc<Oura>>,
    Path((name, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let collection = Collection::named(&name).filter(|collection| collection.has_documents());
    let collection = collection.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Not Found"))?;
    let now = oura.config.clock.now();
    authorize(&oura, &headers, collection, now)?;
    let found = oura.person.day_of_id(collection.name, &id).and_then(|day| {
        let documents = collection.on(&oura.person, day, now);
        documents.into_iter().find(|document| document.text.contains(&format!(r#""id":"{id}""#)))
    });
    let document =
        found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Document not found."))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document.text).into_response())
}

/// Returns the scopes of the request's token, if it may read `collection`.
fn authorize(
    oura: &Oura,
    headers: &HeaderMap,
    collection: &Collection,
    now: Instant,
) -> Result<Vec<&'static str>, Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let scopes = token.and_then(|token| oura.login().scopes(token, now));
    let scopes = scopes.ok_or_else(|| {
        Refusal::new(StatusCode::UNAUTHORIZED, "The access token is missing, invalid or expired.")
    })?;
    match collection.scope {
        Some(scope) if !scopes.contains(&scope) => Err(Refusal::scope(scope)),
        _ => Ok(scopes),
    }
}

/// Resolves a request's range. Parameters of other range types are ignored, as at Oura.
fn resolve_window(
    oura: &Oura,
    collection: &Collection,
    parameters: &Parameters,
    now: Instant,
) -> Result<Window, Refusal> {
    let today = oura.person.life.today(now);
    let window = match collection.range {
        Range::All | Range::Single => Window::Days(oura.person.first_day, today),
        Range::Datetimes => {
            let end = parse_bound(parameters, "end_datetime")?.map_or(now, |bound| bound.at);
            let start =
                parse_bound(parameters, "start_datetime")?.map_or(end.plus(-DAY), |bound| bound.at);
            if end.seconds() - start.seconds() > MAX_RANGE {
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "The time range must not be longer than 30 days.",
                ));
            }
            Window::Instants(start, end)
        }
        Range::UtcStart => {
            let end = parse_bound(parameters, "end_date")?
                .map_or(today.midnight(Tz::UTC), |bound| bound.at);
            let start =
                parse_bound(parameters, "start_date")?.map_or(end.plus(-DAY), |bound| bound.at);
            Window::Instants(start, end)
        }
        Range::DaysThrough | Range::DaysBefore => {
            let end = parse_bound(parameters, "end_date")?.unwrap_or_else(|| Bound::day(today));
            let start =
                parse_bound(parameters, "start_date")?.map_or(end.day.plus(-1), |bound| bound.day);
            if start > end.day {
                return Err(wrong_order());
            }
            // An end with a time includes its day. A date does so only if the range includes its
            // end.
            let included = collection.range == Range::DaysThrough || end.within_day;
            Window::Days(start, if included { end.day } else { end.day.plus(-1) })
        }
    };
    match window {
        Window::Instants(start, end) if start > end => Err(wrong_order()),
        window => Ok(window),
    }
}

fn wrong_order() -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Start date must be before end date")
}

/// One end of a requested range: a date, or a date and a time.
struct Bound {
    day: Day,
    at: Instant,
    /// Whether the time is after midnight of its day.
    within_day: bool,
}

impl Bound {
    fn day(day: Day) -> Bound {
        Bound { day, at: day.midnight(Tz::UTC), within_day: false }
    }
}

/// Parses a parameter as a bound. `None` if it is missing.
fn parse_bound(parameters: &Parameters, name: &str) -> Result<Option<Bound>, Refusal> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    if let Ok(day) = text.parse::<Day>() {
        return Ok(Some(Bound::day(day)));
    }
    let stamp = Stamp::parse(text, Tz::UTC).map_err(|_| {
        let detail = json!([{
            "type": "datetime_from_date_parsing",
            "loc": ["query", name],
            "msg": "Input should be a valid date or datetime",
            "input": text,
            "ctx": { "error": "invalid character in year" },
        }]);
        Refusal(StatusCode::UNPROCESSABLE_ENTITY, detail)
    })?;
    // The date as written, without conversion to UTC.
    let local = stamp.at.plus(stamp.offset.unwrap_or(0).into());
    let day = local.day(Tz::UTC);
    Ok(Some(Bound { day, at: stamp.at, within_day: local > day.midnight(Tz::UTC) }))
}

/// A token contains the whole range, so it works without the other parameters.
fn write_token(collection: &Collection, window: Window, cursor: Cursor) -> String {
    let (kind, from, to) = match window {
        Window::Days(from, to) => ("days", from.to_string(), to.to_string()),
        Window::Instants(from, to) => {
            ("instants", from.seconds().to_string(), to.seconds().to_string())
        }
    };
    URL_SAFE_NO_PAD
        .encode(format!("{} {kind} {from} {to} {} {}", collection.name, cursor.day, cursor.skip))
}

fn read_token(token: &str, collection: &Collection) -> Result<(Window, Cursor), Refusal> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let [name, kind, from, to, day, skip] =
            text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let window = match kind {
            "days" => Window::Days(from.parse().ok()?, to.parse().ok()?),
            _ => Window::Instants(Instant(from.parse().ok()?), Instant(to.parse().ok()?)),
        };
        (name == collection.name)
            .then_some((window, Cursor { day: day.parse().ok()?, skip: skip.parse().ok()? }))
    };
    read().ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "The next_token is not valid."))
}
