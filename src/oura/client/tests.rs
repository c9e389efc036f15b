use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::catalog::{KeyRule, Storage, TimeRule};
use crate::oura::fake::{Answer, Fake, answer};
use crate::oura::{BoxFuture, TokenError, http_client};

const START: Instant = Instant(1_800_000_000);
const EMPTY: &str = r#"{"data":[],"next_token":null}"#;

/// A collection of the given style; only what a request needs is real.
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

/// Tokens `planted-0`, `planted-1`, …; each replacement gives the next.
#[derive(Default)]
struct Numbered(AtomicU32);

impl Numbered {
    fn present(&self) -> Secret {
        Secret::new(format!("planted-{}", self.0.load(Ordering::SeqCst)))
    }
}

impl AccessTokens for Numbered {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(self.present()) })
    }

    fn replace(&self, rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        if rejected == self.present() {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        self.access_token()
    }
}

/// A clock on which the longest pause takes less than a second.
fn fast() -> Clock {
    Clock::starting_at(START, 2000.0)
}

pub(in crate::oura) fn client(fake: &Fake) -> Client {
    client_at(fake, fast())
}

fn client_at(fake: &Fake, clock: Clock) -> Client {
    Client::new(http_client().unwrap(), fake.origins(), Arc::new(Numbered::default()), clock)
}

/// From an evening to the morning after next, in UTC.
pub(in crate::oura) fn range() -> Range {
    Range { from: Instant(1_799_953_200), to: Instant(1_800_086_399) }
}

async fn fetch(answers: impl IntoIterator<Item = Answer>) -> (Result<Page, FetchError>, Fake) {
    let fake = Fake::sequence(answers).await;
    (client(&fake).page(&collection(Style::Dates), range(), None).await, fake)
}

#[tokio::test]
async fn each_style_asks_with_its_own_parameters() {
    assert_eq!(
        (range().from.to_string(), range().to.to_string()),
        ("2027-01-14T19:00:00Z".into(), "2027-01-16T07:59:59Z".into())
    );
    for (style, body, query) in [
        (Style::Dates, EMPTY, "start_date=2027-01-14&end_date=2027-01-16&next_token=a%2Bb%3D"),
        (
            Style::Datetimes,
            EMPTY,
            "start_datetime=2027-01-14T19%3A00%3A00Z&end_datetime=2027-01-16T07%3A59%3A59Z&next_token=a%2Bb%3D",
        ),
        (Style::TokenOnly, EMPTY, "next_token=a%2Bb%3D"),
    ] {
        let fake = Fake::sequence([answer(200, body)]).await;
        client(&fake).page(&collection(style), range(), Some("a+b=")).await.unwrap();
        let asked = &fake.asked()[0];
        assert_eq!(
            (asked.path.as_str(), asked.query.as_str()),
            ("/v2/usercollection/vO2_max", query)
        );
        assert_eq!((asked.bearer.as_str(), asked.user_agent.as_str()), ("planted-0", USER_AGENT));
    }
}

#[tokio::test]
async fn an_end_in_the_last_second_of_its_day_is_told_with_its_time() {
    let fake = Fake::sequence([answer(200, EMPTY)]).await;
    let to = Instant(1_800_057_599);
    client(&fake).page(&collection(Style::Dates), Range { to, ..range() }, None).await.unwrap();
    assert_eq!(fake.asked()[0].query, "start_date=2027-01-14&end_date=2027-01-15T23%3A59%3A59");
}

#[tokio::test]
async fn documents_come_byte_for_byte() {
    let (page, _) = fetch([answer(
        200,
        r#"{"next_token":"more","unknown":1,"data":[{ "b":1.50, "a":null },{"ä":"\u00e4"}]}"#,
    )])
    .await;
    let page = page.unwrap();
    let texts: Vec<_> = page.documents.iter().map(|document| document.get()).collect();
    assert_eq!(texts, [r#"{ "b":1.50, "a":null }"#, r#"{"ä":"\u00e4"}"#]);
    assert_eq!(page.next_token.as_deref(), Some("more"));
}

#[tokio::test]
async fn a_singleton_is_one_document_and_a_missing_token_the_last_page() {
    let fake = Fake::sequence([answer(200, r#"{"id":"me","age":42}"#)]).await;
    let page = client(&fake).page(&collection(Style::Singleton), range(), None).await.unwrap();
    assert_eq!((page.documents.len(), page.next_token), (1, None));
    let (page, _) = fetch([answer(200, r#"{"data":[{}]}"#)]).await;
    assert_eq!(page.unwrap().next_token, None);
}

#[tokio::test]
async fn each_status_comes_to_one_situation_and_is_not_asked_again() {
    for (status, body, expected) in [
        (
            401,
            r#"{"detail":"Token is not authorized access spo2 scope."}"#,
            r#"ScopeMissing { scope: "spo2" }"#,
        ),
        (403, r#"{"detail":"Missing scope: stress"}"#, r#"ScopeMissing { scope: "stress" }"#),
        (403, r#"{"error":"insufficient_scope"}"#, r#"ScopeMissing { scope: "heart_health" }"#),
        (
            403,
            r#"{"detail":"subscription to Oura has expired"}"#,
            r#"MembershipEnded { detail: "subscription to Oura has expired" }"#,
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
        (302, "", r#"Malformed { detail: "status 302" }"#),
        (200, "[]", r#"Malformed { detail: "no page of documents, at line 1, column 2" }"#),
        (
            200,
            r#"{"documents":[]}"#,
            r#"Malformed { detail: "no page of documents, at line 1, column 16" }"#,
        ),
        (200, r#"{"data":[1]}"#, r#"Malformed { detail: "a document that is no object" }"#),
        (200, r#"{"data":[],"next_token":""}"#, r#"Malformed { detail: "an empty next_token" }"#),
    ] {
        let (outcome, fake) = fetch([answer(status, body)]).await;
        assert_eq!(format!("{:?}", outcome.unwrap_err()), expected, "{status} {body}");
        assert_eq!(fake.asked().len(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_three_times() {
    for passing in [
        || answer(500, ""),
        || answer(503, "<html>"),
        || answer(200, r#"{"data":[{"#),
        || answer(200, EMPTY).half(),
    ] {
        let (page, fake) = fetch([passing(), passing(), passing(), answer(200, EMPTY)]).await;
        page.unwrap();
        assert_eq!(fake.asked().len(), 4);
    }
    let (outcome, fake) = fetch([answer(502, "")]).await;
    assert!(matches!(outcome, Err(FetchError::Server { status: 502 })));
    assert_eq!(fake.asked().len(), 4);
    assert!(matches!(fetch([answer(200, "{")]).await.0, Err(FetchError::Malformed { .. })));
    assert!(matches!(fetch([answer(200, EMPTY).half()]).await.0, Err(FetchError::Network { .. })));
}

#[tokio::test]
async fn an_oura_that_cannot_be_reached_is_a_network_error() {
    let origins = Origins::at(&Url::parse("http://127.0.0.1:1").unwrap());
    let client =
        Client::new(http_client().unwrap(), origins, Arc::new(Numbered::default()), fast());
    let outcome = client.page(&collection(Style::Dates), range(), None).await;
    assert!(matches!(outcome, Err(FetchError::Network { .. })));
    assert_eq!(
        client.requests(),
        RequestCounts { requests: 4, broken: 4, retries: 3, ..RequestCounts::default() }
    );
}

#[tokio::test]
async fn a_rate_limit_pauses_every_clone_for_as_long_as_told() {
    let clock = fast();
    let times = Arc::new(Mutex::new(Vec::new()));
    let fake = Fake::new({
        let (clock, times) = (clock.clone(), Arc::clone(&times));
        move |_| {
            let mut times = times.lock();
            times.push(clock.now());
            if times.len() == 1 { answer(429, "").retry_after("600") } else { answer(200, EMPTY) }
        }
    })
    .await;
    let limited = client_at(&fake, clock);
    let (clone, collection) = (limited.clone(), collection(Style::Dates));
    let other = async {
        while clone.requests().rate_limited == 0 {
            tokio::task::yield_now().await;
        }
        clone.page(&collection, range(), None).await
    };
    let (first, second) = tokio::join!(limited.page(&collection, range(), None), other);
    first.unwrap();
    second.unwrap();
    let times = times.lock();
    assert_eq!(times.len(), 3);
    assert!(times[1..].iter().all(|time| *time >= times[0].plus(600)), "{times:?}");
}

#[tokio::test]
async fn a_rate_limit_that_does_not_end_is_given_up_after_five_waits() {
    for limited in [
        || answer(429, "").retry_after("999999"),
        || answer(429, ""),
        || answer(429, "").retry_after("soon"),
    ] {
        let fake = Fake::sequence([limited()]).await;
        let client = client_at(&fake, Clock::starting_at(START, 20_000.0));
        let outcome = client.page(&collection(Style::Dates), range(), None).await;
        assert!(matches!(outcome, Err(FetchError::RateLimited)));
        assert_eq!(
            client.requests(),
            RequestCounts { requests: 6, rate_limited: 6, retries: 5, ..RequestCounts::default() }
        );
    }
}

#[tokio::test]
async fn an_expired_token_is_replaced_once() {
    let (page, fake) =
        fetch([answer(401, r#"{"detail":"token expired"}"#), answer(200, EMPTY)]).await;
    page.unwrap();
    let bearers: Vec<_> = fake.asked().into_iter().map(|asked| asked.bearer).collect();
    assert_eq!(bearers, ["planted-0", "planted-1"]);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_burns_no_third() {
    let fake = Fake::sequence([answer(401, r#"{"detail":"no"}"#)]).await;
    let client = client(&fake);
    // Twice for the page and once for whose ring it is; then once each.
    for requests in [3, 5] {
        let outcome = client.page(&collection(Style::Dates), range(), None).await;
        assert!(matches!(outcome, Err(FetchError::Login(TokenError::ReconnectNeeded { .. }))));
        assert_eq!(fake.asked().len(), requests);
    }
    assert_eq!(fake.asked().last().unwrap().bearer, "planted-1");
}

#[tokio::test]
async fn a_fresh_token_that_one_collection_refuses_and_nothing_has_accepted_yet_ends_no_login() {
    let fake = Fake::new(|asked| match asked.path.as_str() {
        OPEN_TO_ANY => answer(200, r#"{"id":"me"}"#),
        _ => answer(401, "{}"),
    })
    .await;
    let client = client(&fake);
    for requests in [3, 4] {
        assert!(matches!(
            client.page(&collection(Style::Dates), range(), None).await,
            Err(FetchError::Forbidden { .. })
        ));
        assert_eq!(fake.asked().len(), requests);
    }
    // While that cannot be told, nothing is declared.
    let fake =
        Fake::new(
            |asked| if asked.path == OPEN_TO_ANY { answer(503, "") } else { answer(401, "{}") },
        )
        .await;
    let outcome = self::client(&fake).page(&collection(Style::Dates), range(), None).await;
    assert!(matches!(outcome, Err(FetchError::Server { status: 503 })));
}

#[tokio::test]
async fn a_collection_that_refuses_a_token_which_opens_others_is_that_collections_trouble() {
    let expired = Arc::new(AtomicBool::new(false));
    let fake = Fake::new({
        let expired = Arc::clone(&expired);
        move |asked| match (asked.path.as_str(), asked.bearer.as_str()) {
            ("/v2/usercollection/vO2_max", _) => answer(401, "{}"),
            (_, "planted-1") if expired.load(Ordering::SeqCst) => answer(401, "{}"),
            _ => answer(200, EMPTY),
        }
    })
    .await;
    let client = client(&fake);
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
    let bearers: Vec<_> = fake.asked().into_iter().map(|asked| asked.bearer).collect();
    let (one, two, three) = ("planted-0", "planted-1", "planted-2");
    assert_eq!(
        bearers,
        [one, one, two, two, two, two, three],
        "it costs one token, and the others still get new ones"
    );
}

#[tokio::test]
async fn pages_are_followed_to_the_last_with_the_same_range() {
    let pages = [
        r#"{"data":[{"n":1}],"next_token":"b"}"#,
        r#"{"data":[],"next_token":"c"}"#,
        r#"{"data":[{"n":2}],"next_token":null}"#,
    ];
    let fake = Fake::sequence(pages.map(|page| answer(200, page))).await;
    let (client, collection) = (client(&fake), collection(Style::Dates));
    let mut pages = client.pages(&collection, range());
    let mut texts = Vec::new();
    while let Some(documents) = pages.next().await.unwrap() {
        texts.extend(documents.into_iter().map(|document| document.get().to_owned()));
    }
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(texts, [r#"{"n":1}"#, r#"{"n":2}"#]);
    let queries: Vec<_> = fake
        .asked()
        .into_iter()
        .map(|asked| asked.query.replace("start_date=2027-01-14&end_date=2027-01-16", ""))
        .collect();
    assert_eq!(queries, ["", "&next_token=b", "&next_token=c"]);
}

#[tokio::test]
async fn pages_that_go_in_a_circle_end_in_an_error() {
    for tokens in [vec!["a", "a"], vec!["a", "b", "a"]] {
        let last = tokens.len() - 1;
        let fake = Fake::sequence(
            tokens
                .iter()
                .map(|token| answer(200, format!(r#"{{"data":[],"next_token":"{token}"}}"#))),
        )
        .await;
        let (client, collection) = (client(&fake), collection(Style::Dates));
        let mut pages = client.pages(&collection, range());
        for _ in 0..last {
            pages.next().await.unwrap();
        }
        assert!(matches!(pages.next().await, Err(FetchError::Malformed { .. })), "{tokens:?}");
    }
}

#[tokio::test]
async fn no_error_shows_a_token_even_if_oura_repeats_it() {
    for status in [400, 401, 403, 404, 422, 426, 500] {
        let fake = Fake::new(move |asked| {
            answer(status, format!(r#"{{"detail":"not {}\u0007"}}"#, asked.bearer))
        })
        .await;
        let error = client(&fake).page(&collection(Style::Dates), range(), None).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("planted") && !shown.contains('\u{7}'), "{shown}");
    }
}
