//! Equivocations: two signed bodies for one place of a chain, found among receipts that others show, and kept (receipt-v1 §5).

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{Culprits, Evidence, Receipt, find_equivocation};

use super::ValidatorError;
use super::store::{EVIDENCE, EvidenceRow};
use crate::index::{Changes, Index};

/// Equivocations that are kept of one look: one is enough, and more are more of the same.
const KEPT_MAX: usize = 64;

/// Looks for equivocations among receipts of any chains, in any order, and keeps those that are found. Receipts that nobody signed
/// show nothing. Gives how many there are.
///
/// # Errors
/// Those of the index.
pub async fn keep_evidence(
    index: &dyn Index,
    network: &[u8; 32],
    receipts: &[Receipt],
) -> Result<usize, ValidatorError> {
    let found = find_equivocation(network, receipts);
    let mut changes = Changes::new();
    for evidence in found.iter().take(KEPT_MAX) {
        // What was found is signed by one party at least.
        let Ok(Culprits { validator, miner }) = evidence.verify() else { continue };
        for culprit in validator.into_iter().chain(miner) {
            let row = EvidenceRow { evidence: hex::encode(evidence.encode()), validator, miner };
            EVIDENCE.put(&mut changes, &(2, culprit, number(evidence)), &row)?;
            tracing::error!(%culprit, "an equivocation is shown: two signed bodies for one round");
        }
    }
    if !changes.is_empty() {
        index.commit(changes).await?;
    }
    Ok(found.len())
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
