//! What is anchored of rounds: all promises that came in time. They are kept before their root is recorded, so that it can be shown
//! for ever which they were: promises of seal audits come later than the anchor, and blocks may be replaced.

use holdfast_engine::receipt::{AnchoredPairs, PAIR_BYTES};
use serde::{Deserialize, Serialize};

use super::ValidatorError;
use super::receipts::Chains;
use crate::index::lease::Lease;
use crate::index::{Changes, Index, KeyRange, Table, TypedTable};

/// Pairs, by (2, height) and number of the row. The first row is written last.
const PAIRS: TypedTable<((u8, u64), u32), PairsRow> = TypedTable::new(Table::Rounds);
const TAG: u8 = 2;
/// Pairs in one row: 2 MiB of hex.
const PAIRS_IN_ROW: usize = 1 << 14;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairsRow {
    /// Hash of the block that was asked with.
    #[serde(with = "hex::serde")]
    beacon: [u8; 32],
    /// How many rows there are.
    rows: u32,
    /// In hex, one after the other.
    pairs: String,
}

/// What is, or was to be, anchored of a round.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Hash of the block that was asked with.
    pub beacon: [u8; 32],
    /// The pairs.
    pub pairs: AnchoredPairs,
}

/// Keeps the pairs of a round in place of those before.
///
/// # Errors
/// [`ValidatorError::NotInCharge`]; those of the index.
pub async fn keep(chains: &Chains, lease: &Lease, height: u64, kept: &Kept) -> Result<(), ValidatorError> {
    let pairs = kept.pairs.pairs();
    let count = pairs.len().div_ceil(PAIRS_IN_ROW).max(1);
    let rows = u32::try_from(count).unwrap_or(u32::MAX);
    for number in (0..rows).rev() {
        let part = pairs.chunks(PAIRS_IN_ROW).nth(number as usize).unwrap_or_default();
        let row = PairsRow { beacon: kept.beacon, rows, pairs: hex::encode(part.as_flattened()) };
        let mut changes = Changes::new();
        PAIRS.put(&mut changes, &((TAG, height), number), &row)?;
        chains.commit(Some(lease), changes).await?;
    }
    Ok(())
}

/// What is kept of a round; `None` if that is nothing, or not all.
///
/// # Errors
/// Those of the index.
pub async fn kept(index: &dyn Index, height: u64) -> Result<Option<Kept>, ValidatorError> {
    let rows = PAIRS.scan(index, &PAIRS.prefix(&(TAG, height)), usize::MAX).await?;
    let Some(first) = rows.first().map(|row| row.value.clone()) else { return Ok(None) };
    let of_first = rows.iter().zip(0..first.rows).filter(|(row, number)| {
        row.key.1 == *number && row.value.beacon == first.beacon && row.value.rows == first.rows
    });
    let parts: Vec<&str> = of_first.map(|(row, _)| row.value.pairs.as_str()).collect();
    if parts.len() != first.rows as usize {
        return Ok(None);
    }
    let damaged = |detail: String| ValidatorError::Damaged { what: "what was anchored of a round", detail };
    let bytes = hex::decode(parts.concat()).map_err(|error| damaged(error.to_string()))?;
    let (pairs, rest) = bytes.as_chunks::<PAIR_BYTES>();
    if !rest.is_empty() {
        return Err(damaged(format!("{} bytes after the last pair", rest.len())));
    }
    let split = |pair: &[u8; PAIR_BYTES]| {
        let (mut seed, mut digest) = ([0; 32], [0; 32]);
        seed.copy_from_slice(&pair[..32]);
        digest.copy_from_slice(&pair[32..]);
        (seed, digest)
    };
    let pairs = AnchoredPairs::new(pairs.iter().map(split));
    let pairs = pairs.map_err(|rejection| damaged(rejection.to_string()))?;
    Ok(Some(Kept { beacon: first.beacon, pairs }))
}

/// The heights in a range of which something is kept, in their order; at most so many.
///
/// # Errors
/// Those of the index.
pub async fn heights(
    index: &dyn Index,
    first: u64,
    last: u64,
    most: usize,
) -> Result<Vec<u64>, ValidatorError> {
    let mut range: KeyRange = PAIRS.between(&((TAG, first), 0), &((TAG, last.saturating_add(1)), 0));
    let mut found = Vec::new();
    while found.len() < most {
        let row = index.scan(Table::Rounds, &range, 1).await?;
        let Some((key, _)) = row.first() else { break };
        let ((_, height), _) = <((u8, u64), u32) as crate::index::Key>::from_bytes(key).map_err(|error| {
            ValidatorError::Damaged { what: "what was anchored of a round", detail: error.to_string() }
        })?;
        found.push(height);
        range = PAIRS.between(&((TAG, height.saturating_add(1)), 0), &((TAG, last.saturating_add(1)), 0));
    }
    Ok(found)
}
