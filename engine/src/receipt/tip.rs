//! Where a chain stands, for all who continue it: who verifies it, and who signs its next link (receipt-v1 §3).

use std::collections::HashMap;

use super::{Body, ChainKey, Receipt, RoundKind};
use crate::rejection::{Class, Rejection};
use crate::signature::{Signer, verify};

/// The end of one chain. A party that starts anew follows the receipts that it kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTip {
    network: [u8; 32],
    key: ChainKey,
    digest: [u8; 32],
    last_heights: HashMap<RoundKind, u64>,
}

impl ChainTip {
    /// Before the first link.
    pub fn new(network: [u8; 32], key: ChainKey) -> ChainTip {
        ChainTip { network, key, digest: [0; 32], last_heights: HashMap::new() }
    }

    /// Where [`ChainTip::digest`] and [`ChainTip::last_heights`] of an earlier one left off.
    pub fn resume(
        network: [u8; 32],
        key: ChainKey,
        digest: [u8; 32],
        last_heights: impl IntoIterator<Item = (RoundKind, u64)>,
    ) -> ChainTip {
        ChainTip { network, key, digest, last_heights: last_heights.into_iter().collect() }
    }

    /// Height of the last body of each kind, in the order of the kinds' numbers.
    pub fn last_heights(&self) -> Vec<(RoundKind, u64)> {
        let last = |kind| Some((kind, *self.last_heights.get(&kind)?));
        RoundKind::ALL.into_iter().filter_map(last).collect()
    }

    /// Digest of the last body: what the next one must name.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Moves on to the next body.
    ///
    /// Refused: `wrong-challenge` (of another chain), `broken-chain` (it does not follow the last body, or time).
    pub fn follow(&mut self, body: &Body) -> Result<(), Rejection> {
        if body.key != self.key {
            return Err(Class::WrongChallenge.because("a receipt of another chain"));
        }
        if body.previous != self.digest {
            let (named, expected) = (hex::encode(body.previous), hex::encode(self.digest));
            return Err(
                Class::BrokenChain.because(format!("it follows {named}, but the body before is {expected}"))
            );
        }
        if let Some(last) = self.last_heights.get(&body.kind).filter(|last| **last >= body.height) {
            let (height, kind) = (body.height, body.kind.name());
            return Err(Class::BrokenChain.because(format!("{kind} round {height} after round {last}")));
        }
        self.digest = body.digest(&self.network);
        self.last_heights.insert(body.kind, body.height);
        Ok(())
    }

    /// The miner's way to sign: only what the validator signed, and only the next link or once more the last one. So nobody
    /// gets two signatures that are evidence against it, whatever it is sent. Missed rounds are followed and not signed.
    ///
    /// That seed and response digest are those of the round, and that its block is final, is for the miner to look at.
    ///
    /// Refused: `bad-signature`, and as [`ChainTip::follow`].
    pub fn countersign(&mut self, receipt: &Receipt, miner: &Signer) -> Result<Receipt, Rejection> {
        let (body, network) = (&receipt.body, self.network);
        verify(&body.key.validator, &body.signing_digest(&network), &receipt.validator_signature)?;
        if body.key != self.key || body.digest(&network) != self.digest {
            self.follow(body)?;
        }
        Ok(receipt.countersign(&network, miner))
    }
}
