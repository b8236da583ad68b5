//! Blinding keys and scalars (commitment-v1 §4).

use std::fmt;

use ark_bls12_381::Fr;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Replica;
use super::scalars::wide_scalar;
use crate::transcript::Context;

/// Bytes of a blinding key.
pub const BLINDING_KEY_BYTES: usize = 32;

/// What the blinding scalars of a replica are derived from: known to the miner and the checker. Zeroized on drop and
/// never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct BlindingKey([u8; BLINDING_KEY_BYTES]);

impl BlindingKey {
    /// The key that everybody knows: commitments under it are *unblinded* and let anybody test a guess of a block.
    pub const PUBLIC: BlindingKey = BlindingKey([0; BLINDING_KEY_BYTES]);

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; BLINDING_KEY_BYTES]) -> BlindingKey {
        BlindingKey(bytes)
    }

    /// A fresh key.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn random() -> Result<BlindingKey, getrandom::Error> {
        let mut key = BlindingKey::PUBLIC;
        getrandom::fill(&mut key.0)?;
        Ok(key)
    }

    /// Its bytes, for the files that hold it.
    pub fn as_bytes(&self) -> &[u8; BLINDING_KEY_BYTES] {
        &self.0
    }

    /// r_i: the blinding scalar of block `block`.
    pub fn scalar(&self, replica: &Replica, block: u64) -> Fr {
        let numbers = [replica.length, replica.replica_id, block].map(u64::to_le_bytes);
        let parts = [&self.0[..], &replica.object_root, numbers.as_flattened()];
        wide_scalar(&mut Context::BLINDING.stream(&parts))
    }
}

impl fmt::Debug for BlindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindingKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::AdditiveGroup;

    /// Everything that is bound changes the scalar, so no two blocks of anything share one.
    #[test]
    fn scalars_depend_on_key_and_place() {
        let replica = |root, length, id| Replica::new([root; 32], length, id).unwrap();
        let (key, place) = (BlindingKey::from_bytes([1; 32]), replica(2, 3, 4));
        let scalars = [
            key.scalar(&place, 5),
            key.scalar(&place, 6),
            BlindingKey::PUBLIC.scalar(&place, 5),
            key.scalar(&replica(3, 3, 4), 5),
            key.scalar(&replica(2, 4, 4), 5),
            key.scalar(&replica(2, 3, 5), 5),
            Fr::ZERO,
        ];
        for (i, scalar) in scalars.iter().enumerate() {
            assert!(!scalars[i + 1..].contains(scalar), "scalar {i}");
        }
        assert_eq!(key.clone().scalar(&place, 5), scalars[0]);
    }

    #[test]
    fn keys_are_not_shown_and_fresh_ones_differ() {
        let key = BlindingKey::from_bytes([0xab; 32]);
        assert!(!format!("{key:?}").contains("ab, ab") && !format!("{key:?}").contains("171"));
        assert_ne!(BlindingKey::random(), BlindingKey::random());
        assert_ne!(BlindingKey::random(), Ok(BlindingKey::PUBLIC));
    }
}
