//! Commitment tables, computed when somebody first asks for them, one object at a time: it takes all cores for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::account::Account;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::object::Address;
use holdfast_partition::objects::ObjectName;
use tokio::sync::Semaphore;
use tonic::Code;

use super::catalogue::Kept;
use super::limits::fair_share;
use super::{Miner, MinerError, blocking};
use crate::local::committing::commit_table;
use crate::local::failure::Failure;
use crate::local::objects::ObjectDirectory;
use crate::validator::peers::NOT_COMMITTED;

/// Objects whose tables may wait to be computed; divided among the validators that have them here.
const WAITING_MAX: usize = 1024;

/// Which tables are being computed, or wait for it, and what went wrong with others.
#[derive(Debug)]
pub(super) struct Tables {
    state: Mutex<HashMap<ObjectName, Wanted>>,
    turn: Arc<Semaphore>,
}

#[derive(Debug)]
struct Wanted {
    validator: Account,
    /// Why it could not be computed.
    error: Option<String>,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables { state: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Tables {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, Wanted>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a table is wanted. True if nobody computes it yet; an error says what went wrong the last time, once.
    fn want(&self, name: ObjectName, validator: Account, validators: usize) -> Result<bool, MinerError> {
        let mut state = self.lock();
        match state.get(&name) {
            Some(Wanted { error: None, .. }) => return Ok(false),
            Some(Wanted { error: Some(_), .. }) => {
                let why = state.remove(&name).and_then(|wanted| wanted.error).unwrap_or_default();
                tracing::warn!(%name, why, "a table is asked for again that could not be computed");
                return Err(MinerError::Lost(why));
            }
            None => {}
        }
        let waiting = state.values().filter(|wanted| wanted.validator == validator).count();
        if waiting >= fair_share(WAITING_MAX, validators) {
            return Err(MinerError::busy(format!(
                "{waiting} objects of {validator} wait to be committed to"
            )));
        }
        state.insert(name, Wanted { validator, error: None });
        Ok(true)
    }

    fn ended(&self, name: ObjectName, error: Option<String>) {
        let mut state = self.lock();
        match (error, state.get_mut(&name)) {
            (Some(error), Some(wanted)) => wanted.error = Some(error),
            _ => drop(state.remove(&name)),
        }
    }
}

impl Miner {
    /// Begins to compute the table of an object, unless that goes on already. Always says that it is not there yet, or why
    /// it could not be computed.
    pub(super) fn compute_table(self: &Arc<Miner>, kept: Kept) -> MinerError {
        let name = kept.name;
        match self.tables.want(name, kept.store.validator, self.shares.validator_count()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever never asks again leaves entries behind, and none of them may be in the way of another validator's.
    #[test]
    fn tables_of_one_validator_leave_places_for_anothers() {
        let tables = Tables::default();
        let [one, other] = [1, 2].map(|seed| Account([seed; 32]));
        let name = |number: usize| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&number.to_le_bytes());
            ObjectName(name)
        };
        for number in 0..WAITING_MAX / 2 {
            assert!(tables.want(name(number), one, 2).expect("has a place"));
            tables.ended(name(number), Some("a reason".to_owned()));
        }
        assert!(tables.want(name(WAITING_MAX), one, 2).is_err(), "has all that are its own");
        assert!(tables.want(name(WAITING_MAX + 1), other, 2).expect("has a place"));
        // Why it failed is told once, and then it is tried again.
        assert!(tables.want(name(0), one, 2).is_err());
        assert!(tables.want(name(0), one, 2).expect("is tried again"));
        tables.ended(name(0), None);
        assert!(tables.want(name(0), one, 2).expect("is wanted anew"));
    }
}
