//! Commitment tables, computed when somebody first asks for them, one object at a time: it takes all cores for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::jobs::control::Control;
use holdfast_engine::object::Address;
use holdfast_partition::objects::ObjectName;
use tokio::sync::Semaphore;
use tonic::Code;

use super::catalogue::Kept;
use super::{Miner, MinerError, blocking};
use crate::local::committing::commit_table;
use crate::local::failure::Failure;
use crate::local::objects::ObjectDirectory;
use crate::validator::peers::NOT_COMMITTED;

/// Objects whose tables may wait to be computed.
const WAITING_MAX: usize = 1024;

/// Which tables are being computed, or wait for it, and what went wrong with others.
#[derive(Debug)]
pub(super) struct Tables {
    state: Mutex<HashMap<ObjectName, Option<String>>>,
    turn: Arc<Semaphore>,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables { state: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Tables {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, Option<String>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a table is wanted. True if nobody computes it yet; an error says what went wrong the last time, once.
    fn want(&self, name: ObjectName) -> Result<bool, MinerError> {
        let mut state = self.lock();
        match state.get(&name) {
            Some(None) => return Ok(false),
            Some(Some(_)) => {
                let why = state.remove(&name).flatten().unwrap_or_default();
                tracing::warn!(%name, why, "a table is asked for again that could not be computed");
                return Err(MinerError::Lost(why));
            }
            None => {}
        }
        if state.len() >= WAITING_MAX {
            return Err(MinerError::busy(format!("{WAITING_MAX} objects wait to be committed to")));
        }
        state.insert(name, None);
        Ok(true)
    }

    fn ended(&self, name: ObjectName, error: Option<String>) {
        let mut state = self.lock();
        state.remove(&name);
        if let Some(error) = error {
            state.insert(name, Some(error));
        }
    }
}

impl Miner {
    /// Begins to compute the table of an object, unless that goes on already. Always says that it is not there yet, or why
    /// it could not be computed.
    pub(super) fn compute_table(self: &Arc<Miner>, kept: Kept) -> MinerError {
        let name = kept.name;
        match self.tables.want(name) {
            Err(error) => return error,
            Ok(false) => {}
            Ok(true) => {
                let miner = Arc::clone(self);
                tokio::spawn(async move {
                    let computed = compute(&miner, kept).await;
                    if let Err(error) = &computed {
                        tracing::error!(%name, %error, "a table was not computed");
                    }
                    miner.tables.ended(name, computed.err().map(|error| error.to_string()));
                });
            }
        }
        MinerError::Refused {
            code: Code::Unavailable,
            reason: NOT_COMMITTED,
            message: format!("the commitments of {name} are being computed"),
            advice: "ask again later",
        }
    }
}

async fn compute(miner: &Arc<Miner>, kept: Kept) -> Result<(), MinerError> {
    let turn = Arc::clone(&miner.tables.turn).acquire_owned().await;
    let turn = turn.map_err(|error| MinerError::Lost(error.to_string()))?;
    let miner = Arc::clone(miner);
    blocking(move || {
        let shelf = &kept.store.shelf;
        let stat = shelf.stat(&Address::Blake3(kept.name.0))?;
        let directory = ObjectDirectory::open(&kept.store.directory)?;
        commit_table(&directory, shelf, &stat, (&miner.machine, &Control::default(), &()))?;
        drop(turn);
        Ok::<_, Failure>(())
    })
    .await??;
    Ok(())
}
