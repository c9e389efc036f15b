use super::*;
use crate::oura::fake::{Answer, Asked, Fake, answer};

const LEGACY: &str = "/oauth/token";
const PORTAL: &str = "/oauth/v2/ext/oauth-token";
const PAIR: &str = r#"{"access_token":"new-access","token_type":"bearer","expires_in":86400,"refresh_token":"new-refresh","scope":"extapi:daily spo2"}"#;

fn clock() -> Clock {
    Clock::starting_at(Instant(1_800_000_000), 0.0)
}

fn redirect() -> RedirectUri {
    "https://grafana.example/connections/datasources/edit/oura?x=1".parse().unwrap()
}

fn grant(backend: LoginBackend) -> Grant {
    Grant {
        access_token: Secret::new("planted-access"),
        refresh_token: Some(Secret::new("planted-refresh")),
        expires_at: Instant(1_800_000_000),
        scopes: vec!["daily".to_owned()],
        backend,
    }
}

async fn exchange(fake: &Fake) -> Result<Grant, OAuthError> {
    fake.oauth(&clock())
        .exchange(&Secret::new("planted-code"), &redirect(), &Secret::new("planted-verifier"))
        .await
}

/// A server whose two back ends each have one answer to everything.
async fn back_ends(legacy: (u16, &'static str), portal: (u16, &'static str)) -> Fake {
    Fake::new(move |asked| {
        let (status, body) = if asked.path == LEGACY { legacy } else { portal };
        answer(status, body)
    })
    .await
}

fn paths(fake: &Fake) -> Vec<String> {
    fake.asked().into_iter().map(|asked| asked.path).collect()
}

#[tokio::test]
async fn a_login_is_sent_to_oura_with_state_and_challenge() {
    let oauth = Fake::new(|_| answer(500, "")).await.oauth(&clock());
    let login = oauth.authorize(&redirect(), &["daily".to_owned(), "spo2".to_owned()]);
    let query: std::collections::HashMap<_, _> = login.url.query_pairs().into_owned().collect();
    assert_eq!(login.url.path(), "/oauth/authorize");
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["client_id"], "the-client");
    assert_eq!(query["redirect_uri"], redirect().as_str());
    assert_eq!(query["scope"], "daily spo2");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["state"], login.state.reveal());
    assert_eq!(login.state.reveal().len(), 43, "256 bits in base64url");
    assert!(!login.url.as_str().contains(login.pkce_verifier.reveal()));
    assert!(!login.url.as_str().contains("secret"));
    assert_ne!(oauth.authorize(&redirect(), &[]).state, login.state);
    assert!(
        !oauth.authorize(&redirect(), &[]).url.as_str().contains("scope"),
        "without scopes Oura asks for all"
    );
}

#[tokio::test]
async fn a_code_is_exchanged_with_everything_that_proves_who_asks() {
    let fake = Fake::new(|_| answer(200, PAIR)).await;
    let grant = exchange(&fake).await.unwrap();
    assert_eq!(grant.access_token, Secret::new("new-access"));
    assert_eq!(grant.refresh_token, Some(Secret::new("new-refresh")));
    assert_eq!(grant.expires_at, Instant(1_800_086_400));
    assert_eq!(grant.scopes, ["daily", "spo2"]);
    assert_eq!(grant.backend, LoginBackend::Legacy);

    let [Asked { path, form, user_agent, bearer, .. }] = &fake.asked()[..] else {
        panic!("one request")
    };
    assert_eq!((path.as_str(), user_agent.as_str(), bearer.as_str()), (LEGACY, USER_AGENT, ""));
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "planted-code"),
        ("redirect_uri", redirect().as_str()),
        ("code_verifier", "planted-verifier"),
        ("client_id", "the-client"),
        ("client_secret", "planted-client-secret"),
    ] {
        assert_eq!(form[name], value);
    }
}

#[tokio::test]
async fn a_token_without_a_lifetime_counts_as_expired() {
    let fake =
        Fake::new(|_| answer(200, r#"{"access_token":"new-access","token_type":"Bearer"}"#)).await;
    let grant = exchange(&fake).await.unwrap();
    assert_eq!(grant.expires_at, clock().now());
    assert_eq!(grant.refresh_token, None);
    assert!(grant.scopes.is_empty());
}

#[tokio::test]
async fn an_application_of_the_portal_is_found_there_and_the_grant_remembers_it() {
    let fake = back_ends((401, r#"{"error":"invalid_client"}"#), (200, PAIR)).await;
    let grant = exchange(&fake).await.unwrap();
    assert_eq!(grant.backend, LoginBackend::Portal);
    fake.oauth(&clock()).refresh(&grant).await.unwrap();
    assert_eq!(
        paths(&fake),
        [LEGACY, PORTAL, PORTAL],
        "the second request goes where the first was answered"
    );
    assert!(fake.asked().iter().all(|asked| asked.user_agent == USER_AGENT));
}

#[tokio::test]
async fn a_grant_of_the_legacy_back_end_that_has_moved_is_refreshed_at_the_portal() {
    let fake = back_ends((400, r#"{"error":"invalid_request"}"#), (200, PAIR)).await;
    let renewed = fake.oauth(&clock()).refresh(&grant(LoginBackend::Legacy)).await.unwrap();
    assert_eq!(renewed.backend, LoginBackend::Portal);
    assert_eq!(fake.asked()[1].form["refresh_token"], "planted-refresh");
}

#[tokio::test]
async fn what_a_new_pair_leaves_out_stays_as_it_was() {
    let fake = Fake::new(|_| {
        answer(200, r#"{"access_token":"new-access","token_type":"bearer","expires_in":60}"#)
    })
    .await;
    let renewed = fake.oauth(&clock()).refresh(&grant(LoginBackend::Portal)).await.unwrap();
    assert_eq!(renewed.refresh_token, Some(Secret::new("planted-refresh")));
    assert_eq!(renewed.scopes, ["daily"]);
}

#[tokio::test]
async fn of_two_failures_the_one_that_says_more_is_reported() {
    const CLIENT: (u16, &str) = (401, r#"{"error":"invalid_client"}"#);
    const REQUEST: (u16, &str) = (400, r#"{"error":"invalid_request"}"#);
    const GRANT: (u16, &str) = (400, r#"{"error":"invalid_grant"}"#);
    const REDIRECT: (u16, &str) =
        (400, r#"{"error":"redirect_uri_mismatch","error_description":"unknown redirect"}"#);
    const DOWN: (u16, &str) = (503, "");
    for (legacy, portal, expected, requests) in [
        (CLIENT, CLIENT, "WrongClient", 2),
        (REQUEST, CLIENT, "WrongClient", 2),
        ((401, ""), (401, ""), "WrongClient", 2),
        (GRANT, CLIENT, "InvalidGrant", 1),
        (CLIENT, GRANT, "InvalidGrant", 2),
        (GRANT, DOWN, "InvalidGrant", 1),
        (REDIRECT, CLIENT, "RedirectNotRegistered", 2),
        (
            (400, r#"{"error":"invalid_request","error_description":"Bad redirect_uri"}"#),
            CLIENT,
            "RedirectNotRegistered",
            2,
        ),
        (CLIENT, DOWN, "Network", 2),
        (REQUEST, REQUEST, "Refused", 2),
        (DOWN, CLIENT, "Network", 1),
        ((403, r#"{"detail":"no"}"#), CLIENT, "Refused", 1),
        ((429, ""), CLIENT, "Network", 1),
        ((200, "{}"), CLIENT, "Malformed", 1),
        ((200, ""), CLIENT, "Malformed", 1),
        ((200, "<html>"), CLIENT, "Malformed", 1),
    ] {
        let fake = back_ends(legacy, portal).await;
        let error = exchange(&fake).await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{legacy:?} then {portal:?}: {error:?}"
        );
        assert_eq!(fake.asked().len(), requests, "{legacy:?} then {portal:?}");
    }
}

#[tokio::test]
async fn a_login_that_cannot_be_reached_is_a_network_error() {
    let mut oauth = Fake::new(|_| answer(200, PAIR)).await.oauth(&clock());
    oauth.origins = Origins::at(&url::Url::parse("http://127.0.0.1:1").unwrap());
    let error = oauth.refresh(&grant(LoginBackend::Legacy)).await.unwrap_err();
    assert!(matches!(error, OAuthError::Network { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_a_secret() {
    let fake = Fake::new(|asked| match asked.path.as_str() {
        LEGACY => answer(307, "").location("/elsewhere"),
        _ => answer(200, PAIR),
    })
    .await;
    assert!(exchange(&fake).await.is_err());
    assert_eq!(paths(&fake), [LEGACY]);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let fake = Fake::new(|_| answer(200, " ".repeat(ANSWER_LIMIT + 1))).await;
    assert!(matches!(exchange(&fake).await, Err(OAuthError::Malformed { .. })));
}

#[tokio::test]
async fn each_back_end_is_told_of_the_end_of_a_grant_in_its_own_way() {
    let fake = Fake::new(|_| answer(200, "")).await;
    let oauth = fake.oauth(&clock());
    oauth.revoke(&grant(LoginBackend::Legacy)).await.unwrap();
    oauth.revoke(&grant(LoginBackend::Portal)).await.unwrap();
    let [legacy, portal] = &fake.asked()[..] else { panic!("two requests") };
    assert_eq!(
        (legacy.path.as_str(), legacy.query.as_str()),
        ("/oauth/revoke", "access_token=planted-access")
    );
    assert_eq!((portal.path.as_str(), portal.query.as_str()), ("/oauth/v2/ext/oauth-revoke", ""));
    assert_eq!(portal.form["token"], "planted-refresh");
    assert_eq!(portal.form["client_secret"], "planted-client-secret");
    assert!(fake.asked().iter().all(|asked| asked.user_agent == USER_AGENT));
}

/// An answer that repeats everything it was asked.
fn echo(status: u16, asked: &Asked) -> Answer {
    let said = asked.form.values().cloned().collect::<Vec<_>>().join(" ");
    answer(status, serde_json::json!({ "error": "odd", "error_description": format!("{said} {}", asked.query) }).to_string())
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_a_secret() {
    let mut shown = Vec::new();
    for status in [400, 401, 403, 500] {
        let fake = Fake::new(move |asked| echo(status, asked)).await;
        let oauth = fake.oauth(&clock());
        for backend in [LoginBackend::Legacy, LoginBackend::Portal] {
            shown.extend([
                oauth.refresh(&grant(backend)).await.unwrap_err(),
                oauth.revoke(&grant(backend)).await.unwrap_err(),
            ]);
        }
        shown.push(exchange(&fake).await.unwrap_err());
        assert!(!format!("{oauth:?}").contains("planted"));
    }
    let wrong_type = Fake::new(|_| {
        answer(200, r#"{"access_token":"a","token_type":"bearer","expires_in":"planted-access"}"#)
    })
    .await;
    shown.push(exchange(&wrong_type).await.unwrap_err());
    let mut unreachable = wrong_type.oauth(&clock());
    unreachable.origins = Origins::at(&url::Url::parse("http://127.0.0.1:1").unwrap());
    shown.push(unreachable.revoke(&grant(LoginBackend::Legacy)).await.unwrap_err());
    for error in &shown {
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
    }
    assert!(!format!("{:?}", grant(LoginBackend::Legacy)).contains("planted"));
}

#[tokio::test]
async fn a_code_refused_by_a_machine_with_a_wrong_clock_says_so() {
    let refused = |date| answer(400, r#"{"error":"invalid_grant"}"#).date(date);
    let fake = Fake::new(move |_| refused("Fri, 15 Jan 2027 07:55:00 GMT")).await;
    let error = exchange(&fake).await.unwrap_err();
    assert!(matches!(error, OAuthError::ClockOff { seconds: 300 }), "{error}");
    assert!(error.to_string().contains("5 minutes ahead"), "{error}");
    let renewal = fake.oauth(&clock()).refresh(&grant(LoginBackend::Legacy)).await;
    assert!(
        matches!(renewal, Err(OAuthError::InvalidGrant { what: "login" })),
        "a login does not end by this clock"
    );
    let fake = Fake::new(move |_| refused("Fri, 15 Jan 2027 07:59:30 GMT")).await;
    assert!(
        matches!(exchange(&fake).await, Err(OAuthError::InvalidGrant { what: "code" })),
        "half a minute is nothing"
    );
}
