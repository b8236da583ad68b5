//! Masks: what hides the combined blocks in a proof (possession-v1 §3).

use std::fmt;

use ark_bls12_381::Fr;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::generators::GENERATORS;
use super::scalars::wide_scalar;
use super::statement::Statement;
use crate::transcript::Context;

/// A miner's secret that keeps its masks secret where the system's randomness is bad. Zeroized on drop and never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DeviceSecret([u8; 32]);

impl DeviceSecret {
    /// The secret of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> DeviceSecret {
        DeviceSecret(bytes)
    }

    /// A fresh secret.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn random() -> Result<DeviceSecret, getrandom::Error> {
        let mut secret = DeviceSecret([0; 32]);
        getrandom::fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Its bytes, for the file that keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// t: a mask for each generator. Other fresh bytes or another challenge make others, and without the secret they look
    /// random.
    pub(super) fn masks(&self, statement: &Statement, fresh: &[u8; 32]) -> Zeroizing<Vec<Fr>> {
        let parts: [&[u8]; 4] = [&self.0, &statement.challenge_digest, &statement.record_digest, fresh];
        let mut stream = Context::POSSESSION_MASK.stream(&parts);
        // No reallocation, which would leave a copy behind.
        let mut masks = Zeroizing::new(Vec::with_capacity(GENERATORS));
        masks.extend((0..GENERATORS).map(|_| wide_scalar(&mut stream)));
        stream.zeroize();
        masks
    }
}

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecret(redacted)")
    }
}
