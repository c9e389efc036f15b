//! Both logins, from the consent page to the revoked token.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{browser, config, start};
use crate::simulator::{Config, Consent, Registration, Simulator, Violation};

const REDIRECT: &str = "http://localhost:3000/connections/datasources/edit/abc";
const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-of-the-allowed-43";
const LEGACY: [&str; 2] = ["/oauth/authorize", "/oauth/token"];
const PORTAL: [&str; 2] = ["/oauth/v2/ext/oauth-authorize", "/oauth/v2/ext/oauth-token"];

fn authorize(simulator: &Simulator, path: &str, extra: &[(&str, &str)]) -> url::Url {
    let mut url = simulator.origin().join(path).unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    url.query_pairs_mut()
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", "simulated-client"),
            ("redirect_uri", REDIRECT),
            ("state", "s1"),
        ])
        .extend_pairs([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")])
        .extend_pairs(extra);
    url
}

/// Returns the parameters that Oura appended to the redirect URI.
async fn returned(response: reqwest::Response) -> HashMap<String, String> {
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap().parse::<url::Url>().unwrap();
    assert!(location.as_str().starts_with(REDIRECT));
    location.query_pairs().into_owned().collect()
}

async fn code(simulator: &Simulator, path: &str) -> String {
    let response = browser()
        .get(authorize(simulator, path, &[("scope", "daily spo2 nonsense")]))
        .send()
        .await
        .unwrap();
    let returned = returned(response).await;
    assert_eq!(
        (returned["state"].as_str(), returned["scope"].as_str()),
        ("s1", "extapi:daily extapi:spo2")
    );
    returned["code"].clone()
}

async fn post(simulator: &Simulator, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let response =
        browser().post(simulator.origin().join(path).unwrap()).form(form).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

const CLIENT: [(&str, &str); 2] =
    [("client_id", "simulated-client"), ("client_secret", "simulated-secret")];

async fn exchange(simulator: &Simulator, path: &str, code: &str, verifier: &str) -> (u16, Value) {
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", verifier),
    ];
    post(simulator, path, &[&grant[..], &CLIENT].concat()).await
}

async fn refresh(simulator: &Simulator, path: &str, token: &str) -> (u16, Value) {
    post(
        simulator,
        path,
        &[&[("grant_type", "refresh_token"), ("refresh_token", token)][..], &CLIENT].concat(),
    )
    .await
}

async fn read(simulator: &Simulator, collection: &str, token: &str) -> (u16, Value) {
    let url = simulator.origin().join(&format!("/v2/usercollection/{collection}")).unwrap();
    let response = browser().get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap()
}

#[tokio::test]
async fn token_pairs_allow_only_their_scopes() {
    for (registered_at, [page, token]) in
        [(Registration::Legacy, LEGACY), (Registration::Portal, PORTAL)]
    {
        let simulator = start(Config { registered_at, ..config() }).await;
        let parameters =
            returned(browser().get(authorize(&simulator, page, &[])).send().await.unwrap()).await;
        let is_portal_issuer = parameters
            .get("iss")
            .is_some_and(|issuer| issuer.starts_with("https://moi.ouraring.com/"));
        assert_eq!(is_portal_issuer, registered_at == Registration::Portal, "{parameters:?}");
        let code = code(&simulator, page).await;
        let (status, pair) = exchange(&simulator, token, &code, VERIFIER).await;
        assert_eq!((status, pair["expires_in"].as_i64()), (200, Some(86_400)));
        let access = text(&pair, "access_token");
        assert_eq!(read(&simulator, "daily_sleep", access).await.0, 200);
        let (status, body) = read(&simulator, "workout", access).await;
        assert_eq!(status, 401);
        assert!(text(&body, "detail").contains("workout scope"), "{body}");
        assert_eq!(read(&simulator, "personal_info", access).await.1.as_object().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn codes_work_once_with_their_verifier_and_client() {
    let simulator = start(config()).await;
    let [page, token] = LEGACY;
    let unverified = code(&simulator, page).await;
    assert_eq!(
        exchange(&simulator, token, &unverified, "another").await.1["error"],
        "invalid_grant"
    );
    let spent = code(&simulator, page).await;
    assert_eq!(exchange(&simulator, token, &spent, VERIFIER).await.0, 200);
    assert_eq!(exchange(&simulator, token, &spent, VERIFIER).await.0, 400);
    assert_eq!(simulator.requests().violations(Violation::CodeReused), 1);
    let (status, body) = post(
        &simulator,
        token,
        &[("grant_type", "refresh_token"), ("client_id", "simulated-client")],
    )
    .await;
    assert_eq!((status, text(&body, "error")), (401, "invalid_client"));
}

#[tokio::test]
async fn codes_expire_after_ten_minutes() {
    let simulator = start(config()).await;
    let code = code(&simulator, LEGACY[0]).await;
    let issued_at = super::clock(super::NOW).now();
    let late = simulator.oura.login().exchange(
        &code,
        REDIRECT,
        Some(VERIFIER),
        issued_at.plus(90_000),
        issued_at.plus(601),
    );
    assert_eq!(late.unwrap_err(), crate::simulator::login::Refusal::Expired);
}

#[tokio::test]
async fn refresh_rotates_tokens_and_rejects_used_ones() {
    let simulator = start(config()).await;
    let code = code(&simulator, LEGACY[0]).await;
    let (_, first) = exchange(&simulator, LEGACY[1], &code, VERIFIER).await;
    let (status, second) = refresh(&simulator, LEGACY[1], text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(read(&simulator, "daily_sleep", text(&first, "access_token")).await.0, 401);
    assert_eq!(read(&simulator, "daily_sleep", text(&second, "access_token")).await.0, 200);
    let (status, body) = refresh(&simulator, LEGACY[1], text(&first, "refresh_token")).await;
    assert_eq!((status, text(&body, "error")), (400, "invalid_grant"));
    assert_eq!(simulator.requests().violations(Violation::RefreshTokenReused), 1);

    let revoke = format!("/oauth/revoke?access_token={}", text(&second, "access_token"));
    assert_eq!(post(&simulator, &revoke, &[]).await.0, 200);
    assert_eq!(read(&simulator, "daily_sleep", text(&second, "access_token")).await.0, 401);
    assert_eq!(refresh(&simulator, LEGACY[1], text(&second, "refresh_token")).await.0, 400);
}

#[tokio::test]
async fn legacy_login_rejects_portal_applications() {
    let simulator = start(Config { registered_at: Registration::Portal, ..config() }).await;
    let code = code(&simulator, LEGACY[0]).await;
    assert_eq!(exchange(&simulator, LEGACY[1], &code, VERIFIER).await.0, 401);
    let (status, pair) = exchange(&simulator, PORTAL[1], &code, VERIFIER).await;
    assert_eq!(status, 200);
    let (status, body) = refresh(&simulator, LEGACY[1], text(&pair, "refresh_token")).await;
    assert_eq!((status, text(&body, "error")), (400, "invalid_request"));
    assert_eq!(refresh(&simulator, PORTAL[1], text(&pair, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn consent_page_supports_unticking_and_cancelling() {
    let simulator = start(Config { consent: Consent::Ask, ..config() }).await;
    let page = browser()
        .get(authorize(&simulator, LEGACY[0], &[]))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains(r#"name="granted" value="heart_health" checked"#)
            && page.contains(r#"value="cancel""#)
    );

    let mut form =
        vec![("response_type", "code"), ("redirect_uri", REDIRECT), ("state", "s1"), CLIENT[0]];
    let decide = |form: Vec<(&'static str, &'static str)>| {
        browser().post(simulator.origin().join(LEGACY[0]).unwrap()).form(&form).send()
    };
    form.push(("decision", "cancel"));
    let cancelled = returned(decide(form.clone()).await.unwrap()).await;
    assert_eq!((cancelled["error"].as_str(), cancelled["state"].as_str()), ("access_denied", "s1"));
    form.pop();
    form.extend([("decision", "allow"), ("granted", "daily"), ("granted", "tag")]);
    assert_eq!(returned(decide(form).await.unwrap()).await["scope"], "extapi:daily extapi:tag");
    // `auto=1` allows a login without the page, for tests without a browser.
    let auto =
        browser().get(authorize(&simulator, LEGACY[0], &[("auto", "1")])).send().await.unwrap();
    assert!(returned(auto).await.contains_key("code"));
}

#[tokio::test]
async fn configured_consent_skips_the_page() {
    let only = Consent::AllowOnly(vec!["daily".to_owned()]);
    for (consent, parameter, value) in
        [(only, "scope", "extapi:daily"), (Consent::Cancel, "error", "access_denied")]
    {
        let simulator = start(Config { consent, ..config() }).await;
        let answer =
            browser().get(authorize(&simulator, LEGACY[0], &[("auto", "1")])).send().await.unwrap();
        assert_eq!(returned(answer).await[parameter], value);
    }
}

#[tokio::test]
async fn only_registered_redirect_uris_are_used() {
    let simulator =
        start(Config { redirect_uris: vec!["https://grafana.example/".to_owned()], ..config() })
            .await;
    let response = browser().get(authorize(&simulator, LEGACY[0], &[])).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn plain_http_is_for_localhost_by_name() {
    for (address, legacy, portal) in [
        ("https://grafana.example/page", true, true),
        ("http://localhost:3000/page", true, true),
        ("http://127.0.0.1:3000/page", false, false),
        ("http://[::1]:3000/page", false, false),
        ("http://grafana.example/page", true, false),
        ("grafana://page", false, false),
    ] {
        for (registered_at, is_accepted) in
            [(Registration::Legacy, legacy), (Registration::Portal, portal)]
        {
            let simulator = start(Config { registered_at, ..config() }).await;
            let mut url = simulator.origin().join(LEGACY[0]).unwrap();
            let request = [
                ("response_type", "code"),
                ("client_id", "simulated-client"),
                ("redirect_uri", address),
            ];
            url.query_pairs_mut().extend_pairs(request);
            let answer = browser().get(url).send().await.unwrap();
            assert_eq!(
                answer.status(),
                if is_accepted { 302 } else { 400 },
                "{address} {registered_at:?}"
            );
            if !is_accepted {
                assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
            }
        }
    }
}

#[tokio::test]
async fn requests_without_user_agent_are_rejected() {
    let simulator = start(config()).await;
    #[expect(clippy::disallowed_methods, reason = "the test needs a client without a user agent")]
    let client = reqwest::Client::new();
    for path in ["/oauth/token", "/v2/usercollection/sleep"] {
        assert_eq!(
            client.post(simulator.origin().join(path).unwrap()).send().await.unwrap().status(),
            403
        );
    }
    assert_eq!(simulator.requests().violations(Violation::NoUserAgent), 2);
}
