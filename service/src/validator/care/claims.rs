//! Whose the bytes are that miners have: each is one piece of one file.
//!
//! Two files with one piece would have two records of which the miner keeps one, and releasing one would delete the other's: the miner
//! would fail audits through no fault of its own. So what is claimed is not taken into care again.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};
use tonic::Code;

use super::CareError;
use super::rows::HeldPiece;
use crate::index::{Table, TypedTable, Work};
use crate::validator::ValidatorError;

/// What a miner has, by (number, miner) and root.
type MinerKey = ((u8, Account), [u8; 32]);

/// What miners have for files in care.
const CLAIMS: TypedTable<MinerKey, ClaimRow> = TypedTable::new(Table::Objects);
/// What they have and are to delete, because it was made anew elsewhere.
pub(super) const REPLACED: TypedTable<MinerKey, ReplacedRow> = TypedTable::new(Table::Objects);

/// First part of the keys of [`REPLACED`], and of whatever comes after them.
pub(super) const REPLACED_KEYS: (u8, u8) = (4, 5);

/// That a miner's bytes are a piece of a file in care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimRow {
    /// Of the file, in seconds since 1970. The claim stands until the bytes are deleted or given up: else whoever claims them next would
    /// lose them to the deletion of the file before.
    expires_at: u64,
}

/// A piece that counts no more, and is claimed until it is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplacedRow {
    pub(super) length_bytes: u64,
    /// Then its miner is told to delete it at the earliest, in seconds since 1970: no question about it is open any more.
    pub(super) delete_from: u64,
    /// Then it is gone anyway, in seconds since 1970.
    pub(super) expires_at: u64,
}

impl HeldPiece {
    /// Claims the piece for a file that expires then, when the work is committed.
    ///
    /// # Errors
    /// [`CareError::Refused`] if it is claimed already.
    pub(super) async fn claim(&self, work: &Work<'_>, expires_at: u64) -> Result<(), CareError> {
        let key = claim_key(&self.miner, &self.root);
        if CLAIMS.read(work, &key).await?.is_some() {
            return Err(CareError::Refused {
                code: Code::AlreadyExists,
                reason: "in-care",
                message: format!("{} has {} for a file in care already", self.miner, hex::encode(self.root)),
                advice: CLAIMED_ADVICE,
            });
        }
        Ok(CLAIMS.write(work, &key, &ClaimRow { expires_at })?)
    }

    /// Has the piece deleted some time after the work is committed.
    pub(super) fn delete_later(&self, work: &Work<'_>, row: &ReplacedRow) -> Result<(), ValidatorError> {
        Ok(REPLACED.write(work, &((REPLACED_KEYS.0, self.miner), self.root), row)?)
    }
}

/// What to do about bytes that are in care already.
pub(super) const CLAIMED_ADVICE: &str = "encrypt the file anew; or release the one that is here, and wait some minutes until its pieces are deleted";

/// A miner has deleted the bytes of this root, or is out of reach for good.
pub(super) fn unclaim(work: &Work<'_>, miner: &Account, root: &[u8; 32]) {
    CLAIMS.remove(work, &claim_key(miner, root));
}

fn claim_key(miner: &Account, root: &[u8; 32]) -> MinerKey {
    ((2, *miner), *root)
}
