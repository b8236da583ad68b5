//! Equivocations: two signed bodies for one place of a chain, found among receipts that others show, and kept (receipt-v1 §5).

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{Culprits, Evidence, Receipt, find_equivocation};

use super::ValidatorError;
use super::store::{EVIDENCE, EvidenceRow};
use crate::index::{Changes, Index};

/// Equivocations that are kept of one look: one is enough, and more are more of the same.
const KEPT_MAX: usize = 64;

/// What came of looking for equivocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many there are.
    pub count: usize,
    /// Those that were not known before, one of each culprit.
    pub fresh: Vec<EvidenceRow>,
}

/// Looks for equivocations among receipts of any chains, in any order, and keeps those that are found. Receipts that nobody signed
/// show nothing.
///
/// # Errors
/// Those of the index.
pub async fn keep_evidence(
    index: &dyn Index,
    network: &[u8; 32],
    receipts: &[Receipt],
) -> Result<Found, ValidatorError> {
    let found = find_equivocation(network, receipts);
    let mut fresh = Vec::new();
    let mut changes = Changes::new();
    for evidence in found.iter().take(KEPT_MAX) {
        // What was found is signed by one party at least.
        let Ok(Culprits { validator, miner }) = evidence.verify() else { continue };
        for culprit in validator.into_iter().chain(miner) {
            let row = EvidenceRow { evidence: hex::encode(evidence.encode()), validator, miner };
            let key = (2, culprit, number(evidence));
            if EVIDENCE.get(index, &key).await?.is_none() {
                tracing::error!(%culprit, "an equivocation is shown: two signed bodies for one round");
                EVIDENCE.put(&mut changes, &key, &row)?;
                fresh.push(row);
            }
        }
    }
    if !changes.is_empty() {
        index.commit(changes).await?;
    }
    Ok(Found { count: found.len(), fresh })
}

/// The evidence against an account, or against all.
///
/// # Errors
/// Those of the index.
pub async fn evidence(
    index: &dyn Index,
    culprit: Option<&Account>,
    limit: usize,
) -> Result<Vec<EvidenceRow>, ValidatorError> {
    let range = match culprit {
        Some(culprit) => EVIDENCE.prefix(&(2_u8, *culprit)),
        None => EVIDENCE.prefix(&2_u8),
    };
    Ok(EVIDENCE.scan(index, &range, limit).await?.into_iter().map(|row| row.value).collect())
}

/// Tells evidence apart; the same has the same.
fn number(evidence: &Evidence) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&blake3::hash(&evidence.encode()).as_bytes()[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
