use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::token_trust::UNSCOPED_PATH;
use super::*;
use crate::catalog::{KeyRule, Storage, Style, TimeRule};
use crate::oura::fake_server::{FakeResponse, FakeServer, respond};
use crate::oura::{BoxFuture, Secret, TokenError, USER_AGENT, http_client};
use crate::time::Instant;

const START: Instant = Instant(1_800_000_000);
const EMPTY: &str = r#"{"data":[],"next_token":null}"#;

/// A collection of the given style. Only the fields that a request needs are realistic.
pub(in crate::oura) fn collection(style: Style) -> Collection {
    Collection {
        name: "vO2_max".to_owned(),
        table: "vo2_max".to_owned(),
        path: "/v2/usercollection/vO2_max".to_owned(),
        style,
        storage: Storage::Documents,
        key: KeyRule::Document,
        time: TimeRule { day: &["day"], start: &[], end: &[] },
        scope: Some("heart_health"),
        max_window_days: 30,
        description: "",
        columns: Vec::new(),
        series: Vec::new(),
    }
}

/// Tokens `planted-0`, `planted-1`, …: each replacement returns the next.
#[derive(Default)]
struct NumberedTokens(AtomicU32);

impl NumberedTokens {
    fn current(&self) -> Secret {
        Secret::new(format!("planted-{}", self.0.load(Ordering::SeqCst)))
    }
}

impl AccessTokens for NumberedTokens {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(self.current()) })
    }

    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        if rejected == self.current() {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        self.access_token()
    }
}

/// A clock on which the longest pause takes less than a second.
fn fast_clock() -> Clock {
    Clock::starting_at(START, 2000.0)
}

pub(in crate::oura) fn client(server: &FakeServer) -> Client {
    client_at(server, fast_clock(), Arc::default())
}

fn client_at(server: &FakeServer, clock: Clock, gate: Arc<RateGate>) -> Client {
    Client::new(
        http_client().unwrap(),
        server.origins(),
        Arc::new(NumberedTokens::default()),
        clock,
        gate,
    )
}

/// From an evening to the morning of the day after next, in UTC.
pub(in crate::oura) fn range() -> Range {
    Range { from: Instant(1_799_953_200), to: Instant(1_800_086_399) }
}

async fn fetch(
    answers: impl IntoIterator<Item = FakeResponse>,
) -> (Result<Page, FetchError>, FakeServer) {
    let server = FakeServer::sequence(answers).await;
    (client(&server).page(&collection(Style::Dates), range(), None).await, server)
}

#[tokio::test]
async fn each_style_sends_its_own_parameters() {
    assert_eq!(
        (range().from.to_string(), range().to.to_string()),
        ("2027-01-14T19:00:00Z".into(), "2027-01-16T07:59:59Z".into())
    );
    for (style, body, query) in [
        (Style::Dates, EMPTY, "start_date=2027-01-14&end_date=2027-01-16&next_token=a%2Bb%3D"),
        (
            Style::Datetimes,
            EMPTY,
            "start_datetime=2027-01-14T19%3A00%3A00Z&end_datetime=2027-01-16T07%3A59%3A59Z\
             &next_token=a%2Bb%3D",
        ),
        (Style::TokenOnly, EMPTY, "next_token=a%2Bb%3D"),
    ] {
        let server = FakeServer::sequence([respond(200, body)]).await;
        client(&server).page(&collection(style), range(), Some("a+b=")).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!(
            (request.path.as_str(), request.query.as_str()),
            ("/v2/usercollection/vO2_max", query)
        );
        assert_eq!(
            (request.bearer.as_str(), request.user_agent.as_str()),
            ("planted-0", USER_AGENT)
        );
    }
}

#[tokio::test]
async fn last_second_of_a_day_is_sent_with_its_time() {
    let server = FakeServer::sequence([respond(200, EMPTY)]).await;
    let to = Instant(1_800_057_599);
    client(&server).page(&collection(Style::Dates), Range { to, ..range() }, None).await.unwrap();
    assert_eq!(
        server.requests()[0].query,
        "start_date=2027-01-14&end_date=2027-01-15T23%3A59%3A59"
    );
}

#[tokio::test]
async fn documents_are_returned_byte_for_byte() {
    let (page, _) = fetch([respond(
        200,
        r#"{"next_token":"more","unknown":1,"data":[{ "b":1.50, "a":null },{"ä":"\u00e4"}]}"#,
    )])
    .await;
    let page = page.unwrap();
    let texts: Vec<_> = page.documents.iter().map(|document| text(document)).collect();
    assert_eq!(texts, [r#"{ "b":1.50, "a":null }"#, r#"{"ä":"\u00e4"}"#]);
    assert_eq!(page.next_token.as_deref(), Some("more"));
}

#[tokio::test]
async fn singleton_and_missing_token_end_the_pages() {
    let server = FakeServer::sequence([respond(200, r#"{"id":"me","age":42}"#)]).await;
    let page = client(&server).page(&collection(Style::Singleton), range(), None).await.unwrap();
    assert_eq!((page.documents.len(), page.next_token), (1, None));
    let (page, _) = fetch([respond(200, r#"{"data":[{}]}"#)]).await;
    assert_eq!(page.unwrap().next_token, None);
}

#[tokio::test]
async fn empty_tokens_end_the_pages() {
    for (token, expected) in [
        ("null", None),
        ("\"\"", None),
        ("false", None),
        (r#""more""#, Some("more")),
        ("17", Some("17")),
    ] {
        let body = format!(r#"{{"data":[{{"id":"a"}}],"next_token":{token}}}"#);
        let (page, _) = fetch([respond(200, body)]).await;
        assert_eq!(page.unwrap().next_token.as_deref(), expected, "{token}");
    }
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    for (status, body, expected) in [
        (
            401,
            r#"{"detail":"Token is not authorized access spo2 scope."}"#,
            r#"MissingScope { scope: "spo2" }"#,
        ),
        (403, r#"{"detail":"Missing scope: stress"}"#, r#"MissingScope { scope: "stress" }"#),
        (403, r#"{"error":"insufficient_scope"}"#, r#"MissingScope { scope: "heart_health" }"#),
        (
            403,
            r#"{"detail":"subscription to Oura has expired"}"#,
            r#"MembershipInactive { detail: "subscription to Oura has expired" }"#,
        ),
        (404, r#"{"detail":"Not Found"}"#, "NotAvailable"),
        (426, "", "AppTooOld"),
        (
            400,
            r#"{"detail":"range too long"}"#,
            r#"Rejected { status: 400, detail: "range too long" }"#,
        ),
        (
            422,
            r#"{"detail":[{"msg":"bad date"}]}"#,
            r#"Rejected { status: 422, detail: "bad date" }"#,
        ),
        (302, "", r#"Malformed { detail: "unexpected HTTP status 302" }"#),
        (200, "[]", r#"Malformed { detail: "not a page of documents at line 1, column 2" }"#),
        (
            200,
            r#"{"documents":[]}"#,
            r#"Malformed { detail: "not a page of documents at line 1, column 16" }"#,
        ),
        (200, r#"{"data":[],"next_token":{}}"#, r#"Malformed { detail: "invalid next_token" }"#),
    ] {
        let (outcome, server) = fetch([respond(status, body)]).await;
        assert_eq!(format!("{:?}", outcome.unwrap_err()), expected, "{status} {body}");
        assert_eq!(server.requests().len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn transient_errors_are_retried_three_times() {
    for transient in [
        || respond(500, ""),
        || respond(503, "<html>"),
        || respond(200, r#"{"data":[{"#),
        || respond(200, EMPTY).incomplete(),
    ] {
        let (page, server) =
            fetch([transient(), transient(), transient(), respond(200, EMPTY)]).await;
        page.unwrap();
        assert_eq!(server.requests().len(), 4);
    }
    let (outcome, server) = fetch([respond(502, "")]).await;
    assert!(matches!(outcome, Err(FetchError::Server { status: 502 })));
    assert_eq!(server.requests().len(), 4);
    assert!(matches!(fetch([respond(200, "{")]).await.0, Err(FetchError::Malformed { .. })));
    assert!(matches!(
        fetch([respond(200, EMPTY).incomplete()]).await.0,
        Err(FetchError::Network(_))
    ));
}

#[tokio::test]
async fn unreachable_api_is_a_network_error() {
    let origins = Origins::at(&Url::parse("http://127.0.0.1:1").unwrap());
    let client = Client::new(
        http_client().unwrap(),
        origins,
        Arc::new(NumberedTokens::default()),
        fast_clock(),
        Arc::default(),
    );
    let outcome = client.page(&collection(Style::Dates), range(), None).await;
    assert!(matches!(outcome, Err(FetchError::Network(_))));
    assert_eq!(
        client.request_counts(),
        RequestCounts { requests: 4, broken: 4, retries: 3, ..RequestCounts::default() }
    );
}

#[tokio::test]
async fn rate_limit_pauses_every_person_of_an_application() {
    let clock = fast_clock();
    let times = Arc::new(Mutex::new(Vec::new()));
    let server = FakeServer::new({
        let (clock, times) = (clock.clone(), Arc::clone(&times));
        move |_| {
            let mut times = times.lock();
            times.push(clock.now());
            if times.len() == 1 { respond(429, "").retry_after("600") } else { respond(200, EMPTY) }
        }
    })
    .await;
    let gate = Arc::new(RateGate::default());
    let limited = client_at(&server, clock.clone(), Arc::clone(&gate));
    let (neighbour, collection) = (client_at(&server, clock, gate), collection(Style::Dates));
    let other = async {
        while limited.request_counts().rate_limited == 0 {
            tokio::task::yield_now().await;
        }
        neighbour.page(&collection, range(), None).await
    };
    let (first, second) = tokio::join!(limited.page(&collection, range(), None), other);
    first.unwrap();
    second.unwrap();
    let times = times.lock();
    assert_eq!(times.len(), 3);
    assert!(times[1..].iter().all(|time| *time >= times[0].plus(600)), "{times:?}");
}

#[tokio::test]
async fn rate_limit_error_follows_five_waits() {
    for limited in [
        || respond(429, "").retry_after("999999"),
        || respond(429, ""),
        || respond(429, "").retry_after("soon"),
    ] {
        let server = FakeServer::sequence([limited()]).await;
        let client = client_at(&server, Clock::starting_at(START, 20_000.0), Arc::default());
        let outcome = client.page(&collection(Style::Dates), range(), None).await;
        assert!(matches!(outcome, Err(FetchError::RateLimited)));
        assert_eq!(
            client.request_counts(),
            RequestCounts { requests: 6, rate_limited: 6, retries: 5, ..RequestCounts::default() }
        );
    }
}

#[tokio::test]
async fn expired_token_is_replaced_once() {
    let (page, server) =
        fetch([respond(401, r#"{"detail":"token expired"}"#), respond(200, EMPTY)]).await;
    page.unwrap();
    let bearers: Vec<_> = server.requests().into_iter().map(|request| request.bearer).collect();
    assert_eq!(bearers, ["planted-0", "planted-1"]);
}

#[tokio::test]
async fn rejected_fresh_token_is_not_replaced() {
    let server = FakeServer::sequence([respond(401, r#"{"detail":"no"}"#)]).await;
    let client = client(&server);
    // The first fetch requests the page twice and personal_info once, the second each once.
    for requests in [3, 5] {
        let outcome = client.page(&collection(Style::Dates), range(), None).await;
        assert!(matches!(outcome, Err(FetchError::Login(TokenError::ReconnectNeeded { .. }))));
        assert_eq!(server.requests().len(), requests);
    }
    assert_eq!(server.requests().last().unwrap().bearer, "planted-1");
}

#[tokio::test]
async fn closed_collection_does_not_end_the_login() {
    let server = FakeServer::new(|request| match request.path.as_str() {
        UNSCOPED_PATH => respond(200, r#"{"id":"me"}"#),
        _ => respond(401, "{}"),
    })
    .await;
    let client = client(&server);
    for requests in [3, 4] {
        assert!(matches!(
            client.page(&collection(Style::Dates), range(), None).await,
            Err(FetchError::Forbidden { .. })
        ));
        assert_eq!(server.requests().len(), requests);
    }
    // An outage of personal_info does not end the login.
    let server = FakeServer::new(|request| {
        if request.path == UNSCOPED_PATH { respond(503, "") } else { respond(401, "{}") }
    })
    .await;
    let outcome = self::client(&server).page(&collection(Style::Dates), range(), None).await;
    assert!(matches!(outcome, Err(FetchError::Server { status: 503 })));
}

#[tokio::test]
async fn closed_collection_costs_one_token() {
    let expired = Arc::new(AtomicBool::new(false));
    let server = FakeServer::new({
        let expired = Arc::clone(&expired);
        move |request| match (request.path.as_str(), request.bearer.as_str()) {
            ("/v2/usercollection/vO2_max", _) => respond(401, "{}"),
            (_, "planted-1") if expired.load(Ordering::SeqCst) => respond(401, "{}"),
            _ => respond(200, EMPTY),
        }
    })
    .await;
    let client = client(&server);
    let refused = collection(Style::Dates);
    let other = Collection {
        name: "sleep".to_owned(),
        path: "/v2/usercollection/sleep".to_owned(),
        ..collection(Style::Dates)
    };
    for _ in 0..2 {
        client.page(&other, range(), None).await.unwrap();
        assert!(matches!(
            client.page(&refused, range(), None).await,
            Err(FetchError::Forbidden { .. })
        ));
    }
    expired.store(true, Ordering::SeqCst);
    client.page(&other, range(), None).await.unwrap();
    let bearers: Vec<_> = server.requests().into_iter().map(|request| request.bearer).collect();
    let (one, two, three) = ("planted-0", "planted-1", "planted-2");
    assert_eq!(
        bearers,
        [one, one, two, two, two, two, three],
        "the closed collection costs one token, and other collections still get new ones"
    );
}

#[tokio::test]
async fn all_pages_are_fetched_with_the_same_range() {
    let pages = [
        r#"{"data":[{"n":1}],"next_token":"b"}"#,
        r#"{"data":[],"next_token":"c"}"#,
        r#"{"data":[{"n":2}],"next_token":null}"#,
    ];
    let server = FakeServer::sequence(pages.map(|page| respond(200, page))).await;
    let (client, collection) = (client(&server), collection(Style::Dates));
    let mut pages = client.pages(&collection, range());
    let mut texts = Vec::new();
    while let Some(documents) = pages.next().await.unwrap() {
        texts.extend(documents.into_iter().map(|document| text(&document).to_owned()));
    }
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(texts, [r#"{"n":1}"#, r#"{"n":2}"#]);
    let queries: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.query.replace("start_date=2027-01-14&end_date=2027-01-16", ""))
        .collect();
    assert_eq!(queries, ["", "&next_token=b", "&next_token=c"]);
}

#[tokio::test]
async fn repeated_next_token_is_an_error() {
    for tokens in [vec!["a", "a"], vec!["a", "b", "a"]] {
        let last = tokens.len() - 1;
        let server = FakeServer::sequence(
            tokens
                .iter()
                .map(|token| respond(200, format!(r#"{{"data":[],"next_token":"{token}"}}"#))),
        )
        .await;
        let (client, collection) = (client(&server), collection(Style::Dates));
        let mut pages = client.pages(&collection, range());
        for _ in 0..last {
            pages.next().await.unwrap();
        }
        assert!(matches!(pages.next().await, Err(FetchError::Malformed { .. })), "{tokens:?}");
    }
}

#[tokio::test]
async fn errors_do_not_contain_tokens() {
    for status in [400, 401, 403, 404, 422, 426, 500] {
        let server = FakeServer::new(move |request| {
            respond(status, format!(r#"{{"detail":"not {}\u0007"}}"#, request.bearer))
        })
        .await;
        let error =
            client(&server).page(&collection(Style::Dates), range(), None).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("planted") && !shown.contains('\u{7}'), "{shown}");
    }
}

fn text(document: &[u8]) -> &str {
    std::str::from_utf8(document).unwrap()
}
