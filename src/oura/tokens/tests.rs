use std::sync::atomic::AtomicBool;

use tokio::sync::Notify;

use super::*;
use crate::oura::LoginBackend;
use crate::oura::fake::{Answer, Asked, Fake, answer};

const NOW: Instant = Instant(1_800_000_000);

/// A vault in memory that can be made to fail.
#[derive(Default)]
struct Memory {
    grant: Mutex<Option<Grant>>,
    /// The grant that is over, and why.
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

/// The `number`th pair, which ends in `seconds`.
fn pair(number: u32, seconds: i64) -> Grant {
    Grant {
        access_token: Secret::new(format!("access-{number}")),
        refresh_token: Some(Secret::new(format!("refresh-{number}"))),
        expires_at: NOW.plus(seconds),
        scopes: Vec::new(),
        backend: LoginBackend::Legacy,
    }
}

fn access(number: u32) -> Secret {
    pair(number, 0).access_token
}

/// Oura's rule: each refresh token gives one new pair.
fn rotate(asked: &Asked) -> Answer {
    let number: u32 =
        asked.form["refresh_token"].strip_prefix("refresh-").unwrap().parse().unwrap();
    let (access, refresh) = (format!("access-{}", number + 1), format!("refresh-{}", number + 1));
    answer(
        200,
        serde_json::json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600}).to_string(),
    )
}

fn invalid_grant() -> Answer {
    answer(400, r#"{"error":"invalid_grant"}"#)
}

fn tokens(fake: &Fake, grant: Option<Grant>) -> (Tokens, Arc<Memory>) {
    let clock = Clock::starting_at(NOW, 0.0);
    let vault = Arc::new(Memory { grant: Mutex::new(grant), ..Memory::default() });
    (Tokens::new(fake.oauth(&clock), vault.clone(), clock), vault)
}

#[tokio::test]
async fn a_dead_token_is_not_tried_again_after_a_restart_and_a_new_login_is() {
    let fake = Fake::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 0)));
    assert!(matches!(tokens.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    let asked = fake.asked().len();
    assert_eq!(asked, 1, "the other login is not shown a token of this one");

    let clock = Clock::starting_at(NOW, 0.0);
    let restarted = Tokens::new(fake.oauth(&clock), vault.clone(), clock);
    assert!(matches!(restarted.standing(), Err(TokenError::ReconnectNeeded { .. })));
    assert!(matches!(restarted.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    assert_eq!(fake.asked().len(), asked);
    restarted.set(pair(2, 3600)).await.unwrap();
    assert_eq!(restarted.access_token().await.unwrap(), access(2));
}

#[tokio::test]
async fn a_fresh_token_that_opens_nothing_ends_the_login_for_good() {
    let fake =
        Fake::new(
            |asked| if asked.path == "/oauth/token" { rotate(asked) } else { answer(401, "{}") },
        )
        .await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 3600)));
    let clock = Clock::starting_at(NOW, 0.0);
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        fake.origins(),
        Arc::new(tokens.clone()),
        clock.clone(),
    );
    let collection = crate::oura::client::tests::collection(crate::catalog::Style::Dates);
    let range = crate::oura::Range { from: NOW, to: NOW };
    let over = |outcome| {
        matches!(outcome, Err(crate::oura::FetchError::Login(TokenError::ReconnectNeeded { .. })))
    };
    assert!(over(client.page(&collection, range, None).await));
    assert!(matches!(tokens.standing(), Err(TokenError::ReconnectNeeded { .. })));

    let asked = fake.asked().len();
    let restarted = Tokens::new(fake.oauth(&clock), vault, clock.clone());
    assert!(matches!(restarted.standing(), Err(TokenError::ReconnectNeeded { .. })));
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        fake.origins(),
        Arc::new(restarted),
        clock,
    );
    assert!(over(client.page(&collection, range, None).await));
    assert_eq!(fake.asked().len(), asked, "its token is shown to nobody again");
}

#[tokio::test]
async fn a_valid_token_is_handed_out_without_asking_oura() {
    let fake = Fake::new(|_| invalid_grant()).await;
    let (tokens, _) = tokens(&fake, Some(pair(1, 61)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    assert_eq!(tokens.standing(), Ok(()));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn twenty_callers_with_an_expired_token_refresh_it_once() {
    let fake = Fake::new(rotate).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 0)));
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
    assert_eq!(fake.asked().len(), 1);
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
}

#[tokio::test]
async fn twenty_callers_that_hold_the_same_rejected_token_replace_it_once() {
    let fake = Fake::new(rotate).await;
    let (tokens, _) = tokens(&fake, Some(pair(1, 3600)));
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
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn callers_that_wait_for_a_refresh_share_its_failure() {
    let release = Arc::new(Notify::new());
    let fake = Fake::slow({
        let release = Arc::clone(&release);
        move |_| {
            let release = Arc::clone(&release);
            async move {
                release.notified().await;
                answer(503, "")
            }
        }
    })
    .await;
    let (tokens, _) = tokens(&fake, Some(pair(1, 0)));
    let all =
        async { tokio::join!(tokens.access_token(), tokens.access_token(), tokens.access_token()) };
    let (outcomes, ()) = tokio::join!(all, async { release.notify_one() });
    for outcome in [outcomes.0, outcomes.1, outcomes.2] {
        assert!(matches!(outcome, Err(TokenError::Network { .. })));
    }
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn the_new_pair_is_in_the_vault_before_its_token_is_used() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 0))), ..Memory::default() });
    let fake = Fake::new({
        let vault = Arc::clone(&vault);
        move |asked| match asked.path.as_str() {
            "/oauth/token" => rotate(asked),
            _ if vault.load().unwrap().unwrap().access_token.reveal() == asked.bearer => {
                answer(200, r#"{"id":"me"}"#)
            }
            _ => answer(500, ""),
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(fake.oauth(&clock), vault, clock.clone());
    let client = crate::oura::Client::new(
        crate::oura::http_client().unwrap(),
        fake.origins(),
        Arc::new(tokens),
        clock,
    );
    let mut collection = crate::oura::client::tests::collection(crate::catalog::Style::Singleton);
    collection.path = "/v2/usercollection/personal_info".to_owned();
    let page =
        client.page(&collection, crate::oura::Range { from: NOW, to: NOW }, None).await.unwrap();
    assert_eq!(page.documents[0].get(), r#"{"id":"me"}"#);
    assert_eq!(fake.asked()[1].bearer, "access-2");
}

#[tokio::test]
async fn a_burned_refresh_token_asks_for_a_person_and_is_never_tried_again() {
    let fake = Fake::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 0)));
    let first = tokens.access_token().await.unwrap_err();
    assert!(matches!(first, TokenError::ReconnectNeeded { .. }));
    let requests = fake.asked().len();
    assert_eq!(tokens.access_token().await, Err(first.clone()));
    assert_eq!(tokens.replace(access(1)).await, Err(first.clone()));
    assert_eq!(tokens.standing(), Err(first));
    assert_eq!(fake.asked().len(), requests);

    tokens.set(pair(7, 3600)).await.unwrap();
    assert_eq!(tokens.access_token().await, Ok(access(7)));
    assert_eq!(tokens.standing(), Ok(()));
    assert_eq!(vault.load().unwrap(), Some(pair(7, 3600)));
}

#[tokio::test]
async fn what_another_process_has_refreshed_is_taken_from_the_vault() {
    let fake = Fake::new(|_| invalid_grant()).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 3600)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    vault.save(&pair(2, 3600)).unwrap();
    assert_eq!(tokens.replace(access(1)).await, Ok(access(2)));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn losing_the_race_against_another_process_ends_no_login() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 0))), ..Memory::default() });
    let fake = Fake::new({
        let vault = Arc::clone(&vault);
        move |_| {
            vault.save(&pair(2, 3600)).unwrap();
            invalid_grant()
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(fake.oauth(&clock), vault, clock);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
}

#[tokio::test]
async fn while_the_login_is_down_the_old_token_serves_to_its_last_second() {
    let fake = Fake::new(|_| answer(503, "")).await;
    let (valid, _) = tokens(&fake, Some(pair(1, 30)));
    assert_eq!(valid.access_token().await, Ok(access(1)));
    assert!(
        matches!(valid.replace(access(1)).await, Err(TokenError::Network { .. })),
        "a rejected token serves no more"
    );
    let (expired, vault) = tokens(&fake, Some(pair(1, 0)));
    assert!(matches!(expired.access_token().await, Err(TokenError::Network { .. })));
    assert_eq!(expired.standing(), Ok(()));
    assert_eq!(vault.load().unwrap(), Some(pair(1, 0)));
}

#[tokio::test]
async fn a_wrong_client_secret_ends_no_login() {
    let fake = Fake::new(|_| answer(401, r#"{"error":"invalid_client"}"#)).await;
    let (tokens, _) = tokens(&fake, Some(pair(1, 0)));
    let error = tokens.access_token().await.unwrap_err();
    assert!(
        matches!(&error, TokenError::Refused { detail } if detail.contains("client id and secret")),
        "{error}"
    );
    assert_eq!(tokens.standing(), Ok(()));
}

#[tokio::test]
async fn no_refresh_is_sent_while_its_outcome_could_not_be_stored() {
    let fake = Fake::new(rotate).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 0)));
    vault.full.store(true, Ordering::SeqCst);
    assert!(matches!(
        tokens.access_token().await,
        Err(TokenError::Store(GrantStoreError::DiskFull { .. }))
    ));
    assert!(fake.asked().is_empty());
    vault.full.store(false, Ordering::SeqCst);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
}

#[tokio::test]
async fn a_pair_that_could_not_be_stored_is_kept_until_it_can_and_not_used_before() {
    let vault = Arc::new(Memory { grant: Mutex::new(Some(pair(1, 30))), ..Memory::default() });
    let fake = Fake::new({
        let vault = Arc::clone(&vault);
        move |asked| {
            vault.full.store(true, Ordering::SeqCst);
            rotate(asked)
        }
    })
    .await;
    let clock = Clock::starting_at(NOW, 0.0);
    let tokens = Tokens::new(fake.oauth(&clock), vault.clone(), clock);
    for _ in 0..3 {
        assert!(matches!(
            tokens.access_token().await,
            Err(TokenError::Store(GrantStoreError::DiskFull { .. }))
        ));
    }
    assert_eq!(
        tokens.newest().await,
        Ok(Some(pair(2, 3600))),
        "who ends the login must end this one"
    );
    vault.full.store(false, Ordering::SeqCst);
    assert_eq!(tokens.access_token().await, Ok(access(2)));
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_no_pair() {
    let (asked, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let fake = Fake::slow({
        let (was_asked, release) = (Arc::clone(&asked), Arc::clone(&release));
        move |asked| {
            let (was_asked, release) = (Arc::clone(&was_asked), Arc::clone(&release));
            async move {
                was_asked.notify_one();
                release.notified().await;
                rotate(&asked)
            }
        }
    })
    .await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 0)));
    tokio::select! {
        _ = tokens.access_token() => panic!("not yet answered"),
        () = asked.notified() => {}
    }
    release.notify_one();
    tokens.settle().await;
    assert_eq!(vault.load().unwrap(), Some(pair(2, 3600)));
}

#[tokio::test]
async fn without_a_grant_or_a_refresh_token_a_person_is_asked_for() {
    let fake = Fake::new(rotate).await;
    let (none, _) = tokens(&fake, None);
    assert_eq!(none.access_token().await, Err(TokenError::NotConnected));
    assert_eq!(none.standing(), Err(TokenError::NotConnected));
    let (single, _) = tokens(&fake, Some(Grant { refresh_token: None, ..pair(1, 0) }));
    assert!(matches!(single.access_token().await, Err(TokenError::ReconnectNeeded { .. })));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_grant_that_was_cleared_is_gone() {
    let fake = Fake::new(rotate).await;
    let (tokens, vault) = tokens(&fake, Some(pair(1, 3600)));
    assert_eq!(tokens.access_token().await, Ok(access(1)));
    tokens.clear().await.unwrap();
    assert_eq!(vault.load().unwrap(), None);
    assert_eq!(tokens.access_token().await, Err(TokenError::NotConnected));
}
