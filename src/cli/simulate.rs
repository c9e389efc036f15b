//! `gpx_oura simulate`: Oura's API and login on a port, with a synthetic person behind it.

use std::io::Write;
use std::net::SocketAddr;

use crate::simulator::{Config, Consent, Fault, Registration, Simulator};
use crate::time::{Clock, Tz};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Another number, another person
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many days of history there are
    #[arg(long, default_value_t = 1095)]
    days: u32,
    #[arg(long, env = "OURA_CLIENT_ID", default_value = "simulated-client")]
    client_id: String,
    #[arg(long, env = "OURA_CLIENT_SECRET", default_value = "simulated-secret", hide_env_values = true)]
    client_secret: String,
    /// Allow every login without asking
    #[arg(long)]
    allow: bool,
    /// The application is registered at the new portal: only that login knows it
    #[arg(long)]
    portal: bool,
    /// Something that goes wrong, as in collection=sleep,status=500,times=3; may be repeated
    #[arg(long = "fault")]
    faults: Vec<Fault>,
}

/// Serves until Ctrl-C. The first line on stdout says where.
pub async fn run(args: Args) -> std::io::Result<()> {
    let clock = Clock::system();
    let first_day = clock.now().day(Tz::UTC).plus(-i64::from(args.days));
    let config = Config {
        client_id: args.client_id,
        client_secret: args.client_secret,
        consent: if args.allow { Consent::Allow } else { Consent::Ask },
        registered_at: if args.portal { Registration::Portal } else { Registration::Legacy },
        faults: args.faults,
        ..Config::new(args.seed, first_day, clock)
    };
    let simulator = Simulator::start(config, args.listen).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {}", simulator.origin().as_str().trim_end_matches('/'))?;
    stdout.flush()?;
    tokio::signal::ctrl_c().await
}
