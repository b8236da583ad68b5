//! Logs on standard error, for people or as JSON lines. Fields whose names say that they are secret are never written.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// The filter, as in `HOLDFAST_LOG=info,holdfast_service::miner=debug`.
pub const FILTER_VARIABLE: &str = "HOLDFAST_LOG";
/// Used where nothing is set.
const FILTER_DEFAULT: &str = "info";
/// A field is not written if its name has one of these in it.
const SECRET_NAMES: [&str; 8] =
    ["secret", "password", "passphrase", "mnemonic", "seed", "private", "blinding", "token"];
const REDACTED: &str = "[redacted]";

/// How lines look.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "they would be shown in the help, where the flag's own text says what they mean"
)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// Why there are no logs.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The filter is none.
    #[error("{FILTER_VARIABLE}={filter} is no filter: {reason}")]
    Filter {
        /// What was set.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody set another subscriber before.
    #[error("logs are set up already")]
    SetUp,
}

/// Begins to log to standard error.
pub fn set_up(format: LogFormat) -> Result<(), LoggingError> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| FILTER_DEFAULT.to_owned());
    let parsed = EnvFilter::try_new(&filter)
        .map_err(|error| LoggingError::Filter { filter, reason: error.to_string() })?;
    let lines = Lines { format, write: Arc::new(|line| drop(std::io::stderr().write_all(line.as_bytes()))) };
    Registry::default().with(parsed).with(lines).try_init().map_err(|_| LoggingError::SetUp)
}

/// Texts that are remembered.
const REMEMBERED: usize = 4096;

/// Keeps what happens again and again from filling the log: the same text is due once in so long.
#[derive(Debug)]
pub struct Seldom {
    interval: Duration,
    written: Mutex<HashMap<String, Instant>>,
}

impl Seldom {
    /// Once in this interval.
    pub fn every(interval: Duration) -> Seldom {
        Seldom { interval, written: Mutex::default() }
    }

    /// Whether a text is to be written now; if so, it is not for the interval to come.
    pub fn is_due(&self, text: &str, now: Instant) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < self.interval;
        if written.get(text).is_some_and(is_recent) {
            return false;
        }
        if written.len() >= REMEMBERED {
            written.retain(|_, at| is_recent(at));
        }
        if written.len() >= REMEMBERED {
            // All of them are recent: writing one twice is the lesser evil.
            written.clear();
        }
        written.insert(text.to_owned(), now);
        true
    }
}

/// A layer that writes each event as one line.
struct Lines {
    format: LogFormat,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The fields of a span or an event, without secrets.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let lower = name.to_ascii_lowercase();
        let secret = SECRET_NAMES.iter().any(|word| lower.contains(word));
        self.0.insert(name.to_owned(), if secret { REDACTED.into() } else { value });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &tracing::span::Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                // The innermost span comes first, and an event's own fields count most.
                for (name, value) in &of_span.0 {
                    fields.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut fields);
        let message = fields.0.remove("message").map_or_else(String::new, |message| match message {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let metadata = event.metadata();
        let line = match self.format {
            LogFormat::Json => json_line(*metadata.level(), metadata.target(), &message, fields.0),
            LogFormat::Human => human_line(*metadata.level(), &message, &fields.0),
        };
        (self.write)(&line);
    }
}

fn json_line(level: Level, target: &str, message: &str, fields: Map<String, Value>) -> String {
    let line = json!({
        "time_ms": now_ms(),
        "level": level.as_str().to_ascii_lowercase(),
        "target": target,
        "message": message,
        "fields": fields,
    });
    format!("{line}\n")
}

fn human_line(level: Level, message: &str, fields: &Map<String, Value>) -> String {
    let seconds = now_ms() / 1000;
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut line = format!("{hours:02}:{minutes:02}:{seconds:02}Z {level:>5} {message}");
    for (name, value) in fields {
        match value {
            // Control characters of a peer's text must not reach a terminal.
            Value::String(text) => line.push_str(&format!("  {name}={}", text.escape_debug())),
            other => line.push_str(&format!("  {name}={other}")),
        }
    }
    line.push('\n');
    line
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
