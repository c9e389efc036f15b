//! The end of the program while Oura answers a refresh: the new tokens reach the vault first.

use std::path::Path;
use std::process::Command;

use ringside::datasource::{DataSources, Trigger};
use ringside::plugin::host::{CallContext, Host};
use ringside::simulator::{Barrier, Target, Violation};
use ringside::time::Clock;
use serde_json::json;

use crate::common::serve::{ADMIN_TOKEN, Server};
use crate::common::wait::{must_finish, poll_until};
use crate::common::world::{World, synced};

/// The programs, and the ways in which they end.
#[derive(Clone, Copy, Debug)]
enum End {
    ServeBySignal,
    PluginBySignal,
    /// Grafana's request.
    PluginByShutdown,
}

fn terminate(pid: u32) {
    let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether a process runs. A zombie has ended.
fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Starts a program, lets it refresh its token, and ends it before Oura answers.
async fn end_during_refresh(end: End, world: &World, folder: &Path) {
    let hold = || world.simulator.faults().hold(Target::Path("/oauth/token".to_owned()));
    let arrived = async |barrier: &mut Barrier| {
        must_finish("a refresh", barrier.wait_for_arrivals(1)).await;
    };
    let origin = world.simulator.origin();
    let mut barrier = hold();
    // Rejects the token once, so that it is refreshed.
    world.simulator.faults().add("collection=sleep,status=401,times=1".parse().unwrap());
    match end {
        End::ServeBySignal => {
            let variables = [("GF_PLUGIN_OURA_URL", origin.as_str())];
            let server = Server::start_with(folder, &[], &variables).await;
            let sync = server.post("/api/sync", ADMIN_TOKEN, &json!({})).await;
            assert!(sync.status < 300, "{}", sync.text());
            arrived(&mut barrier).await;
            let pid = server.pid();
            terminate(pid);
            barrier.open();
            poll_until("the end of serve", || !is_running(pid)).await;
        }
        End::PluginBySignal | End::PluginByShutdown => {
            let environment = [
                ("GF_PLUGIN_DATA_DIR".to_owned(), folder.display().to_string()),
                ("GF_PLUGIN_OURA_URL".to_owned(), origin.to_string()),
            ];
            let program = Path::new(env!("CARGO_BIN_EXE_gpx_oura"));
            let host = Host::launch(program, &environment).await.unwrap();
            let context = CallContext {
                org: 1,
                uid: "oura".to_owned(),
                json_data: serde_json::to_value(&world.settings).unwrap(),
                client_secret: world.secret.clone(),
                login: "ann".to_owned(),
                role: "Admin".to_owned(),
            };
            let sync = host.resource(&context, "POST", "sync", Some(&json!({}))).await.unwrap();
            assert!(sync.status < 300, "{}", String::from_utf8_lossy(&sync.body));
            arrived(&mut barrier).await;
            if let End::PluginBySignal = end {
                let pid = host.pid().unwrap();
                terminate(pid);
                barrier.open();
                poll_until("the end of the plugin", || !is_running(pid)).await;
            } else {
                // The request is sent first: the barrier opens while it waits.
                let (ended, ()) = tokio::join!(host.shutdown(), async { barrier.open() });
                assert!(ended.unwrap().success());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_refresh_are_stored_before_the_end() {
    for end in [End::ServeBySignal, End::PluginBySignal, End::PluginByShutdown] {
        let world = World::new(3, Clock::system()).await;
        let folder = world.synced_folder().await;
        end_during_refresh(end, &world, folder.path()).await;
        let datasources = DataSources::open(world.environment(folder.path())).unwrap();
        let datasource = world.datasource(&datasources).await;
        datasource.start_sync(Trigger::Manual).unwrap();
        synced(&datasource).await;
        let failure = datasource.status().unwrap().sync.failure;
        assert_eq!(failure, None, "{end:?}");
        let reused = world.simulator.requests().violations(Violation::RefreshTokenReused);
        assert_eq!(reused, 0, "{end:?}");
        drop(datasource);
        datasources.shutdown().await;
    }
}
