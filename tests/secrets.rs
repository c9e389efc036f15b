//! Secrets are planted, everything that the product can be made to say is collected, and none of it holds a secret.

mod common;

use std::fmt::Debug;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use common::at;
use common::world::{REDIRECT, World, synced};
use ringside::api::{self, Caller, Role};
use ringside::datasource::vault::{PendingLogin, Purpose, Vault};
use ringside::datasource::{
    ConnectionState, DataSource, DataSourceKey, DataSources, Environment, Settings, Trigger,
};
use ringside::oura::oauth::{Application, Grant, OAuth};
use ringside::oura::{self, Origins, Secret};
use ringside::simulator::{self, Fault};
use ringside::time::Clock;
use serde_json::{Value, json};
use tower::ServiceExt;

const CLIENT_SECRET: &str = "planted-client-secret-7f3a91";
const ENCRYPTION_KEY: &str = "planted-encryption-key-c40d2e";
const NEW_KEY: &str = "planted-new-encryption-key-5b7710";
/// Given by people who got something wrong: no less theirs.
const WRONG_SECRET: &str = "planted-wrong-client-secret-91d0c4";
const WRONG_KEY: &str = "planted-wrong-encryption-key-08aa3d";
const WRONG_CODE: &str = "planted-wrong-code-d2c9f1a6";
const WRONG_STATE: &str = "planted-wrong-state-6f03be57";

/// All that was said so far. Cheap to clone.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// Hears everything logged or panicked with in this process, from now on.
    fn listen(&self) {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .init();
        let panicked = self.clone();
        let shown = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            panicked.hear(panic.to_string());
            shown(panic);
        }));
    }

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

async fn call(
    heard: &Heard,
    datasource: &DataSource,
    method: &str,
    path: &str,
    body: &Value,
) -> Value {
    let request =
        Request::builder().method(method).uri(path).header("Content-Type", "application/json");
    let request = request.extension(Caller { user: "ann".to_owned(), role: Role::Admin });
    let answer = api::router(datasource.clone())
        .oneshot(request.body(Body::from(body.to_string())).unwrap())
        .await
        .unwrap();
    heard.debug(answer.headers());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    heard.hear(&body);
    serde_json::from_slice(&body).unwrap_or_default()
}

async fn call_every_route(heard: &Heard, datasource: &DataSource) {
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
        call(heard, datasource, method, path, &body).await;
    }
    synced(datasource).await;
    heard.debug(&datasource.status().unwrap());
    heard.debug(&datasource.measures().unwrap());
    heard.debug(datasource.settings());
}

/// *Connect*, *Allow*, and the sync after it. Returns the code that was sent.
async fn log_in(heard: &Heard, datasource: &DataSource) -> String {
    let started =
        call(heard, datasource, "POST", "/oauth/start", &json!({ "redirectUri": REDIRECT })).await;
    let authorize = started["authorizeUrl"].as_str().unwrap().to_owned();
    let (code, state) =
        simulator::consent(&oura::http_client().unwrap(), &authorize).await.unwrap();
    let callback = json!({"code": code, "state": state});
    let connected = call(heard, datasource, "POST", "/oauth/callback", &callback).await;
    assert_eq!(connected["state"], "connected");
    let spent = call(heard, datasource, "POST", "/oauth/callback", &callback).await;
    assert_eq!(spent["error"]["code"], "used_state");
    synced(datasource).await;
    code
}

/// Logins that fail, each in another way. Returns the codes that were sent.
async fn fail_to_log_in(heard: &Heard, world: &World, datasources: &DataSources) -> Vec<String> {
    let typo = DataSourceKey::new(1, "typo").unwrap();
    let datasource =
        datasources.datasource(&typo, &world.settings, &Secret::new(WRONG_SECRET)).await.unwrap();
    let mut codes = Vec::new();
    for (fault, expected) in [
        ("path=/oauth/token,delay=0", "wrong_client"),
        ("path=/oauth,status=500", "login_unreachable"),
        ("path=/oauth,invalid_json", "wrong_client"),
        ("path=/oauth,half_body", "login_unreachable"),
    ] {
        let started =
            call(heard, &datasource, "POST", "/oauth/start", &json!({ "redirectUri": REDIRECT }))
                .await;
        let authorize = started["authorizeUrl"].as_str().unwrap().to_owned();
        let (code, state) =
            simulator::consent(&oura::http_client().unwrap(), &authorize).await.unwrap();
        world.simulator.faults().add(fault.parse::<Fault>().unwrap());
        let answer = call(
            heard,
            &datasource,
            "POST",
            "/oauth/callback",
            &json!({"code": code, "state": state}),
        )
        .await;
        assert_eq!(answer["error"]["code"], expected, "{fault}: {answer}");
        world.simulator.faults().clear();
        codes.push(code);
    }
    for garbage in [
        json!({"code": WRONG_CODE, "state": WRONG_STATE}),
        json!({"code": [WRONG_CODE], "state": {"of": WRONG_STATE}}),
        json!({"code": WRONG_CODE}),
        json!({"error": "invalid_request", "state": WRONG_STATE}),
        json!({"error": "\u{0}<b>", "error_description": "x".repeat(100_000), "code": WRONG_CODE, "state": WRONG_STATE}),
    ] {
        let answer = call(heard, &datasource, "POST", "/oauth/callback", &garbage).await;
        assert!(answer["error"]["code"].is_string(), "{answer}");
    }
    codes
}

/// A sync in which a collection and a renewal go wrong, and the login is one that Oura knows no more.
async fn fail_to_sync(heard: &Heard, world: &World, datasource: &DataSource) {
    for fault in [
        "collection=sleep,status=500",
        "collection=tag,invalid_json",
        "path=/oauth/token,status=400",
    ] {
        world.simulator.faults().add(fault.parse::<Fault>().unwrap());
    }
    world.simulator.revoke_all();
    datasource.start_sync(Trigger::Manual).unwrap();
    synced(datasource).await;
    call_every_route(heard, datasource).await;
    world.simulator.faults().clear();
}

/// A renewal whose answer is lost burns the pair: what it was, and that it is over, is said without it.
async fn lose_the_login(heard: &Heard, world: &World, datasource: &DataSource) {
    world.simulator.faults().add("path=/oauth/token,half_body,times=1".parse::<Fault>().unwrap());
    world.simulator.faults().add("collection=sleep,status=401,times=1".parse::<Fault>().unwrap());
    for _ in 0..2 {
        datasource.start_sync(Trigger::Manual).unwrap();
        synced(datasource).await;
    }
    assert_eq!(datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
    call_every_route(heard, datasource).await;
}

/// What the vault in `folder` keeps of the login.
fn sealed_grant(folder: &Path) -> Grant {
    let vault = Vault::open(folder, Some(&Secret::new(ENCRYPTION_KEY))).unwrap();
    let sealed = vault.get(&DataSourceKey::single(), Purpose::Grant, "oura").unwrap().unwrap();
    serde_json::from_slice(&sealed).unwrap()
}

/// Runs one of the program's commands on `folder` and hears all that it says.
async fn command(
    heard: &Heard,
    world: &World,
    folder: &Path,
    arguments: &[&str],
    keys: &[(&str, &str)],
) -> bool {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    program.args(arguments).arg("--data-dir").arg(folder);
    program.env("GF_PLUGIN_OURA_URL", world.simulator.origin().as_str()).envs(keys.iter().copied());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    heard.hear(&output.stdout);
    heard.hear(&output.stderr);
    output.status.success()
}

/// The commands that look into the vault, with the right key and with a wrong one.
async fn look_into_the_vault(heard: &Heard, world: &World, folder: &Path) {
    for key in [ENCRYPTION_KEY, WRONG_KEY] {
        command(heard, world, folder, &["doctor"], &[("GF_PLUGIN_ENCRYPTION_KEY", key)]).await;
    }
    let keys =
        |present| [("GF_PLUGIN_ENCRYPTION_KEY", present), ("RINGSIDE_NEW_ENCRYPTION_KEY", NEW_KEY)];
    let rotate = ["vault", "rotate"];
    assert!(!command(heard, world, folder, &rotate, &keys(WRONG_KEY)).await);
    assert!(command(heard, world, folder, &rotate, &keys(ENCRYPTION_KEY)).await);
}

/// Whatever lies in `folder`, and in the data source's own.
fn read_every_file(heard: &Heard, folder: &Path) {
    for entry in std::fs::read_dir(folder)
        .unwrap()
        .chain(std::fs::read_dir(DataSourceKey::single().folder(folder)).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            heard.hear(std::fs::read(path).unwrap());
        }
    }
}

/// Every public type that carries a secret. Returns the verifier of a login that was begun for it.
fn show_every_type(heard: &Heard, environment: &Environment, grant: &Grant) -> Secret {
    let application =
        Application { client_id: "id".to_owned(), client_secret: Secret::new(CLIENT_SECRET) };
    heard.debug(&application);
    heard.debug(grant);
    let oauth = OAuth {
        http: environment.http.clone(),
        origins: Origins::oura(),
        application,
        clock: environment.clock.clone(),
    };
    heard.debug(&oauth);
    let authorization = oauth.authorize(&REDIRECT.parse().unwrap(), &[]);
    heard.debug(&authorization);
    let pending = PendingLogin {
        user: "ann".to_owned(),
        redirect: REDIRECT.parse().unwrap(),
        pkce_verifier: authorization.pkce_verifier.clone(),
        expires_at: grant.expires_at,
    };
    heard.debug(&pending);
    heard.debug(&Settings::default());
    heard.debug(&environment.encryption_key);
    authorization.pkce_verifier
}

#[tokio::test]
async fn nothing_that_is_said_holds_a_secret() {
    let heard = Heard::default();
    heard.listen();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(at("2026-11-20T12:00:00Z"), 0.0);
    let world =
        World::with(5, clock, |config| config.client_secret = CLIENT_SECRET.to_owned()).await;
    let environment = Environment {
        encryption_key: Some(Secret::new(ENCRYPTION_KEY)),
        ..world.environment(folder.path())
    };
    let datasources = DataSources::open(environment.clone()).unwrap();
    let datasource = world.datasource(&datasources).await;

    let mut codes = vec![log_in(&heard, &datasource).await];
    call_every_route(&heard, &datasource).await;
    codes.extend(fail_to_log_in(&heard, &world, &datasources).await);
    fail_to_sync(&heard, &world, &datasource).await;
    codes.push(log_in(&heard, &datasource).await);
    lose_the_login(&heard, &world, &datasource).await;
    datasources.shutdown().await;
    drop((datasource, datasources));

    let grant = sealed_grant(folder.path());
    look_into_the_vault(&heard, &world, folder.path()).await;
    read_every_file(&heard, folder.path());
    let verifier = show_every_type(&heard, &environment, &grant);

    let mut secrets = vec![
        ("client secret", CLIENT_SECRET),
        ("encryption key", ENCRYPTION_KEY),
        ("new encryption key", NEW_KEY),
        ("wrong client secret", WRONG_SECRET),
        ("wrong encryption key", WRONG_KEY),
        ("wrong code", WRONG_CODE),
        ("wrong state", WRONG_STATE),
        ("access token", grant.access_token.reveal()),
        ("refresh token", grant.refresh_token.as_ref().unwrap().reveal()),
        ("verifier", verifier.reveal()),
    ];
    secrets.extend(codes.iter().map(|code| ("code", code.as_str())));
    for (what, secret) in secrets {
        assert!(secret.len() >= 16 && !heard.holds(secret), "the {what} was said");
    }
    assert!(heard.holds("connected to Oura"), "the log is listened to");
    assert!(heard.holds("SQLite format 3"), "so are the files");
    assert!(heard.holds("sealed with the new key"), "so are the commands");
}
