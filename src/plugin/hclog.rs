//! Log lines in hclog's JSON, one object a line: Grafana reads them from standard error.
//!
//! Grafana expects `@message`, `@level` and `@timestamp` to be strings without checking, and splits
//! lines of 64 KiB. Lines here respect both.

use std::fmt;
use std::io::Write;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::format::is_invisible;

/// Maximum length of one value, in bytes.
const MAX_VALUE: usize = 8 << 10;
/// Maximum length of a line in bytes, including the newline.
const MAX_LINE: usize = 60 << 10;

/// Returns a filter for this crate's `level`. Libraries log from `warn` on.
pub fn log_filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), level)
}

/// Sends the log and the panics of this process to standard error.
///
/// `GF_PLUGIN_LOG_LEVEL` sets this crate's level. Default: `info`.
pub fn install() {
    let level = std::env::var("GF_PLUGIN_LOG_LEVEL")
        .ok()
        .and_then(|level| level.trim().parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // Fails only in tests, which may install a subscriber of their own.
    let _ = tracing_subscriber::registry().with(HcLog.with_filter(log_filter(level))).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "panic: {}", panic.payload_as_str().unwrap_or("no message"));
    }));
}

struct HcLog;

impl<S: Subscriber> Layer<S> for HcLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        #[expect(clippy::disallowed_methods, reason = "log lines have the real time")]
        let now = Utc::now();
        let mut text = line(event.metadata().level(), event.metadata().target(), &now, fields);
        text.push('\n');
        // There is no other place to report that the log failed.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Formats one line without its newline.
fn line(level: &Level, module: &str, at: &chrono::DateTime<Utc>, fields: Fields) -> String {
    let head = |message: &str| {
        Map::from_iter([
            ("@level".to_owned(), Value::from(level.as_str().to_ascii_lowercase())),
            ("@message".to_owned(), Value::from(message)),
            ("@module".to_owned(), Value::from(module)),
            ("@timestamp".to_owned(), Value::from(at.to_rfc3339_opts(SecondsFormat::Micros, true))),
        ])
    };
    let mut object = head(&fields.message);
    object.extend(fields.others);
    let text = Value::Object(object).to_string();
    if text.len() < MAX_LINE {
        text
    } else {
        Value::Object(head("a log line was omitted because it was too long")).to_string()
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) if !name.starts_with('@') => {
                _ = self.others.insert(name.to_owned(), value)
            }
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(shorten(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }
}

/// Returns `text` without invisible characters that change other text, and not too long.
fn shorten(text: &str) -> String {
    let text = &text.replace(is_invisible, "");
    if text.len() <= MAX_VALUE {
        text.to_owned()
    } else {
        format!("{}…", &text[..text.floor_char_boundary(MAX_VALUE)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_line(message: &str, others: impl IntoIterator<Item = (String, Value)>) -> Value {
        let at = chrono::DateTime::from_timestamp(1_795_489_348, 120_000_000).unwrap();
        let fields = Fields { message: message.to_owned(), others: others.into_iter().collect() };
        let text = line(&Level::WARN, "ringside::sync", &at, fields);
        assert!(!text.contains('\n') && text.len() < 64 << 10);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn line_has_the_keys_that_grafana_expects() {
        let line = format_line("a \"quoted\"\nmessage", [("documents".to_owned(), Value::from(7))]);
        assert_eq!(line["@message"], "a \"quoted\"\nmessage");
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@timestamp"], "2026-11-24T03:02:28.120000Z");
        assert_eq!(line["documents"], 7);
    }

    #[test]
    fn line_length_is_limited() {
        let many = (0..100).map(|n| (format!("field{n}"), Value::from("x".repeat(1 << 10))));
        assert_eq!(format_line("short", many)["@level"], "warn");
        assert!(shorten(&"ä".repeat(MAX_VALUE)).len() <= MAX_VALUE + '…'.len_utf8());
    }
}
