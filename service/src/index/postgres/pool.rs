//! A few sessions, used again.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::failure::Failure;
use super::session::Session;
use super::settings::PostgresSettings;

#[derive(Debug)]
pub(super) struct Pool {
    settings: PostgresSettings,
    permits: Semaphore,
    idle: Mutex<Vec<Arc<Session>>>,
}

/// A session in use. Dropped, it is closed: nobody knows what is still under way in it. That is what happens when a call
/// is cancelled.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    session: Arc<Session>,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(super) fn new(settings: PostgresSettings) -> Pool {
        let permits = Semaphore::new(settings.connections);
        Pool { settings, permits, idle: Mutex::new(Vec::new()) }
    }

    /// An idle session, or a new one; waits while all that may be are in use.
    pub(super) async fn take(&self) -> Result<Lent<'_>, Failure> {
        let permit = self.permits.acquire().await.map_err(|closed| Failure::Refused(closed.to_string()))?;
        let session = match self.open_idle() {
            Some(session) => session,
            None => Arc::new(Session::connect(&self.settings).await?),
        };
        Ok(Lent { pool: self, session, _permit: permit })
    }

    /// The session used last, of those that are not closed.
    fn open_idle(&self) -> Option<Arc<Session>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }
}

impl Lent<'_> {
    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// For the next call. Only after the answer to the last one.
    pub(super) fn give_back(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.session);
    }
}
