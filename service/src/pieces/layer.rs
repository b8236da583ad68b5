//! The outer layer: what makes the pieces of equal shards different (pieces-v1 §5).

use std::fmt;

use holdfast_engine::keystream::Keystream;
use holdfast_engine::transcript::Context;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{PieceId, Policy};

/// The secret of one ciphertext from which the outer layers of all its pieces follow. Whoever has it can make lost pieces
/// anew, and cannot read the file. One secret serves one ciphertext: a file that is encrypted anew gets another one.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PlacementSecret(pub(super) [u8; 32]);

/// Says nothing of the secret.
impl fmt::Debug for PlacementSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PlacementSecret")
    }
}

impl PlacementSecret {
    /// A fresh one of the system's random source.
    ///
    /// # Errors
    /// The source has nothing to give.
    pub fn generate() -> Result<PlacementSecret, getrandom::Error> {
        let mut secret = PlacementSecret([0; 32]);
        getrandom::fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Its 32 bytes, to be kept where only those who repair can read them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of its 32 bytes, as a manifest has them.
    pub fn of_bytes(bytes: [u8; 32]) -> PlacementSecret {
        PlacementSecret(bytes)
    }
}

/// The keystream of one piece. Applying it puts the layer on or takes it off.
pub(super) struct Layer(Keystream);

impl Layer {
    /// At the beginning of the piece.
    pub(super) fn new(secret: &PlacementSecret, policy: Policy, piece: PieceId) -> Layer {
        let parts: [&[u8]; 7] = [
            &secret.0,
            &policy.segment_bytes().to_le_bytes(),
            &[policy.data_shards()],
            &[policy.shards()],
            &piece.segment.to_le_bytes(),
            &[piece.shard],
            &piece.generation.to_le_bytes(),
        ];
        let key = Zeroizing::new(Context::PIECE_LAYER.derive(&parts));
        Layer(Keystream::new(&key))
    }

    /// Goes to a byte of the piece.
    pub(super) fn seek(&mut self, byte: u64) {
        self.0.seek(byte);
    }

    /// To the next bytes of the piece or of the shard.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply(bytes);
    }
}
