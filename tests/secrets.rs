//! Secrets are planted, everything that the product can be made to say is collected, and none of it holds a secret.

mod common;

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use common::at;
use common::world::{REDIRECT, World, synced};
use ringside::account::vault::{PendingLogin, Purpose, Vault};
use ringside::account::{Account, Accounts, DatasourceKey, Environment, Settings, Trigger};
use ringside::api::{self, Caller, Role};
use ringside::oura::oauth::{Application, Grant, OAuth};
use ringside::oura::{self, Origins, Secret};
use ringside::simulator::{self, Fault};
use ringside::time::Clock;
use serde_json::{Value, json};
use tower::ServiceExt;

const CLIENT_SECRET: &str = "planted-client-secret-7f3a91";
const ENCRYPTION_KEY: &str = "planted-encryption-key-c40d2e";

/// All that was said so far. Cheap to clone.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn hear(&self, said: impl AsRef<[u8]>) {
        self.0.lock().unwrap().extend_from_slice(said.as_ref());
    }

    fn debug(&self, value: &dyn Debug) {
        self.hear(format!("{value:?}{value:#?}"));
    }

    fn holds(&self, text: &str) -> bool {
        let said = self.0.lock().unwrap();
        said.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hear(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn call(heard: &Heard, account: &Account, method: &str, path: &str, body: &Value) -> Value {
    let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
    let request = request.extension(Caller { user: "ann".to_owned(), role: Role::Admin });
    let answer = api::router(account.clone()).oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    heard.debug(answer.headers());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    heard.hear(&body);
    serde_json::from_slice(&body).unwrap_or_default()
}

async fn call_every_route(heard: &Heard, account: &Account) {
    for (method, path, body) in [
        ("GET", "/status", json!({})),
        ("GET", "/schema", json!({})),
        ("GET", "/coverage", json!({})),
        ("GET", "/export", json!({})),
        ("POST", "/sql", json!({"rawSql": "SELECT * FROM oura_raw_documents"})),
        ("POST", "/sql", json!({"rawSql": "SELECT * FROM meta"})),
        ("POST", "/backfill", json!({"days": 3})),
        ("POST", "/sync", json!({})),
        ("POST", "/oauth/callback", json!({"code": "wrong", "state": "wrong"})),
        ("POST", "/oauth/callback", json!({"error": "server_error"})),
        ("POST", "/data/delete", json!({"confirm": "no"})),
        ("GET", "/nothing", json!({})),
    ] {
        call(heard, account, method, path, &body).await;
    }
    synced(account).await;
    heard.debug(&account.status().unwrap());
    heard.debug(&account.measures().unwrap());
    heard.debug(account.settings());
}

#[tokio::test]
async fn nothing_that_is_said_holds_a_secret() {
    let heard = Heard::default();
    let log = heard.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || log.clone()).init();
    let panicked = heard.clone();
    std::panic::set_hook(Box::new(move |panic| panicked.hear(panic.to_string())));

    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0);
    let world = World::with(5, clock.clone(), |config| config.client_secret = CLIENT_SECRET.to_owned()).await;
    let environment = Environment { encryption_key: Some(Secret::new(ENCRYPTION_KEY)), ..world.environment(folder.path()) };
    let accounts = Accounts::open(environment.clone()).unwrap();
    let account = world.account(&accounts).await;

    // A login, its parts watched.
    let started = call(&heard, &account, "POST", "/oauth/start", &json!({ "redirectUri": REDIRECT })).await;
    let authorize = started["authorizeUrl"].as_str().unwrap().to_owned();
    let (code, state) = simulator::consent(&oura::http_client().unwrap(), &authorize).await.unwrap();
    let callback = json!({"code": code, "state": state});
    call(&heard, &account, "POST", "/oauth/callback", &callback).await;
    synced(&account).await;
    call_every_route(&heard, &account).await;
    let spent = call(&heard, &account, "POST", "/oauth/callback", &callback).await;
    assert_eq!(spent["error"]["code"], "used_state");

    // What goes wrong: a collection, a renewal, a login that Oura knows no more.
    for fault in ["collection=sleep,status=500", "collection=tag,invalid_json", "path=/oauth/token,status=400"] {
        world.simulator.faults().add(fault.parse::<Fault>().unwrap());
    }
    world.simulator.revoke_all();
    account.start_sync(Trigger::Manual).unwrap();
    synced(&account).await;
    call_every_route(&heard, &account).await;
    accounts.shutdown().await;
    drop((account, accounts));

    let vault = Vault::open(folder.path(), Some(&Secret::new(ENCRYPTION_KEY))).unwrap();
    let sealed = vault.get(&DatasourceKey::single(), Purpose::Grant, "oura").unwrap().unwrap();
    let grant: Grant = serde_json::from_slice(&sealed).unwrap();
    drop(vault);
    for entry in std::fs::read_dir(folder.path()).unwrap().chain(std::fs::read_dir(folder.path().join("1/oura")).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            heard.hear(std::fs::read(path).unwrap());
        }
    }

    // Every public type that carries one.
    let application = Application { client_id: "id".to_owned(), client_secret: Secret::new(CLIENT_SECRET) };
    heard.debug(&application);
    heard.debug(&grant);
    let oauth = OAuth { http: environment.http.clone(), origins: Origins::oura(), application, clock };
    heard.debug(&oauth);
    let authorization = oauth.authorize(&REDIRECT.parse().unwrap(), &[]);
    heard.debug(&authorization.pkce_verifier);
    let pending = PendingLogin {
        user: "ann".to_owned(),
        redirect: REDIRECT.to_owned(),
        pkce_verifier: authorization.pkce_verifier.clone(),
        expires_at: grant.expires_at,
    };
    heard.debug(&pending);
    heard.debug(&Settings::default());
    heard.debug(&environment.encryption_key);

    let refresh = grant.refresh_token.as_ref().unwrap();
    let secrets = [
        ("client secret", CLIENT_SECRET),
        ("encryption key", ENCRYPTION_KEY),
        ("code", &code),
        ("access token", grant.access_token.reveal()),
        ("refresh token", refresh.reveal()),
        ("verifier", authorization.pkce_verifier.reveal()),
    ];
    for (what, secret) in secrets {
        assert!(secret.len() >= 16 && !heard.holds(secret), "the {what} was said");
    }
    assert!(heard.holds("connected to Oura"), "the log is listened to");
    assert!(heard.holds("SQLite format 3"), "so are the files");
}
