//! Records: what a checker signs of an object that it has checked, and what audits refer to (commitment-v1 §6).

use std::collections::HashSet;

use super::Replica;
use crate::account::Account;
use crate::codec::Reader;
use crate::recorder::{Recorder, RecorderError};
use crate::rejection::{Class, Rejection};
use crate::signature::{SIGNATURE_BYTES, Signature, Signer, verify};
use crate::transcript::Context;

/// Bytes of a record without its signature.
pub const RECORD_BYTES: usize = 232;
/// Bytes of a signed record.
pub const SIGNED_RECORD_BYTES: usize = RECORD_BYTES + SIGNATURE_BYTES;
/// Most tokens of a record.
pub const TOKENS_MAX: u64 = 1 << 20;

const TAG: &[u8; 4] = b"HFD1";
/// The only encoding and generators there are.
const ENCODING: u8 = 1;

/// The list of a record's sealed tokens (possession-v1 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenList {
    root: [u8; 32],
    count: u64,
}

impl TokenList {
    /// A list of so many tokens with this root.
    ///
    /// Refused: `malformed` unless there are 1 to 2^20.
    pub fn new(root: [u8; 32], count: u64) -> Result<TokenList, Rejection> {
        if !(1..=TOKENS_MAX).contains(&count) {
            return Err(Class::Malformed.because(format!("a list of {count} tokens, not 1 to 2^20")));
        }
        Ok(TokenList { root, count })
    }

    /// Root of the list.
    pub fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Number of tokens.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// What a miner keeps for an owner, as a checker found it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRecord {
    /// The object and which copy of it.
    pub replica: Replica,
    /// The record was recorded at this height or before.
    pub height: u64,
    /// The network.
    pub network: [u8; 32],
    /// Who keeps the bytes.
    pub miner: Account,
    /// Who checked the table against the bytes.
    pub checker: Account,
    /// Root of the commitment table, if there is one.
    pub table_root: Option<[u8; 32]>,
    /// The sealed tokens, if there are any.
    pub tokens: Option<TokenList>,
}

impl ObjectRecord {
    /// The 232 bytes.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let (token_root, token_count) = self.tokens.map_or(([0; 32], 0), |list| (list.root, list.count));
        let fields: [&[u8]; 12] = [
            TAG,
            &[self.table_root.map_or(0, |_| ENCODING), 0, 0, 0],
            &self.replica.length.to_le_bytes(),
            &self.replica.replica_id.to_le_bytes(),
            &self.height.to_le_bytes(),
            &self.network,
            &self.miner.0,
            &self.checker.0,
            &self.replica.object_root,
            &self.table_root.unwrap_or_default(),
            &token_root,
            &token_count.to_le_bytes(),
        ];
        let mut bytes = [0; RECORD_BYTES];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads a record at the front of another structure.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn read(reader: &mut Reader<'_>) -> Result<ObjectRecord, Rejection> {
        reader.tag(TAG)?;
        let encoding = reader.byte()?;
        reader.zeros::<3>()?;
        let (length, replica_id, height) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let network = reader.array()?;
        let (miner, checker) = (Account(reader.array()?), Account(reader.array()?));
        let replica = Replica::new(reader.array()?, length, replica_id)?;
        let table_root = table_root(encoding, reader.array()?)?;
        let tokens = token_list(reader.array()?, reader.u64()?)?;
        Ok(ObjectRecord { replica, height, network, miner, checker, table_root, tokens })
    }

    /// `derive(object record, bytes)`: how challenges name it.
    pub fn digest(&self) -> [u8; 32] {
        Context::OBJECT_RECORD.derive(&[&self.encode()])
    }

    /// What the checker signs: `derive(object signing, record digest)`.
    pub fn signing_digest(&self) -> [u8; 32] {
        Context::OBJECT_SIGNING.derive(&[&self.digest()])
    }

    /// Signs as the checker, after the store-time check has passed.
    pub fn sign(self, checker: &Signer) -> SignedRecord {
        let signature = checker.sign(&self.signing_digest());
        SignedRecord { record: self, signature }
    }

    /// Checks, for who does not trust the checker alone, that the digest was recorded at the record's height or before.
    ///
    /// Refused: `wrong-record` if it was not.
    ///
    /// # Errors
    /// The recorder fails.
    pub fn check_recorded(&self, recorder: &dyn Recorder) -> Result<Result<(), Rejection>, RecorderError> {
        let height = self.height;
        let refused = |detail| Ok(Err(Class::WrongRecord.because(detail)));
        match recorder.object_height(&self.digest())? {
            Some(recorded) if recorded <= height => Ok(Ok(())),
            Some(recorded) => refused(format!("recorded at height {recorded}; the record says {height}")),
            None => refused(format!("never recorded; the record says by height {height}")),
        }
    }
}

/// Encoding 0 and a zero root say that there is no table.
fn table_root(encoding: u8, root: [u8; 32]) -> Result<Option<[u8; 32]>, Rejection> {
    match (encoding, root == [0; 32]) {
        (0, true) => Ok(None),
        (ENCODING, false) => Ok(Some(root)),
        (0 | ENCODING, _) => Err(Class::Malformed.because("encoding and table root contradict each other")),
        (other, _) => Err(Class::Malformed.because(format!("encoding {other}; there are 0 (none) and 1"))),
    }
}

/// A count of 0 and a zero root say that there are no tokens.
fn token_list(root: [u8; 32], count: u64) -> Result<Option<TokenList>, Rejection> {
    match (count, root == [0; 32]) {
        (0, true) => Ok(None),
        (0, false) => Err(Class::Malformed.because("a token root without tokens")),
        (_, true) => Err(Class::Malformed.because("tokens without a root")),
        (_, false) => TokenList::new(root, count).map(Some),
    }
}

/// A record with its checker's signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignedRecord {
    /// What is signed.
    pub record: ObjectRecord,
    /// The checker's signature over [`ObjectRecord::signing_digest`].
    pub signature: Signature,
}

impl SignedRecord {
    /// The 296 bytes.
    pub fn encode(&self) -> [u8; SIGNED_RECORD_BYTES] {
        let mut bytes = [0; SIGNED_RECORD_BYTES];
        bytes[..RECORD_BYTES].copy_from_slice(&self.record.encode());
        bytes[RECORD_BYTES..].copy_from_slice(&self.signature.0);
        bytes
    }

    /// Reads exactly 296 bytes; the signature is not checked.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<SignedRecord, Rejection> {
        let mut reader = Reader::exactly("object record", bytes, SIGNED_RECORD_BYTES)?;
        let record = ObjectRecord::read(&mut reader)?;
        Ok(SignedRecord { record, signature: Signature(reader.array()?) })
    }

    /// Checks the checker's signature. That the checker is one that is trusted is the caller's to say.
    ///
    /// Refused: `bad-signature`.
    pub fn check_signature(&self) -> Result<(), Rejection> {
        verify(&self.record.checker, &self.record.signing_digest(), &self.signature)
    }
}

/// Checks that no two records are of the same bytes: replicas are distinct only by them.
///
/// Refused: `wrong-record`, with the position of the second.
pub fn refuse_twins<'a>(records: impl IntoIterator<Item = &'a ObjectRecord>) -> Result<(), Rejection> {
    let mut roots = HashSet::new();
    for (i, record) in records.into_iter().enumerate() {
        if !roots.insert(record.replica.object_root) {
            let root = hex::encode(record.replica.object_root);
            return Err(Class::WrongRecord
                .because(format!("record {i} is of the object {root}, which stands before")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
