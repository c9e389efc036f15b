use std::sync::atomic::AtomicBool;

use tokio::sync::Notify;

use super::*;
use crate::oura::LoginBackend;
use crate::oura::fake_server::{FakeResponse, FakeServer, ReceivedRequest, respond};

const NOW: Instant = Instant(1_800_000_000);

/// A vault in memory, with a switch for a full disk.
#[derive(Default)]
struct Memory {
    grant: Mutex<Option<Grant>>,
    /// The ended grant and the reason.
    ended: Mutex<Option<(Grant, String)>>,
    full: AtomicBool,
}

impl GrantStore for Memory {
    fn load(&self) -> Result<Option<Grant>, GrantStoreError> {
        Ok(self.grant.lock().clone())
    }

    fn save(&self, grant: &Grant) -> Result<(), GrantStoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(GrantStoreError::DiskFull { detail: "vault.db".to_owned() });
        }
        *self.grant.lock() = Some(grant.clone());
        Ok(())
    }

    fn clear(&self) -> Result<(), GrantStoreError> {
        *self.grant.lock() = None;
        Ok(())
    }

    fn end_reason(&self) -> Result<Option<String>, GrantStoreError> {
        let (grant, ended) = (self.grant.lock(), self.ended.lock());
        Ok(ended
            .as_ref()
            .filter(|(of, _)| Some(of) == grant.as_ref())
            .map(|(_, reason)| reason.clone()))
    }

    fn mark_ended(&self, reason: &str) -> Result<(), GrantStoreError> {
        *self.ended.lock() = self.load()?.map(|grant| (grant, reason.to_owned()));
        Ok(())
    }
}

/// Pair number `number`, which expires in `seconds`.
fn pair(number: u32, seconds: i64) -> Grant {
    Grant {
        access_token: Secret::new(format!("access-{number}")),
        refresh_token: Some(Secret::new(format!("refresh-{number}"))),
        expires_at: NOW.plus(seconds),
        lifetime: 3600,
        scopes: Vec::new(),
        backend: LoginBackend::Legacy,
    }
}

fn access(number: u32) -> Secret {
    pair(number, 0).access_token
}

/// Oura's behaviour: each refresh token is exchanged for one new pair.
fn rotate(request: &ReceivedRequest) -> FakeResponse {
    let number: u32 =
        request.form["refresh_token"].strip_prefix("refresh-").unwrap().parse().unwrap();
    let (access, refresh) = (format!("access-{}", number + 1), format!("refresh-{}", number + 1));
    respond(
        200,
        serde_json::json!({
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "expires_in": 3600,
        })
        .to_string(),
    )
}

fn invalid_grant() -> FakeResponse {
    respond(400, r#"{"error":"invalid_grant"}"#)
}

fn tokens(server: &FakeServer, grant: Option<Grant>) -> (Tokens, Arc<Memory>) {
    let clock = Clock::starting_at(NOW, 0.0);
    let vault = Arc::new(Memory { grant: Mutex::new(grant), ..Memory::default() });
    (Tokens::new(server.oauth(&clock), vault.clone(), clock), vault)
}

#[tokio::test]
async fn ended_login_is_remembered_after_a_restart() {
    let server = FakeServer::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 0)));
    assert!(matches!(tokens.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    let requests = server.requests().len();
    assert_eq!(requests, 1, "the portal does not receive the token");

    let clock = Clock::starting_at(NOW, 0.0);
    let restarted = Tokens::new(server.oauth(&clock), vault.clone(), clock);
    assert!(matches!(restarted.check_login(), Err(TokenError::ReconnectNeeded { .. })));
    assert!(matches!(restarted.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    assert_eq!(server.requests().len(), requests);
    restarted.set_grant(pair(2, 3600)).await.unwrap();
    assert_eq!(restarted.access_token().await.unwrap(), access(2));
}

#[tokio::test]
async fn rejected_fresh_token_ends_the_login() {
    let server = FakeServer::new(|request| {
        if request.path == "/oauth/token" { rotate(request) } else { respond(401, "{}") }
    })
    .await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 3600)));
    let clock = Clock::starting_at(NOW, 0.0);
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        server.origins(),
        Arc::new(tokens.clone()),
        clock.clone(),
        Arc::default(),
    );
    let collection = crate::oura::client::tests::collection(crate::catalog::Style::Dates);
    let range = crate::oura::Range { from: NOW, to: NOW };
    let over = |outcome| {
        matches!(outcome, Err(crate::oura::FetchError::Login(TokenError::ReconnectNeeded { .. })))
    };
    assert!(over(client.page(&collection, range, None).await));
    assert!(matches!(tokens.check_login(), Err(TokenError::ReconnectNeeded { .. })));

    let requests = server.requests().len();
    let restarted = Tokens::new(server.oauth(&clock), vault, clock.clone());
    assert!(matches!(restarted.check_login(), Err(TokenError::ReconnectNeeded { .. })));
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        server.origins(),
        Arc::new(restarted),
        clock,
        Arc::default(),
    );
    assert!(over(client.page(&collection, range, None).await));
    assert_eq!(server.requests().len(), requests, "the token is not sent again");
}

#[tokio::test]
async fn margin_follows_the_lifetime() {
    let server = FakeServer::new(rotate).await;
    for (lifetime, left, token) in [
        (86_400, 61, 1),
        (86_400, 60, 2),
        (60, 60, 1),
        (60, 16, 1),
        (60, 15, 2),
        (8, 3, 1),
        (8, 2, 2),
        (1, 1, 1),
        (1, 0, 2),
    ] {
        let (tokens, _) = tokens(&server, Some(Grant { lifetime, ..pair(1, left) }));
        let outcome = tokens.access_token().await;
        assert_eq!(outcome, Ok(access(token)), "{left} of {lifetime} seconds left");
    }
}

#[tokio::test]
async fn token_of_an_older_version_has_the_longest_margin() {
    let mut stored = serde_json::to_value(pair(1, 3600)).unwrap();
    stored.as_object_mut().unwrap().remove("lifetime");
    let stored: Grant = serde_json::from_value(stored).unwrap();
    assert_eq!(stored.refresh_at(), NOW.plus(3540));
}

/// Other requests refresh the login each time that this one is on its way, so that Oura rejects
/// every token that it sends.
#[tokio::test]
async fn replaced_token_does_not_end_the_login() {
    let current: Arc<Mutex<Option<Tokens>>> = Arc::default();
    let refreshes = Arc::new(AtomicU64::new(0));
    let server = FakeServer::with_async_script({
        let (current, refreshes) = (Arc::clone(&current), Arc::clone(&refreshes));
        move |request| {
            let (current, refreshes) = (Arc::clone(&current), Arc::clone(&refreshes));
            async move {
                if request.path == "/oauth/token" {
                    refreshes.fetch_add(1, Ordering::SeqCst);
                    return rotate(&request);
                }
                let tokens = current.lock().clone().expect("set before the first request");
                if refreshes.load(Ordering::SeqCst) == 4 {
                    return respond(200, r#"{"data":[],"next_token":null}"#);
                }
                tokens.replace(Secret::new(request.bearer)).await.unwrap();
                respond(401, "{}")
            }
        }
    })
    .await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 3600)));
    *current.lock() = Some(tokens.clone());
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        server.origins(),
        Arc::new(tokens.clone()),
        Clock::starting_at(NOW, 0.0),
        Arc::default(),
    );
    let collection = crate::oura::client::tests::collection(crate::catalog::Style::Dates);
    let range = crate::oura::Range { from: NOW, to: NOW };
    let page = client.page(&collection, range, None).await;
    assert!(page.is_ok(), "{page:?}");
    assert_eq!(tokens.check_login(), Ok(()));
    assert_eq!(vault.end_reason(), Ok(None));
    assert!(tokens.end_login(access(1), "rejected".to_owned()).await.is_none());
    vault.save(&pair(9, 3600)).unwrap();
    let other_process = tokens.end_login(access(5), "rejected".to_owned()).await;
    assert_eq!((other_process, tokens.check_login()), (None, Ok(())));
}

#[tokio::test]
async fn valid_token_needs_no_request() {
    let server = FakeServer::new(|_| invalid_grant()).await;
    let (tokens, _) = tokens(&server, Some(pair(1, 61)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    assert_eq!(tokens.check_login(), Ok(()));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn concurrent_callers_refresh_once() {
    let server = FakeServer::new(rotate).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 0)));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let tokens = tokens.clone();
                async move { tokens.access_token().await }
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(access(2)));
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
}

#[tokio::test]
async fn concurrent_callers_replace_once() {
    let server = FakeServer::new(rotate).await;
    let (tokens, _) = tokens(&server, Some(pair(1, 3600)));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let tokens = tokens.clone();
                async move { tokens.replace(access(1)).await }
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(access(2)));
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn waiting_callers_share_the_failure() {
    let release = Arc::new(Notify::new());
    let server = FakeServer::with_async_script({
        let release = Arc::clone(&release);
        move |_| {
            let release = Arc::clone(&release);
            async move {
                release.notified().await;
                respond(503, "")
            }
        }
    })
    .await;
    let (tokens, _) = tokens(&server, Some(pair(1, 0)));
    let all =
        async { tokio::join!(tokens.access_token(), tokens.access_token(), tokens.access_token()) };
    let (outcomes, ()) = tokio::join!(all, async { release.notify_one() });
    for outcome in [outcomes.0, outcomes.1, outcomes.2] {
        assert!(matches!(outcome, Err(TokenError::Network(_))));
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn new_pair_is_stored_before_its_first_use() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 0))), ..Memory::default() });
    let server = FakeServer::new({
        let vault = Arc::clone(&vault);
        move |request| match request.path.as_str() {
            "/oauth/token" => rotate(request),
            _ if vault.load().unwrap().unwrap().access_token.reveal() == request.bearer => {
                respond(200, r#"{"id":"me"}"#)
            }
            _ => respond(500, ""),
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(server.oauth(&clock), vault, clock.clone());
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        server.origins(),
        Arc::new(tokens),
        clock,
        Arc::default(),
    );
    let mut collection = crate::oura::client::tests::collection(crate::catalog::Style::Singleton);
    collection.path = "/v2/usercollection/personal_info".to_owned();
    let page =
        client.page(&collection, crate::oura::Range { from: NOW, to: NOW }, None).await.unwrap();
    assert_eq!(*page.documents[0], *br#"{"id":"me"}"#);
    assert_eq!(server.requests()[1].bearer, "access-2");
}

#[tokio::test]
async fn used_refresh_token_is_not_sent_again() {
    let server = FakeServer::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 0)));
    let first = tokens.access_token().await.unwrap_err();
    assert!(matches!(first, TokenError::ReconnectNeeded { .. }));
    let requests = server.requests().len();
    assert_eq!(tokens.access_token().await, Err(first.clone()));
    assert_eq!(tokens.replace(access(1)).await, Err(first.clone()));
    assert_eq!(tokens.check_login(), Err(first));
    assert_eq!(server.requests().len(), requests);

    tokens.set_grant(pair(7, 3600)).await.unwrap();
    assert_eq!(tokens.access_token().await, Ok(access(7)));
    assert_eq!(tokens.check_login(), Ok(()));
    assert_eq!(vault.load().unwrap(), Some(pair(7, 3600)));
}

#[tokio::test]
async fn pair_of_another_process_is_loaded() {
    let server = FakeServer::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 3600)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    vault.save(&pair(2, 3600)).unwrap();
    assert_eq!(tokens.replace(access(1)).await, Ok(access(2)));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn lost_race_does_not_end_the_login() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 0))), ..Memory::default() });
    let server = FakeServer::new({
        let vault = Arc::clone(&vault);
        move |_| {
            vault.save(&pair(2, 3600)).unwrap();
            invalid_grant()
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(server.oauth(&clock), vault, clock);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
}

#[tokio::test]
async fn old_token_is_used_during_an_outage() {
    let server = FakeServer::new(|_| respond(503, "")).await;
    let (valid, _) = tokens(&server, Some(pair(1, 30)));
    assert_eq!(valid.access_token().await, Ok(access(1)));
    assert!(
        matches!(valid.replace(access(1)).await, Err(TokenError::Network(_))),
        "a rejected token is not used again"
    );
    let (expired, vault) = tokens(&server, Some(pair(1, 0)));
    assert!(matches!(expired.access_token().await, Err(TokenError::Network(_))));
    assert_eq!(expired.check_login(), Ok(()));
    assert_eq!(vault.load().unwrap(), Some(pair(1, 0)));
}

#[tokio::test]
async fn wrong_client_secret_does_not_end_the_login() {
    let server = FakeServer::new(|_| respond(401, r#"{"error":"invalid_client"}"#)).await;
    let (tokens, _) = tokens(&server, Some(pair(1, 0)));
    let error = tokens.access_token().await.unwrap_err();
    assert!(
        matches!(&error, TokenError::Refused { detail } if detail.contains("client secret")),
        "{error}"
    );
    assert_eq!(tokens.check_login(), Ok(()));
}

#[tokio::test]
async fn no_refresh_is_sent_to_a_full_vault() {
    let server = FakeServer::new(rotate).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 0)));
    vault.full.store(true, Ordering::SeqCst);
    assert!(matches!(
        tokens.access_token().await,
        Err(TokenError::Store(GrantStoreError::DiskFull { .. }))
    ));
    assert!(server.requests().is_empty());
    vault.full.store(false, Ordering::SeqCst);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
}

#[tokio::test]
async fn unsaved_pair_is_stored_before_its_first_use() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 30))), ..Memory::default() });
    let server = FakeServer::new({
        let vault = Arc::clone(&vault);
        move |request| {
            vault.full.store(true, Ordering::SeqCst);
            rotate(request)
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(server.oauth(&clock), vault.clone(), clock);
    for _ in 0..3 {
        assert!(matches!(
            tokens.access_token().await,
            Err(TokenError::Store(GrantStoreError::DiskFull { .. }))
        ));
    }
    assert_eq!(
        tokens.newest_grant().await,
        Ok(Some(pair(2, 3600))),
        "a logout must revoke this pair"
    );
    vault.full.store(false, Ordering::SeqCst);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn dropped_caller_does_not_lose_the_pair() {
    let requested = Arc::new(Notify::new());
    let release = Arc::new(Notify::new());
    let server = FakeServer::with_async_script({
        let (was_requested, release) = (Arc::clone(&requested), Arc::clone(&release));
        move |request| {
            let (was_requested, release) = (Arc::clone(&was_requested), Arc::clone(&release));
            async move {
                was_requested.notify_one();
                release.notified().await;
                rotate(&request)
            }
        }
    })
    .await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 0)));
    tokio::select! {
        _ = tokens.access_token() => panic!("the response is held back"),
        () = requested.notified() => {}
    }
    release.notify_one();
    tokens.wait_for_refresh().await;
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
}

#[tokio::test]
async fn missing_refresh_token_needs_a_new_login() {
    let server = FakeServer::new(rotate).await;
    let (none, _) = tokens(&server, None);
    assert_eq!(none.access_token().await, Err(TokenError::NotConnected));
    assert_eq!(none.check_login(), Err(TokenError::NotConnected));
    let (single, _) = tokens(&server, Some(Grant { refresh_token: None, ..pair(1, 0) }));
    assert!(matches!(single.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn cleared_grant_is_gone() {
    let server = FakeServer::new(rotate).await;
    let (tokens, vault) = tokens(&server, Some(pair(1, 3600)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    tokens.clear().await.unwrap();
    assert_eq!(vault.load().unwrap(), None);
    assert_eq!(tokens.access_token().await, Err(TokenError::NotConnected));
}
