//! The commands. With Grafana's handshake cookie in the environment and no command: the plugin.

pub mod simulate;

use std::process::ExitCode;

pub fn main() -> ExitCode {
    todo!()
}
