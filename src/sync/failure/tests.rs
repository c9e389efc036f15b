//! Every row of the table, from the HTTP status to SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use tokio::sync::watch;
use url::Url;

use super::*;
use crate::catalog::Catalog;
use crate::oura::{
    AccessTokens, BoxFuture, Client, Origins, Secret, StatusClass, TokenError, http_client,
};
use crate::store::{RunEnd, Store, Trigger};
use crate::sync::{Executor, Progress};
use crate::time::{Clock, Tz};

/// The collection that the tests sync.
const COLLECTION: &str = "workout";

/// A login that always has a fresh token.
#[derive(Default)]
struct FreshTokens(AtomicUsize);

impl AccessTokens for FreshTokens {
    fn access_token(&self) -> BoxFuture<'_, Result<Secret, TokenError>> {
        Box::pin(async { Ok(Secret::new("first")) })
    }

    fn replace(&self, _rejected: Secret) -> BoxFuture<'_, Result<Secret, TokenError>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(Secret::new(format!("token {number}"))) })
    }
}

/// The response to all requests of a test.
#[derive(Clone, Copy, Debug)]
struct Response {
    status: u16,
    detail: &'static str,
    /// Whether requests for other collections succeed.
    others_succeed: bool,
}

/// Starts a server that sends `response`.
async fn serve(response: Response) -> Url {
    let app = Router::new().fallback(move |uri: axum::http::Uri| async move {
        let is_collection = uri.path().ends_with(COLLECTION);
        if response.others_succeed && !is_collection {
            return (StatusCode::OK, "{}".to_owned());
        }
        let body = format!("{{\"detail\": {:?}}}", response.detail);
        (StatusCode::from_u16(response.status).unwrap(), body)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

/// An address without a server.
async fn closed_port() -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}

/// Runs one sync of [`COLLECTION`] and returns how it ended.
async fn sync(store: &Store, origin: &Url) -> RunEnd {
    let today = "2026-11-24".parse::<crate::time::Day>().unwrap();
    let clock = Clock::starting_at(today.midnight(Tz::UTC).plus(3_600), 5_000.0);
    let tokens = Arc::new(FreshTokens::default());
    let client = Client::new(
        http_client().unwrap(),
        Origins::at(origin),
        tokens,
        clock.clone(),
        Arc::default(),
    );
    let executor = Executor {
        store: store.clone(),
        client,
        clock: clock.clone(),
        history_start: Some(today.plus(-2)),
        collections: vec![COLLECTION.to_owned()],
        full_sync_interval: None,
    };
    store.writer().begin_run(1, Trigger::Manual, clock.now()).unwrap();
    let progress = watch::Sender::new(Progress::default());
    let stop = watch::Sender::new(false);
    executor.run(1, Trigger::Manual, &progress, stop.subscribe()).await
}

/// The values of `collections.state` and `coverage.reason` in SQLite, after a sync.
fn stored_texts(store: &Store) -> (String, String) {
    let connection = rusqlite::Connection::open(store.path()).unwrap();
    let text = |sql: &str| connection.query_row(sql, [COLLECTION], |row| row.get(0)).unwrap();
    // The view has rows for covered collections only, and for those in trouble.
    connection
        .execute_batch(
            "INSERT OR IGNORE INTO calendar VALUES ('2026-11-24', 1795478400);
             INSERT OR IGNORE INTO coverage_data VALUES ('workout', '2026-10-01', 0, FALSE, 0);",
        )
        .unwrap();
    (
        text("SELECT state FROM collections WHERE name = ?1"),
        text("SELECT reason FROM coverage WHERE collection = ?1 AND day = '2026-11-24'"),
    )
}

/// Syncs against `origin`, and compares SQLite with the row of the table.
async fn assert_rule(rule: &FailureRule, origin: &Url, case: &str) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Arc::new(Catalog::bundled());
    let store = Store::open(&folder.path().join("oura.db"), catalog, Tz::UTC).unwrap();
    let end = sync(&store, origin).await;
    let (state, reason) = stored_texts(&store);
    let expected = (rule.state.as_str().to_owned(), rule.gap.as_str().to_owned());
    assert_eq!((state.clone(), reason), expected, "{case}");
    assert_eq!(state.parse::<CollectionState>().unwrap().label(), rule.label, "{case}");
    // A refusal is the collection's state, not a failure of the run.
    let is_refusal = rule.action == FailureAction::Refuse;
    assert_eq!(matches!(end, RunEnd::Failed(_)), !is_refusal, "{case}: {end:?}");
    assert_eq!(rule.state.is_refusal(), is_refusal, "{case}");
}

/// The response with `status` that leads to the error of `rule`.
fn response(rule: &FailureRule, status: u16) -> Response {
    let detail = match rule.error {
        Kind::MissingScope => "Missing scope: workout",
        Kind::MembershipInactive => "The Oura membership has expired.",
        _ => "No details",
    };
    Response { status, detail, others_succeed: rule.error != Kind::Login }
}

#[tokio::test]
async fn every_status_leads_to_the_state_of_its_row() {
    let mut cases = tokio::task::JoinSet::new();
    for rule in FAILURES {
        for status in rule.statuses {
            let response = response(rule, *status);
            cases.spawn(async move {
                let origin = serve(response).await;
                assert_rule(rule, &origin, &format!("{:?} {response:?}", rule.error)).await;
            });
        }
    }
    while let Some(case) = cases.join_next().await {
        case.unwrap();
    }
}

#[tokio::test]
async fn unreachable_server_leads_to_the_state_of_its_row() {
    let rule = FailureRule::of(Kind::Network);
    assert_rule(rule, &closed_port().await, "network").await;
}

#[test]
fn every_error_has_one_row() {
    for error in FetchErrorKind::ALL {
        assert_eq!(FAILURES.iter().filter(|rule| rule.error == error).count(), 1, "{error:?}");
    }
}

#[test]
fn statuses_agree_with_the_client() {
    for rule in FAILURES {
        for status in rule.statuses {
            let errors = StatusClass::of(*status).errors();
            assert!(errors.contains(&rule.error), "{status} {:?}", rule.error);
        }
    }
    for class in StatusClass::ALL {
        for error in class.errors() {
            let rule = FailureRule::of(*error);
            let has_status = rule.statuses.iter().any(|status| StatusClass::of(*status) == class);
            assert!(has_status, "{class:?} {error:?}");
        }
    }
}

#[test]
fn gap_reasons_follow_from_the_states() {
    for rule in FAILURES {
        assert_eq!(rule.state.gap_reason(), rule.gap, "{:?}", rule.error);
    }
}

#[test]
fn outage_is_half_of_the_collections() {
    assert_eq!(outage_threshold(Kind::Server, 1), 2);
    assert_eq!(outage_threshold(Kind::Server, 9), 5);
    assert_eq!(outage_threshold(Kind::RateLimited, 9), 2);
}
