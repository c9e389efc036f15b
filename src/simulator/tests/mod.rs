//! Tests of the simulator over HTTP, and of its documents.

mod api;
mod body;
mod faults;
mod login;

use serde_json::Value;

use super::{Config, Consent, Simulator, login::SCOPES};
use crate::time::{Clock, Day, Instant, Stamp, Tz};

/// Noon in UTC. The person in New York has just got up.
const NOW: &str = "2026-11-20T12:00:00Z";

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn at(text: &str) -> Instant {
    Stamp::parse(text, Tz::UTC).unwrap().at
}

/// A clock that stands still at `text`.
fn clock(text: &str) -> Clock {
    Clock::starting_at(at(text), 0.0)
}

fn config() -> Config {
    Config { consent: Consent::Allow, ..Config::new(7, day("2023-11-20"), clock(NOW)) }
}

async fn start(config: Config) -> Simulator {
    Simulator::start(config, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

/// A client with a user agent that follows no redirects.
fn browser() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("test")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Reads from a simulator with a token for all scopes.
struct Reader {
    simulator: Simulator,
    http: reqwest::Client,
    token: String,
}

impl Reader {
    async fn of(config: Config) -> Reader {
        let simulator = start(config).await;
        let token = simulator.access_token(&SCOPES);
        Reader { simulator, http: browser(), token }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = self.simulator.origin().join("/v2/usercollection/").unwrap().join(path).unwrap();
        self.http.get(url).bearer_auth(&self.token).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn days(&self, path: &str) -> Vec<String> {
        let page = self.json(path).await;
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|document| document["day"].as_str().unwrap().to_owned())
            .collect()
    }
}
