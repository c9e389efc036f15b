//! The log of the commands that sync: plain lines on standard error.

use std::io::{IsTerminal, Write};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::plugin::spoken;

/// What a level can be called.
pub const LEVELS: [&str; 5] = ["off", "error", "warn", "info", "debug"];

/// Sends this process's log to standard error from now on.
pub fn install(level: LevelFilter) {
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(|| Lines);
    // A second subscriber is a test's: it was there first and stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(spoken(level))).try_init();
}

/// Standard error, where a line that shows progress may stand: it makes room, and is written anew below.
struct Lines;

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let mut stderr = std::io::stderr().lock();
        let room: &[u8] = if stderr.is_terminal() { b"\r\x1b[K" } else { b"" };
        // Nobody can be told that the log is gone.
        let _ = stderr.write_all(&[room, text].concat());
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
