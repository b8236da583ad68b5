//! Challenges of objects: what is asked, and its expansion to blocks and chunks (possession-v1 §1–§2).

use std::num::NonZeroU64;
use std::ops::Deref;

use super::Replica;
use super::record::ObjectRecord;
use super::scalars::coefficient;
use crate::account::Account;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;
use crate::tree::chunk_count;

/// Bytes of a challenge of an object.
pub const OBJECT_CHALLENGE_BYTES: usize = 248;
/// Most samples of such a challenge.
pub const OBJECT_SAMPLES_MAX: u32 = 1 << 16;

const TAG: &[u8; 4] = b"HFQ2";
/// Samples, deadline and form are policy and do not enter the seed.
const SEED_BYTES: usize = 232;

/// What a challenge of an object asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditKind {
    /// A zero-knowledge proof over whole blocks.
    Possession = 3,
    /// Chunks of the ciphertext.
    Chunks = 4,
    /// Blocks, and that their commitments are those of the table.
    Link = 5,
    /// A keyed hash of all bytes.
    Whole = 6,
}

impl AuditKind {
    /// All kinds.
    pub const ALL: [AuditKind; 4] =
        [AuditKind::Possession, AuditKind::Chunks, AuditKind::Link, AuditKind::Whole];

    /// The kind of this number; refuses others as `malformed`.
    pub fn of_number(number: u8) -> Result<AuditKind, Rejection> {
        let found = AuditKind::ALL.into_iter().find(|kind| *kind as u8 == number);
        found.ok_or_else(|| {
            Class::Malformed.because(format!("kind {number} is no audit of an object (3 to 6)"))
        })
    }

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            AuditKind::Possession => "possession",
            AuditKind::Chunks => "chunks",
            AuditKind::Link => "link",
            AuditKind::Whole => "whole",
        }
    }

    /// Whether an object with this record can answer it.
    pub fn is_answered_by(self, record: &ObjectRecord) -> bool {
        match self {
            AuditKind::Possession | AuditKind::Link => record.table_root.is_some(),
            AuditKind::Chunks => true,
            AuditKind::Whole => record.tokens.is_some(),
        }
    }

    /// Whether an object is audited in this way at the block with this beacon; one in `one_in` is. Everybody can tell, and
    /// nobody earlier than the beacon.
    pub fn falls_on(self, beacon: &[u8; 32], record_digest: &[u8; 32], one_in: NonZeroU64) -> bool {
        let mut word = [0; 8];
        Context::OBJECT_AUDIT.stream(&[&[self as u8], beacon, record_digest]).fill(&mut word);
        u64::from_le_bytes(word).checked_mul(one_in.get()).is_some()
    }
}

/// How long the response to a possession challenge is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// All scalars.
    #[default]
    Plain = 0,
    /// The scalars folded six times.
    Compressed = 1,
}

impl Form {
    /// The form of this number; refuses others as `malformed`.
    pub fn of_number(number: u8) -> Result<Form, Rejection> {
        match number {
            0 => Ok(Form::Plain),
            1 => Ok(Form::Compressed),
            other => {
                Err(Class::Malformed.because(format!("form {other}; there are 0 (plain) and 1 (compressed)")))
            }
        }
    }
}

/// The fields of a challenge of an object, in the order of the format, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectTerms {
    /// What is asked for.
    pub kind: AuditKind,
    /// Height of the block whose beacon this is.
    pub height: u64,
    /// The object and which copy of it.
    pub replica: Replica,
    /// What nobody knew before.
    pub beacon: [u8; 32],
    /// The network.
    pub network: [u8; 32],
    /// Who asks.
    pub validator: Account,
    /// Who answers.
    pub miner: Account,
    /// Digest of the object's record.
    pub record_digest: [u8; 32],
    /// k: blocks (possession, link) or chunks to show, where there are as many; 1 for `whole`.
    pub samples: u32,
    /// Time to answer in milliseconds.
    pub deadline_ms: u32,
    /// Form of the response.
    pub form: Form,
}

/// What a validator chooses about a challenge, within its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is asked for.
    pub kind: AuditKind,
    /// k.
    pub samples: u32,
    /// Time to answer in milliseconds.
    pub deadline_ms: u32,
    /// Form of the response.
    pub form: Form,
}

/// A challenge of an object whose fields are in range, so that it can be expanded. They are read through
/// [`ObjectTerms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChallenge(ObjectTerms);

impl Deref for ObjectChallenge {
    type Target = ObjectTerms;

    fn deref(&self) -> &ObjectTerms {
        &self.0
    }
}

impl ObjectChallenge {
    /// Checks ranges: 1 to 2^16 samples, one for `whole`; a form other than plain for `possession` only.
    ///
    /// Refused: `malformed`.
    pub fn new(terms: ObjectTerms) -> Result<ObjectChallenge, Rejection> {
        let ObjectTerms { kind, samples, form, .. } = terms;
        let most = if kind == AuditKind::Whole { 1 } else { OBJECT_SAMPLES_MAX };
        if !(1..=most).contains(&samples) {
            return Err(Class::Malformed.because(format!("{samples} samples of kind {}", kind.name())));
        }
        if form != Form::Plain && kind != AuditKind::Possession {
            return Err(Class::Malformed.because(format!("a compressed response of kind {}", kind.name())));
        }
        Ok(ObjectChallenge(terms))
    }

    /// The challenge of an object at the block with this beacon.
    ///
    /// Refused: as [`ObjectChallenge::new`]; `wrong-challenge` if the record says that the object cannot answer it.
    pub fn of(
        record: &ObjectRecord,
        validator: Account,
        (beacon, height): ([u8; 32], u64),
        ask: Ask,
    ) -> Result<ObjectChallenge, Rejection> {
        let Ask { kind, samples, deadline_ms, form } = ask;
        check_answerable(kind, record)?;
        ObjectChallenge::new(ObjectTerms {
            kind,
            height,
            replica: record.replica,
            beacon,
            network: record.network,
            validator,
            miner: record.miner,
            record_digest: record.digest(),
            samples,
            deadline_ms,
            form,
        })
    }

    /// The 248 bytes.
    pub fn encode(&self) -> [u8; OBJECT_CHALLENGE_BYTES] {
        let fields: [&[u8]; 16] = [
            TAG,
            &[self.kind as u8, 0, 0, 0],
            &self.height.to_le_bytes(),
            &self.replica.length.to_le_bytes(),
            &self.replica.replica_id.to_le_bytes(),
            &[0; 8],
            &self.beacon,
            &self.network,
            &self.validator.0,
            &self.miner.0,
            &self.record_digest,
            &self.replica.object_root,
            &self.samples.to_le_bytes(),
            &self.deadline_ms.to_le_bytes(),
            &[self.form as u8],
            &[0; 7],
        ];
        let mut bytes = [0; OBJECT_CHALLENGE_BYTES];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads exactly 248 bytes.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<ObjectChallenge, Rejection> {
        let mut reader = Reader::exactly("object challenge", bytes, OBJECT_CHALLENGE_BYTES)?;
        ObjectChallenge::read(&mut reader)
    }

    /// Reads a challenge at the front of another structure.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn read(reader: &mut Reader<'_>) -> Result<ObjectChallenge, Rejection> {
        reader.tag(TAG)?;
        let kind = AuditKind::of_number(reader.byte()?)?;
        reader.zeros::<3>()?;
        let (height, length, replica_id) = (reader.u64()?, reader.u64()?, reader.u64()?);
        reader.zeros::<8>()?;
        let (beacon, network) = (reader.array()?, reader.array()?);
        let (validator, miner) = (Account(reader.array()?), Account(reader.array()?));
        let record_digest = reader.array()?;
        let replica = Replica::new(reader.array()?, length, replica_id)?;
        let (samples, deadline_ms) = (reader.u32()?, reader.u32()?);
        let form = Form::of_number(reader.byte()?)?;
        reader.zeros::<7>()?;
        ObjectChallenge::new(ObjectTerms {
            kind,
            height,
            replica,
            beacon,
            network,
            validator,
            miner,
            record_digest,
            samples,
            deadline_ms,
            form,
        })
    }

    /// What the places are drawn from.
    pub fn seed(&self) -> [u8; 32] {
        Context::CHALLENGE_SEED.derive(&[&self.encode()[..SEED_BYTES]])
    }

    /// What a response names.
    pub fn digest(&self) -> [u8; 32] {
        Context::CHALLENGE_DIGEST.derive(&[&self.encode()])
    }

    /// Checks that this is a challenge of the object with this record, which can answer it.
    ///
    /// Refused: `wrong-challenge`.
    pub fn check_place(&self, record: &ObjectRecord) -> Result<(), Rejection> {
        check_answerable(self.kind, record)?;
        let same = [
            ("object", self.replica.object_root == record.replica.object_root),
            ("length", self.replica.length == record.replica.length),
            ("replica id", self.replica.replica_id == record.replica.replica_id),
            ("network", self.network == record.network),
            ("miner", self.miner == record.miner),
            ("record digest", self.record_digest == record.digest()),
        ];
        match same.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((what, _)) => {
                Err(Class::WrongChallenge
                    .because(format!("the challenge has another {what} than the record")))
            }
        }
    }

    /// Checks that this is a challenge of the object with this record, and that with the network's finality depth the
    /// record was final when the beacon came.
    ///
    /// Refused: `wrong-challenge`, `not-final`.
    pub fn check_against(&self, record: &ObjectRecord, finality_blocks: u64) -> Result<(), Rejection> {
        self.check_place(record)?;
        let since = record.height.saturating_add(finality_blocks);
        if self.height < since {
            let height = self.height;
            return Err(Class::NotFinal.because(format!("challenged at height {height}, before {since}")));
        }
        Ok(())
    }

    /// k as a count of things in memory; at most 2^16.
    pub(crate) fn sample_count(&self) -> usize {
        self.samples as usize
    }

    /// The blocks of a possession challenge in drawn order; none for other kinds.
    pub fn possession_blocks(&self) -> Vec<u64> {
        if self.kind != AuditKind::Possession {
            return Vec::new();
        }
        self.draw(Context::POSSESSION_BLOCKS, self.replica.blocks())
    }

    /// ρ: a coefficient for each of the [`ObjectChallenge::possession_blocks`], in their order.
    pub fn possession_coefficients(&self) -> Vec<u128> {
        if self.kind != AuditKind::Possession {
            return Vec::new();
        }
        let mut stream = Context::POSSESSION_COEFFICIENTS.stream(&[&self.seed()]);
        (0..self.count_below(self.replica.blocks())).map(|_| coefficient(&mut stream)).collect()
    }

    /// The chunks of a chunks challenge in the order of the response, the last chunk at the end; none for other kinds.
    pub fn chunks(&self) -> Vec<u64> {
        if self.kind != AuditKind::Chunks {
            return Vec::new();
        }
        self.draw_and_last(Context::OBJECT_CHUNKS, chunk_count(self.replica.length))
    }

    /// The blocks of a link challenge in the order of the response, the last block at the end; none for other kinds.
    pub fn link_blocks(&self) -> Vec<u64> {
        if self.kind != AuditKind::Link {
            return Vec::new();
        }
        self.draw_and_last(Context::LINK_BLOCKS, self.replica.blocks())
    }

    /// min(k, bound) distinct numbers below `bound`.
    fn draw(&self, context: Context, bound: u64) -> Vec<u64> {
        context.stream(&[&self.seed()]).distinct_below(bound, self.count_below(bound))
    }

    /// min(k, bound).
    fn count_below(&self, bound: u64) -> usize {
        usize::try_from(bound).map_or(self.sample_count(), |bound| bound.min(self.sample_count()))
    }

    /// The same among all but the last one, which comes at the end: a root fixes a length only through it.
    fn draw_and_last(&self, context: Context, count: u64) -> Vec<u64> {
        let mut drawn = self.draw(context, count - 1);
        drawn.push(count - 1);
        drawn
    }
}

fn check_answerable(kind: AuditKind, record: &ObjectRecord) -> Result<(), Rejection> {
    if kind.is_answered_by(record) {
        return Ok(());
    }
    let name = kind.name();
    Err(Class::WrongChallenge
        .because(format!("by its record the object cannot answer audits of kind {name}")))
}

#[cfg(test)]
mod tests;
