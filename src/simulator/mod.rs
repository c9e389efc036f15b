//! Oura's API and login with a synthetic person behind it, bad manners included. For the demo, the tests and the benchmarks.

mod consent;

pub use consent::consent;

use std::net::SocketAddr;

use crate::time::{Clock, Day};

/// Who is simulated, from when, and by which clock.
#[derive(Clone, Debug)]
pub struct Config {
    pub seed: u64,
    /// The day the ring was set up: the first day with data.
    pub first_day: Day,
    pub clock: Clock,
    pub client_id: String,
    pub client_secret: String,
}

impl Config {
    pub fn new(seed: u64, first_day: Day, clock: Clock) -> Config {
        Config { seed, first_day, clock, client_id: String::new(), client_secret: String::new() }
    }
}

/// A running simulator; dropping it stops it.
pub struct Simulator {
    _address: SocketAddr,
}

impl Simulator {
    /// Listens on `address` (port 0 = any) and serves until dropped.
    pub async fn start(config: Config, address: SocketAddr) -> std::io::Result<Simulator> {
        let _ = (config, address);
        todo!()
    }

    /// `http://127.0.0.1:41234/`
    pub fn origin(&self) -> url::Url {
        todo!()
    }
}
