//! Who validates, by the newest metagraph that is known.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_engine::account::Account;

/// Accounts with a validator's permit and what is staked on each, in rao. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Validators(Arc<RwLock<BTreeMap<Account, u64>>>);

impl Validators {
    /// These.
    pub fn of(stakes: impl IntoIterator<Item = (Account, u64)>) -> Validators {
        Validators(Arc::new(RwLock::new(stakes.into_iter().collect())))
    }

    /// From now on these and no others.
    pub fn replace(&self, stakes: BTreeMap<Account, u64>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = stakes;
    }

    /// What is staked on a validator; `None` if it is none.
    pub fn stake_rao(&self, account: &Account) -> Option<u64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(account).copied()
    }
}
