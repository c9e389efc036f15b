//! `simulate`: Oura's API and login on a port, with the data of a synthetic person.

use std::io::Write;
use std::net::SocketAddr;

use clap::builder::PossibleValuesParser;

use super::output::stdout;
use crate::oura::oauth::SCOPES;
use crate::simulator::{Config, Consent, Fault, Registration, SECRET_MARK, Simulator};
use crate::time::{Clock, Tz};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address to listen on. Port 0 chooses a free port
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Seed for the synthetic person
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days of history
    #[arg(long, default_value_t = 1095)]
    days: u32,
    /// Client ID of the registered application
    #[arg(long, env = "OURA_CLIENT_ID", default_value = "simulated-client")]
    client_id: String,
    /// Client secret of the registered application
    #[arg(
        long,
        env = "OURA_CLIENT_SECRET",
        default_value = SECRET_MARK,
        hide_env_values = true
    )]
    client_secret: String,
    /// Grant every login without a consent page
    #[arg(long)]
    allow: bool,
    /// Grant every login without a consent page, but only these scopes, for example daily,heartrate
    #[arg(
        long,
        value_name = "SCOPES",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(SCOPES),
        conflicts_with = "allow"
    )]
    allow_only: Vec<String>,
    /// Register the application at the new portal only
    #[arg(long)]
    portal: bool,
    /// Lifetime of an access token in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    token_lifetime: u32,
    /// Rate limit, for example 5000/300 [default: no limit]
    #[arg(long, value_name = "REQUESTS/SECONDS", value_parser = rate_limit)]
    rate_limit: Option<(usize, i64)>,
    /// A fault to inject, for example collection=sleep,status=500,times=3. May be repeated
    #[arg(long = "fault")]
    faults: Vec<Fault>,
}

/// Parses `REQUESTS/SECONDS`. Returns the expected form as the error.
fn rate_limit(text: &str) -> Result<(usize, i64), &'static str> {
    text.split_once('/')
        .and_then(|(requests, seconds)| Some((requests.parse().ok()?, seconds.parse().ok()?)))
        .filter(|(_, seconds)| *seconds > 0)
        .ok_or("use requests/seconds, for example 5000/300")
}

impl Args {
    fn config(self) -> Config {
        let clock = Clock::system();
        let first_day = clock.now().day(Tz::UTC).plus(-i64::from(self.days));
        Config {
            client_id: self.client_id,
            client_secret: self.client_secret,
            consent: match self.allow_only {
                only if !only.is_empty() => Consent::AllowOnly(only),
                _ if self.allow => Consent::Allow,
                _ => Consent::Ask,
            },
            registered_at: if self.portal { Registration::Portal } else { Registration::Legacy },
            token_lifetime: self.token_lifetime.into(),
            rate_limit: self.rate_limit,
            faults: self.faults,
            ..Config::new(self.seed, first_day, clock)
        }
    }
}

/// Serves until Ctrl-C. The first line on stdout contains the address.
pub async fn run(args: Args) -> std::io::Result<()> {
    let listen = args.listen;
    let simulator = Simulator::start(args.config(), listen).await?;
    let mut stdout = stdout();
    writeln!(stdout, "listening on {}", simulator.origin().as_str().trim_end_matches('/'))?;
    stdout.flush()?;
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn config(arguments: &[&str]) -> Result<Config, clap::Error> {
        Command::try_parse_from([&["simulate"], arguments].concat())
            .map(|command| command.args.config())
    }

    #[test]
    fn options_set_limits_lifetimes_and_consent() {
        let configured = config(&[
            "--rate-limit",
            "60/30",
            "--token-lifetime",
            "90",
            "--allow-only",
            "daily,tag",
        ])
        .unwrap();
        assert_eq!((configured.rate_limit, configured.token_lifetime), (Some((60, 30)), 90));
        assert_eq!(
            configured.consent,
            Consent::AllowOnly(vec!["daily".to_owned(), "tag".to_owned()])
        );
        let plain = config(&[]).unwrap();
        assert_eq!(
            (plain.rate_limit, plain.token_lifetime, plain.consent),
            (None, 86_400, Consent::Ask)
        );
    }

    #[test]
    fn invalid_options_are_rejected() {
        for arguments in [
            ["--rate-limit", "60"],
            ["--rate-limit", "60/0"],
            ["--token-lifetime", "-1"],
            ["--allow-only", "everything"],
            ["--fault", "status=99"],
            ["--fault", "status=700"],
        ] {
            assert!(config(&arguments).is_err(), "{arguments:?}");
        }
        assert!(config(&["--allow", "--allow-only", "daily"]).is_err());
    }
}
