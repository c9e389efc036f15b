//! Plants secrets, collects all output that the product can be made to write, and searches it for
//! the secrets.

use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

use crate::common::at;
use crate::common::secret_scanner::Transcript;
use crate::common::world::{REDIRECT, World, synced};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use ringside::api::{self, Caller, Role};
use ringside::datasource::vault::{Purpose, Vault};
use ringside::datasource::{
    ConnectionState, DataSource, DataSourceKey, DataSources, Environment, PendingLogin, Settings,
    Trigger,
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
/// Wrong entries of users, which are secrets too.
const WRONG_SECRET: &str = "planted-wrong-client-secret-91d0c4";
const WRONG_KEY: &str = "planted-wrong-encryption-key-08aa3d";
const WRONG_CODE: &str = "planted-wrong-code-d2c9f1a6";
const WRONG_STATE: &str = "planted-wrong-state-6f03be57";

/// Adds the debug forms of a value.
trait AddDebug {
    fn add_debug(&self, value: &dyn Debug);
}

impl AddDebug for Transcript {
    fn add_debug(&self, value: &dyn Debug) {
        self.add(format!("{value:?}{value:#?}"));
    }
}

async fn call(
    output: &Transcript,
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
    output.add_debug(answer.headers());
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    output.add(&body);
    serde_json::from_slice(&body).unwrap_or_default()
}

async fn call_every_route(output: &Transcript, datasource: &DataSource) {
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
        call(output, datasource, method, path, &body).await;
    }
    synced(datasource).await;
    output.add_debug(&datasource.status().unwrap());
    output.add_debug(&datasource.measures().unwrap());
    output.add_debug(datasource.settings());
}

/// Presses *Connect* and *Allow*, and waits for the sync. Returns the code of the login.
async fn log_in(output: &Transcript, datasource: &DataSource) -> String {
    let started =
        call(output, datasource, "POST", "/oauth/start", &json!({ "redirectUri": REDIRECT })).await;
    let authorize = started["authorizeUrl"].as_str().unwrap().to_owned();
    let (code, state) =
        simulator::consent(&oura::http_client().unwrap(), &authorize).await.unwrap();
    let callback = json!({"code": code, "state": state});
    let connected = call(output, datasource, "POST", "/oauth/callback", &callback).await;
    assert_eq!(connected["state"], "connected");
    let spent = call(output, datasource, "POST", "/oauth/callback", &callback).await;
    assert_eq!(spent["error"]["code"], "used_state");
    synced(datasource).await;
    code
}

/// Fails to log in, each time for another reason. Returns the codes of the logins.
async fn fail_to_log_in(
    output: &Transcript,
    world: &World,
    datasources: &DataSources,
) -> Vec<String> {
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
            call(output, &datasource, "POST", "/oauth/start", &json!({ "redirectUri": REDIRECT }))
                .await;
        let authorize = started["authorizeUrl"].as_str().unwrap().to_owned();
        let (code, state) =
            simulator::consent(&oura::http_client().unwrap(), &authorize).await.unwrap();
        world.simulator.faults().add(fault.parse::<Fault>().unwrap());
        let answer = call(
            output,
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
        json!({
            "error": "\u{0}<b>",
            "error_description": "x".repeat(100_000),
            "code": WRONG_CODE,
            "state": WRONG_STATE,
        }),
    ] {
        let answer = call(output, &datasource, "POST", "/oauth/callback", &garbage).await;
        assert!(answer["error"]["code"].is_string(), "{answer}");
    }
    codes
}

/// Syncs with failing collections, a failing renewal and a login that Oura has revoked.
async fn fail_to_sync(output: &Transcript, world: &World, datasource: &DataSource) {
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
    call_every_route(output, datasource).await;
    world.simulator.faults().clear();
}

/// Loses half of the response of a renewal, and then the login.
async fn lose_the_login(output: &Transcript, world: &World, datasource: &DataSource) {
    world.simulator.faults().add("path=/oauth/token,half_body,times=1".parse::<Fault>().unwrap());
    world.simulator.faults().add("collection=sleep,status=401,times=1".parse::<Fault>().unwrap());
    for _ in 0..2 {
        datasource.start_sync(Trigger::Manual).unwrap();
        synced(datasource).await;
        world.simulator.revoke_all();
    }
    assert_eq!(datasource.status().unwrap().state, ConnectionState::ReconnectNeeded);
    call_every_route(output, datasource).await;
}

/// The login in the vault of `folder`.
fn sealed_grant(folder: &Path) -> Grant {
    let vault = Vault::open(folder, Some(&Secret::new(ENCRYPTION_KEY))).unwrap();
    let sealed = vault.get(&DataSourceKey::single(), Purpose::Grant, "oura").unwrap().unwrap();
    serde_json::from_slice(&sealed).unwrap()
}

/// Runs a command of the program on `folder`. Returns whether it succeeded.
async fn command(
    output: &Transcript,
    world: &World,
    folder: &Path,
    arguments: &[&str],
    keys: &[(&str, &str)],
) -> bool {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gpx_oura"));
    program.args(arguments).arg("--data-dir").arg(folder);
    program.env("GF_PLUGIN_OURA_URL", world.simulator.origin().as_str()).envs(keys.iter().copied());
    let ended = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    output.add(&ended.stdout);
    output.add(&ended.stderr);
    ended.status.success()
}

/// Runs the commands that open the vault, with the right key and with a wrong one.
async fn open_the_vault(output: &Transcript, world: &World, folder: &Path) {
    for key in [ENCRYPTION_KEY, WRONG_KEY] {
        command(output, world, folder, &["doctor"], &[("GF_PLUGIN_ENCRYPTION_KEY", key)]).await;
    }
    let keys =
        |present| [("GF_PLUGIN_ENCRYPTION_KEY", present), ("RINGSIDE_NEW_ENCRYPTION_KEY", NEW_KEY)];
    let rotate = ["vault", "rotate"];
    assert!(!command(output, world, folder, &rotate, &keys(WRONG_KEY)).await);
    assert!(command(output, world, folder, &rotate, &keys(ENCRYPTION_KEY)).await);
}

/// Reads all files in `folder` and in the folder of the data source.
fn read_every_file(output: &Transcript, folder: &Path) {
    for entry in std::fs::read_dir(folder)
        .unwrap()
        .chain(std::fs::read_dir(DataSourceKey::single().folder(folder)).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            output.add(std::fs::read(path).unwrap());
        }
    }
}

/// Formats every public type that contains a secret. Returns the verifier of a new login.
fn format_every_type(output: &Transcript, environment: &Environment, grant: &Grant) -> Secret {
    let application =
        Application { client_id: "id".to_owned(), client_secret: Secret::new(CLIENT_SECRET) };
    output.add_debug(&application);
    output.add_debug(grant);
    let oauth = OAuth {
        http: environment.http.clone(),
        origins: Origins::oura(),
        application,
        clock: environment.clock.clone(),
    };
    output.add_debug(&oauth);
    let authorization = oauth.authorize(&REDIRECT.parse().unwrap(), &[]);
    output.add_debug(&authorization);
    let pending = PendingLogin {
        user: "ann".to_owned(),
        redirect: REDIRECT.parse().unwrap(),
        pkce_verifier: authorization.pkce_verifier.clone(),
        expires_at: grant.expires_at,
    };
    output.add_debug(&pending);
    output.add_debug(&Settings::default());
    output.add_debug(&environment.encryption_key);
    authorization.pkce_verifier
}

#[tokio::test]
async fn no_output_contains_a_secret() {
    let output = Transcript::of_this_process();
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

    let mut codes = vec![log_in(&output, &datasource).await];
    call_every_route(&output, &datasource).await;
    codes.extend(fail_to_log_in(&output, &world, &datasources).await);
    fail_to_sync(&output, &world, &datasource).await;
    codes.push(log_in(&output, &datasource).await);
    lose_the_login(&output, &world, &datasource).await;
    datasources.shutdown().await;
    drop((datasource, datasources));

    let grant = sealed_grant(folder.path());
    open_the_vault(&output, &world, folder.path()).await;
    read_every_file(&output, folder.path());
    let verifier = format_every_type(&output, &environment, &grant);

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
    for (name, secret) in secrets {
        assert!(secret.len() >= 16 && !output.contains(secret), "the output contains the {name}");
    }
    assert!(output.contains("connected to Oura"), "the transcript has the log");
    assert!(output.contains("SQLite format 3"), "the transcript has the files");
    assert!(output.contains("encrypted with the new key"), "the transcript has the commands");
}
