//! Where the server is, and how to use it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::tls::{Tls, Wanted};
use crate::index::IndexError;

/// The schema that holds the tables.
pub const SCHEMA_DEFAULT: &str = "holdfast";
/// Connections that a process keeps.
pub const CONNECTIONS_DEFAULT: usize = 4;
/// How long a call is tried: a server that restarts is back by then.
pub const PATIENCE_DEFAULT: Duration = Duration::from_secs(15);

const UNREADABLE: &str = "the postgres:// URL cannot be read. Special characters of user and password must be \
                          percent-encoded, and options must be those of libpq";
/// PostgreSQL cuts longer names.
const SCHEMA_NAME_BYTES_MAX: usize = 63;
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// A peer that is gone without a word is noticed after about this long.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How a server is reached. `Debug` shows no password.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) schema: String,
    pub(super) connections: usize,
    pub(super) patience: Duration,
}

impl PostgresSettings {
    /// Of a URL as PostgreSQL's own tools take it: `postgres://user:password@host:port/database?…`.
    /// A server on another machine needs `sslmode=verify-full&sslrootcert=FILE`, or `sslmode=disable`.
    ///
    /// # Errors
    /// [`IndexError::Settings`], which shows nothing of the URL, for it may hold a password; [`IndexError::File`] if the file of
    /// authorities cannot be read.
    pub fn from_url(url: &str) -> Result<PostgresSettings, IndexError> {
        let unusable = |reason: &str| IndexError::Settings { reason: reason.to_owned() };
        if !is_url(url) {
            return Err(unusable("a PostgreSQL server is named by postgres://user:password@host/database"));
        }
        // A password with a bare @ ends in the name of the host, and would be shown.
        let split = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        let (url, wanted) = Wanted::take_from(url);
        let mut config = Config::from_str(&url)
            .ok()
            .filter(|config| !config.get_hosts().iter().any(split))
            .ok_or_else(|| unusable(UNREADABLE))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(unusable("the postgres:// URL names no host"));
        }
        let tls = wanted.apply(&mut config)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(KEEP_ALIVE / 4);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(KEEP_ALIVE);
        }
        config.keepalives_idle(KEEP_ALIVE / 2);
        if config.get_application_name().is_none() {
            config.application_name("holdfast");
        }
        Ok(PostgresSettings {
            config,
            tls,
            schema: SCHEMA_DEFAULT.to_owned(),
            connections: CONNECTIONS_DEFAULT,
            patience: PATIENCE_DEFAULT,
        })
    }

    /// Another schema: two indices on one database.
    ///
    /// # Errors
    /// [`IndexError::Settings`]: lower-case letters, digits and `_` only, a letter first, at most 63.
    pub fn schema(self, name: &str) -> Result<PostgresSettings, IndexError> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let good = name.len() <= SCHEMA_NAME_BYTES_MAX
            && name.bytes().all(letters)
            && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && !name.starts_with("pg_");
        if !good {
            return Err(IndexError::Settings {
                reason: format!(
                    "\"{}\" is no name of a schema: a lower-case letter, then lower-case letters, digits and _, \
                     {SCHEMA_NAME_BYTES_MAX} in all, not pg_…",
                    name.escape_default()
                ),
            });
        }
        Ok(PostgresSettings { schema: name.to_owned(), ..self })
    }

    /// Connections that this process may have at once, at least one.
    pub fn connections(self, connections: usize) -> PostgresSettings {
        PostgresSettings { connections: connections.max(1), ..self }
    }

    /// How long a call is tried before it fails.
    pub fn patience(self, patience: Duration) -> PostgresSettings {
        PostgresSettings { patience, ..self }
    }

    /// The URL without password and options, with the schema where it is not the usual one.
    pub(super) fn place(&self) -> Arc<str> {
        let host = match (self.config.get_hosts().first(), self.config.get_hostaddrs().first()) {
            (Some(Host::Tcp(name)), _) => name.clone(),
            (Some(Host::Unix(folder)), _) => folder.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        let schema =
            if self.schema == SCHEMA_DEFAULT { String::new() } else { format!(" (schema {})", self.schema) };
        format!("postgres://{user}{host}:{port}/{database}{schema}").into()
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PostgresSettings")
            .field("place", &self.place())
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .finish()
    }
}

/// Whether a location of an index is that of a server.
pub fn is_url(location: &str) -> bool {
    SCHEMES.iter().any(|scheme| location.starts_with(scheme))
}

#[cfg(test)]
mod tests;
