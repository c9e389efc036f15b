//! The progress of a sync: one updated line on a terminal, otherwise a new line every few
//! seconds.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::Failure;
use crate::datasource::{DataSource, Progress};
use crate::format::grouped;

/// Prints the progress of the sync until `run` ends. Returns an error for a failed run. Documents
/// that the run fetched before the failure remain stored.
pub async fn follow(datasource: &DataSource, run: i64) -> Result<Progress, Failure> {
    let mut receiver = datasource.progress();
    let start = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
    let mut shown = Instant::now();
    loop {
        let progress = receiver.borrow_and_update().clone();
        let ended = progress.finished && progress.run >= run;
        if ended || shown.elapsed() >= pause {
            shown = Instant::now();
            show(&progress, start, terminal, ended);
        }
        if ended {
            return match &progress.failure {
                Some(failure) => Err(failure.clone().into()),
                None => Ok(progress),
            };
        }
        if receiver.changed().await.is_err() {
            return Err("the sync was stopped".into());
        }
    }
}

fn show(progress: &Progress, start: Instant, terminal: bool, ended: bool) {
    let elapsed = start.elapsed();
    let left = progress
        .time_left(elapsed)
        .map_or(String::new(), |left| format!("  {} left", minutes(left)));
    let line = format!(
        "{:5.1} %  {} of {} windows  {} documents and rows  {}{left}",
        progress.percent(),
        progress.windows_done,
        progress.windows,
        grouped(progress.documents),
        minutes(elapsed),
    );
    let mut stderr = std::io::stderr().lock();
    // A failed write is ignored: a message about it could not be written either.
    let _ = match (terminal, ended) {
        (true, false) => write!(stderr, "\r\x1b[K{line}"),
        (true, true) => writeln!(stderr, "\r\x1b[K{line}"),
        (false, _) => writeln!(stderr, "{line}"),
    };
    let _ = stderr.flush();
}

/// Formats a duration as `12 s` or `3 min 20 s`.
fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
