//! The log of the commands: plain lines on standard error.

use std::io::{IsTerminal, Write};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::format::is_invisible;
use crate::plugin::log_filter;

/// The names of log levels.
pub const LEVELS: [&str; 5] = ["off", "error", "warn", "info", "debug"];

/// Sends the log of this process to standard error.
pub fn install(level: LevelFilter) {
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(|| Lines);
    // Fails only in tests, which may install a subscriber of their own.
    let _ = tracing_subscriber::registry().with(lines.with_filter(log_filter(level))).try_init();
}

/// Standard error. On a terminal, each log line replaces the progress line, which is then printed
/// again below.
struct Lines;

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let mut stderr = std::io::stderr().lock();
        let clear_line: &[u8] = if stderr.is_terminal() { b"\r\x1b[K" } else { b"" };
        let shown = String::from_utf8_lossy(text).replace(is_invisible, "");
        // There is no other place to report that the log failed.
        let _ = stderr.write_all(&[clear_line, shown.as_bytes()].concat());
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
