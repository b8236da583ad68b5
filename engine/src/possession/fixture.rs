//! What tests of possession share.

use super::Replica;
use super::record::{ObjectRecord, TokenList};
use crate::signature::Signer;

/// Bytes of no meaning, in which neighbouring blocks differ.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    (5..=250).cycle().take(length).collect()
}

/// A record of [`bytes`] of this length, with a table root and tokens of no meaning.
pub(super) fn record(length: usize) -> ObjectRecord {
    let replica = Replica::new(crate::tree::root(&bytes(length)), length as u64, 7);
    ObjectRecord {
        replica: replica.unwrap(),
        height: 100,
        network: [5; 32],
        miner: Signer::development("miner").account(),
        checker: Signer::development("checker").account(),
        table_root: Some([6; 32]),
        tokens: Some(TokenList::new([7; 32], 3).unwrap()),
    }
}
