use super::*;
use crate::oura::fake_server::{FakeResponse, FakeServer, ReceivedRequest, respond};

const LEGACY: &str = "/oauth/token";
const PORTAL: &str = "/oauth/v2/ext/oauth-token";
const PAIR: &str = r#"{"access_token":"new-access","token_type":"bearer","expires_in":86400,
    "refresh_token":"new-refresh","scope":"extapi:daily spo2"}"#;

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
        lifetime: 3600,
        scopes: vec!["daily".to_owned()],
        backend,
    }
}

async fn exchange(server: &FakeServer) -> Result<Grant, OAuthError> {
    server
        .oauth(&clock())
        .exchange(&Secret::new("planted-code"), &redirect(), &Secret::new("planted-verifier"))
        .await
}

/// A server with one response for each of the two back ends.
async fn back_ends(legacy: (u16, &'static str), portal: (u16, &'static str)) -> FakeServer {
    FakeServer::new(move |request| {
        let (status, body) = if request.path == LEGACY { legacy } else { portal };
        respond(status, body)
    })
    .await
}

fn paths(server: &FakeServer) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

#[tokio::test]
async fn authorize_url_has_state_and_challenge() {
    let oauth = FakeServer::new(|_| respond(500, "")).await.oauth(&clock());
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
        "without scopes Oura offers all"
    );
}

#[tokio::test]
async fn exchange_sends_verifier_and_client_secret() {
    let server = FakeServer::new(|_| respond(200, PAIR)).await;
    let grant = exchange(&server).await.unwrap();
    assert_eq!(grant.access_token, Secret::new("new-access"));
    assert_eq!(grant.refresh_token, Some(Secret::new("new-refresh")));
    assert_eq!(grant.expires_at, Instant(1_800_086_400));
    assert_eq!(grant.scopes, ["daily", "spo2"]);
    assert_eq!(grant.backend, LoginBackend::Legacy);

    let [ReceivedRequest { path, form, user_agent, bearer, .. }] = &server.requests()[..] else {
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
async fn token_without_lifetime_is_used_for_an_hour() {
    let server =
        FakeServer::new(|_| respond(200, r#"{"access_token":"new-access","token_type":null}"#))
            .await;
    let grant = exchange(&server).await.unwrap();
    assert_eq!((grant.expires_at, grant.lifetime), (clock().now().plus(3600), 3600));
    assert_eq!(grant.refresh_token, None);
    assert!(grant.scopes.is_empty());
}

#[tokio::test]
async fn new_refresh_token_is_kept_without_an_access_token() {
    let server = FakeServer::new(|request| {
        let answers_with_token = request.form.get("refresh_token").is_some_and(|t| t == "next");
        if answers_with_token {
            respond(200, PAIR)
        } else {
            respond(200, r#"{"refresh_token":"next"}"#)
        }
    })
    .await;
    assert_eq!(exchange(&server).await.unwrap().access_token, Secret::new("new-access"));
    let renewed = server.oauth(&clock()).refresh(&grant(LoginBackend::Legacy)).await.unwrap();
    assert_eq!(renewed.refresh_token, Some(Secret::new("next")));
    assert!(renewed.refresh_at() <= clock().now(), "the next request refreshes again");
}

#[tokio::test]
async fn grant_records_the_portal_back_end() {
    let server = back_ends((401, r#"{"error":"invalid_client"}"#), (200, PAIR)).await;
    let grant = exchange(&server).await.unwrap();
    assert_eq!(grant.backend, LoginBackend::Portal);
    server.oauth(&clock()).refresh(&grant).await.unwrap();
    assert_eq!(
        paths(&server),
        [LEGACY, PORTAL, PORTAL],
        "the refresh goes to the back end of the grant"
    );
    assert!(server.requests().iter().all(|request| request.user_agent == USER_AGENT));
}

#[tokio::test]
async fn moved_grant_is_refreshed_at_the_portal() {
    let server = back_ends((400, r#"{"error":"invalid_request"}"#), (200, PAIR)).await;
    let renewed = server.oauth(&clock()).refresh(&grant(LoginBackend::Legacy)).await.unwrap();
    assert_eq!(renewed.backend, LoginBackend::Portal);
    assert_eq!(server.requests()[1].form["refresh_token"], "planted-refresh");
}

#[tokio::test]
async fn omitted_fields_keep_their_previous_values() {
    let server = FakeServer::new(|_| {
        respond(200, r#"{"access_token":"new-access","token_type":"bearer","expires_in":60}"#)
    })
    .await;
    let renewed = server.oauth(&clock()).refresh(&grant(LoginBackend::Portal)).await.unwrap();
    assert_eq!(renewed.refresh_token, Some(Secret::new("planted-refresh")));
    assert_eq!(renewed.scopes, ["daily"]);
}

#[tokio::test]
async fn most_specific_failure_is_reported() {
    const CLIENT: (u16, &str) = (401, r#"{"error":"invalid_client"}"#);
    const REQUEST: (u16, &str) = (400, r#"{"error":"invalid_request"}"#);
    const GRANT: (u16, &str) = (400, r#"{"error":"invalid_grant"}"#);
    const REDIRECT: (u16, &str) =
        (400, r#"{"error":"redirect_uri_mismatch","error_description":"unknown redirect"}"#);
    const DOWN: (u16, &str) = (503, "");
    for (legacy, portal, expected, requests) in [
        (CLIENT, CLIENT, "InvalidClient", 2),
        (REQUEST, CLIENT, "InvalidClient", 2),
        ((401, ""), (401, ""), "InvalidClient", 2),
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
        (REQUEST, REQUEST, "Rejected", 2),
        (DOWN, CLIENT, "Network", 1),
        ((403, r#"{"detail":"no"}"#), CLIENT, "Rejected", 1),
        ((429, ""), CLIENT, "Network", 1),
        ((200, "{}"), CLIENT, "Malformed", 1),
        ((200, ""), CLIENT, "Malformed", 1),
        ((200, "<html>"), CLIENT, "Malformed", 1),
    ] {
        let server = back_ends(legacy, portal).await;
        let error = exchange(&server).await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{legacy:?} then {portal:?}: {error:?}"
        );
        assert_eq!(server.requests().len(), requests, "{legacy:?} then {portal:?}");
    }
}

#[tokio::test]
async fn unreachable_login_is_a_network_error() {
    let mut oauth = FakeServer::new(|_| respond(200, PAIR)).await.oauth(&clock());
    oauth.origins = Origins::at(&url::Url::parse("http://127.0.0.1:1").unwrap());
    let error = oauth.refresh(&grant(LoginBackend::Legacy)).await.unwrap_err();
    assert!(matches!(error, OAuthError::Network(_)), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = FakeServer::new(|request| match request.path.as_str() {
        LEGACY => respond(307, "").location("/elsewhere"),
        _ => respond(200, PAIR),
    })
    .await;
    assert!(exchange(&server).await.is_err());
    assert_eq!(paths(&server), [LEGACY]);
}

#[tokio::test]
async fn oversized_response_is_rejected() {
    let server = FakeServer::new(|_| respond(200, " ".repeat(MAX_RESPONSE_BYTES + 1))).await;
    assert!(matches!(exchange(&server).await, Err(OAuthError::Malformed { .. })));
}

#[tokio::test]
async fn each_back_end_has_its_own_revoke_request() {
    let server = FakeServer::new(|_| respond(200, "")).await;
    let oauth = server.oauth(&clock());
    oauth.revoke(&grant(LoginBackend::Legacy)).await.unwrap();
    oauth.revoke(&grant(LoginBackend::Portal)).await.unwrap();
    let [legacy, portal] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!(
        (legacy.path.as_str(), legacy.query.as_str()),
        ("/oauth/revoke", "access_token=planted-access")
    );
    assert_eq!((portal.path.as_str(), portal.query.as_str()), ("/oauth/v2/ext/oauth-revoke", ""));
    assert_eq!(portal.form["token"], "planted-refresh");
    assert_eq!(portal.form["client_secret"], "planted-client-secret");
    assert!(server.requests().iter().all(|request| request.user_agent == USER_AGENT));
}

/// A response that repeats the whole request.
fn echo(status: u16, request: &ReceivedRequest) -> FakeResponse {
    let values = request.form.values().cloned().collect::<Vec<_>>().join(" ");
    let description = format!("{values} {}", request.query);
    let body = serde_json::json!({ "error": "odd", "error_description": description });
    respond(status, body.to_string())
}

#[tokio::test]
async fn errors_and_debug_output_contain_no_secret() {
    let mut shown = Vec::new();
    for status in [400, 401, 403, 500] {
        let server = FakeServer::new(move |request| echo(status, request)).await;
        let oauth = server.oauth(&clock());
        for backend in [LoginBackend::Legacy, LoginBackend::Portal] {
            shown.extend([
                oauth.refresh(&grant(backend)).await.unwrap_err(),
                oauth.revoke(&grant(backend)).await.unwrap_err(),
            ]);
        }
        shown.push(exchange(&server).await.unwrap_err());
        assert!(!format!("{oauth:?}").contains("planted"));
    }
    let wrong_type =
        FakeServer::new(|_| respond(200, r#"{"access_token":["planted-access"]}"#)).await;
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
async fn skewed_clock_is_reported_for_rejected_codes() {
    let refused = |date| respond(400, r#"{"error":"invalid_grant"}"#).date(date);
    let server = FakeServer::new(move |_| refused("Fri, 15 Jan 2027 07:55:00 GMT")).await;
    let error = exchange(&server).await.unwrap_err();
    assert!(matches!(error, OAuthError::ClockSkew { seconds: 300 }), "{error}");
    assert!(error.to_string().contains("5 minutes ahead"), "{error}");
    let renewal = server.oauth(&clock()).refresh(&grant(LoginBackend::Legacy)).await;
    assert!(
        matches!(renewal, Err(OAuthError::InvalidGrant { credential: Credential::RefreshToken })),
        "a skewed clock does not explain a rejected refresh token"
    );
    let server = FakeServer::new(move |_| refused("Fri, 15 Jan 2027 07:59:30 GMT")).await;
    assert!(
        matches!(
            exchange(&server).await,
            Err(OAuthError::InvalidGrant { credential: Credential::Code })
        ),
        "a skew of half a minute is harmless"
    );
}
