//! `scripts/backfill.sh` against both doors: `serve`, and the routes below Grafana's address.

use std::path::Path;
use std::process::{Command, Output};

use axum::Extension;
use ringside::api::{self, Caller, Role};

use super::files::{ADMIN_TOKEN, READ_TOKEN, connected_folder, finished, oura_of_today, serve};
use super::world::*;
use crate::common::{database, select};

/// A curl that finds no network from the second backfill on.
const CUT_CURL: &str = r#"#!/bin/sh
case "$*" in
  *backfill*)
    [ ! -e "$SHIM/called" ] || exit 7
    touch "$SHIM/called"
    ;;
esac
PATH=${PATH#*:} exec curl "$@"
"#;

/// The script for 20 days in steps of 10, run in `folder`.
fn script(folder: &Path, url: &str, token: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/backfill.sh");
    let mut script = Command::new(path);
    script
        .args(["--days", "20", "--step", "10", "--resources", "sleep,daily_sleep"])
        .env("RINGSIDE_URL", url)
        .env("RINGSIDE_TOKEN", token)
        .env("POLL_SECONDS", "0.05")
        .current_dir(folder);
    script
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|stream| String::from_utf8_lossy(stream).into_owned()).concat()
}

/// The number of runs that a backfill caused.
fn backfills(folder: &Path) -> i64 {
    let sql = "SELECT count(*) FROM sync_runs WHERE trigger = 'backfill' AND state = 'done'";
    select(&database(folder), sql)[0][0].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn script_resumes_after_an_interruption() {
    let simulator = oura_of_today(25).await;
    let folder = connected_folder(&simulator).await;
    let (_serve, origin) = serve("", folder.path(), &simulator);
    let url = format!("{origin}/api");
    let work = tempfile::tempdir().unwrap();

    let rejected = finished(script(work.path(), &url, READ_TOKEN)).await;
    assert!(!rejected.status.success());
    assert_contains(&text(&rejected), &["answered 403", "admin"]);

    let shim = tempfile::tempdir().unwrap();
    let curl = shim.path().join("curl");
    std::fs::write(&curl, CUT_CURL).unwrap();
    std::fs::set_permissions(&curl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut cut = script(work.path(), &url, ADMIN_TOKEN);
    let path = format!("{}:{}", shim.path().display(), std::env::var("PATH").unwrap());
    cut.env("SHIM", shim.path()).env("PATH", path);
    let cut = finished(cut).await;
    assert!(!cut.status.success());
    assert_contains(&text(&cut), &["10 of 20 days", "same command to resume"]);
    assert_eq!(backfills(folder.path()), 1);

    let resumed = finished(script(work.path(), &url, ADMIN_TOKEN)).await;
    assert!(resumed.status.success(), "{}", text(&resumed));
    assert_contains(&text(&resumed), &["Resuming: 10 days left", "20 of 20 days", "Done"]);
    assert_eq!(backfills(folder.path()), 2);
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "a state file is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn script_works_against_the_routes_in_grafana() {
    let world = World::connected().await;
    let caller = Caller { user: "service".to_owned(), role: Role::Admin };
    let routes = api::router(world.datasource.clone()).layer(Extension(caller));
    let resources = "/api/datasources/uid/oura/resources";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{resources}", listener.local_addr().unwrap());
    let router = axum::Router::new().nest(resources, routes);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let work = tempfile::tempdir().unwrap();

    let output = finished(script(work.path(), &url, "glsa_service_account")).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_contains(&text(&output), &["10 of 20 days", "20 of 20 days", "Done"]);
    assert_eq!(backfills(world.folder.path()), 2);
    server.abort();
}

#[test]
fn script_rejects_unusable_options() {
    let work = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (["--days", "0"], "positive number"),
        (["--days", "ten"], "positive number"),
        (["--step", ""], "positive number"),
        (["--resources", "sleep&days=9"], "invalid --resources"),
        (["--until", "now"], "unknown option --until"),
    ] {
        let output = script(work.path(), "http://127.0.0.1:9", "t").args(arguments).output();
        let output = output.unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert_contains(&text(&output), &[message]);
    }
    let output = script(work.path(), "http://127.0.0.1:9", "").output().unwrap();
    assert_contains(&text(&output), &["set RINGSIDE_TOKEN"]);
    std::fs::write(work.path().join(".ringside-backfill"), "1 2\nanother\n").unwrap();
    let output = script(work.path(), "http://127.0.0.1:9", "t").output().unwrap();
    assert_contains(&text(&output), &["belongs to another backfill"]);
}
