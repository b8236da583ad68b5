//! What of owners' objects is audited: the border between rounds and the care of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::Outcome;

use super::ValidatorError;

/// What of owners' objects is audited, and what comes of it.
#[async_trait]
pub trait Holdings: Send + Sync + Debug {
    /// Signed records of objects that this miner keeps for this validator.
    ///
    /// # Errors
    /// They cannot be read.
    async fn held(&self, miner: &Account) -> Result<Held, ValidatorError>;

    /// The records alone.
    ///
    /// # Errors
    /// They cannot be read.
    async fn records_of(&self, miner: &Account) -> Result<Vec<SignedRecord>, ValidatorError> {
        Ok(self.held(miner).await?.records)
    }

    /// Miners that hold any.
    ///
    /// # Errors
    /// They cannot be read.
    async fn miners(&self) -> Result<Vec<Account>, ValidatorError>;

    /// An audit of one of them ended, and can no longer be undone by the chain. May come twice after a crash.
    ///
    /// # Errors
    /// It cannot be noted; it comes again.
    async fn audited(
        &self,
        record_digest: &[u8; 32],
        height: u64,
        outcome: Outcome,
    ) -> Result<(), ValidatorError>;

    /// A link audit of one of a miner's records ended: the record is doubted from then on, or no longer; and as long as it has passed none again,
    /// so is each with commitments that the miner is given. May come twice after a crash.
    ///
    /// # Errors
    /// It cannot be noted; it comes again.
    async fn linked(
        &self,
        of: (&Account, &[u8; 32]),
        height: u64,
        passed: bool,
    ) -> Result<(), ValidatorError>;
}

/// What a miner holds for a validator.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The records that audits refer to.
    pub records: Vec<SignedRecord>,
    /// Digests of those that stand for no bytes until they pass a link audit.
    pub doubted: BTreeSet<[u8; 32]>,
}

/// Holdings in memory: of a validator that cares for no files, and of tests.
#[derive(Debug, Default)]
pub struct MemoryHoldings {
    records: Mutex<BTreeMap<Account, Vec<SignedRecord>>>,
    audits: Mutex<Vec<([u8; 32], u64, Outcome)>>,
    doubted: Mutex<BTreeSet<[u8; 32]>>,
}

impl MemoryHoldings {
    /// Adds a record of its miner.
    pub fn add(&self, record: SignedRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.entry(record.record.miner).or_default().push(record);
    }

    /// All audits that ended, in their order.
    pub fn audits(&self) -> Vec<([u8; 32], u64, Outcome)> {
        self.audits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Holdings for MemoryHoldings {
    async fn held(&self, miner: &Account) -> Result<Held, ValidatorError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let records = records.get(miner).cloned().unwrap_or_default();
        let all = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        let digests = records.iter().map(|signed| signed.record.digest());
        let doubted = digests.filter(|digest| all.contains(digest)).collect();
        Ok(Held { records, doubted })
    }

    async fn miners(&self) -> Result<Vec<Account>, ValidatorError> {
        Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect())
    }

    async fn audited(
        &self,
        record_digest: &[u8; 32],
        height: u64,
        outcome: Outcome,
    ) -> Result<(), ValidatorError> {
        let mut audits = self.audits.lock().unwrap_or_else(PoisonError::into_inner);
        audits.push((*record_digest, height, outcome));
        Ok(())
    }

    async fn linked(
        &self,
        (_, record_digest): (&Account, &[u8; 32]),
        _: u64,
        passed: bool,
    ) -> Result<(), ValidatorError> {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = if passed { doubted.remove(record_digest) } else { doubted.insert(*record_digest) };
        Ok(())
    }
}
