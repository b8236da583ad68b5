//! Streams that go out. What waits in one that nobody reads is in memory until its connection ends, so they are counted: for each
//! caller, and for each validator with all the owners of its objects, so that nobody takes the places of another validator's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::account::Account;

use super::fair_share;
use crate::miner::MinerError;

/// Places for streams.
#[derive(Debug)]
pub(in crate::miner) struct Streams {
    open: Mutex<Open>,
    most: usize,
    most_per_caller: usize,
}

#[derive(Debug, Default)]
struct Open {
    /// By validator and caller.
    of_callers: HashMap<(Account, Account), usize>,
    /// Of the owners of a validator's objects. Its own have their places apart, so that its audits find one.
    of_owners: HashMap<Account, usize>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(in crate::miner) struct StreamPlace {
    streams: Arc<Streams>,
    validator: Account,
    caller: Account,
}

impl Streams {
    /// So many of owners in all, divided among the validators, and so many of each caller.
    pub(in crate::miner) fn new(most: usize, most_per_caller: usize) -> Streams {
        Streams { open: Mutex::default(), most, most_per_caller }
    }

    /// Takes a place for what a caller gets of a validator's share, of which there are `validators`.
    ///
    /// # Errors
    /// The caller, or the owners of this validator's objects, have all that are theirs.
    pub(in crate::miner) fn open(
        self: &Arc<Streams>,
        validator: Account,
        caller: Account,
        validators: usize,
    ) -> Result<StreamPlace, MinerError> {
        let mut open = self.lock();
        let of_caller = open.of_callers.get(&(validator, caller)).copied().unwrap_or_default();
        if of_caller >= self.most_per_caller {
            return Err(MinerError::busy(format!("{of_caller} streams to {caller} are open")));
        }
        if validator != caller {
            let of_owners = open.of_owners.entry(validator).or_default();
            if *of_owners >= fair_share(self.most, validators) {
                return Err(MinerError::busy(format!(
                    "{of_owners} streams to owners of objects of {validator} are open"
                )));
            }
            *of_owners += 1;
        }
        open.of_callers.insert((validator, caller), of_caller + 1);
        Ok(StreamPlace { streams: Arc::clone(self), validator, caller })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let (validator, caller) = (self.validator, self.caller);
        let mut open = self.streams.lock();
        leave(&mut open.of_callers, (validator, caller));
        if validator != caller {
            leave(&mut open.of_owners, validator);
        }
    }
}

fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    match counts.get_mut(&key) {
        Some(count @ 2..) => *count -= 1,
        _ => drop(counts.remove(&key)),
    }
}
