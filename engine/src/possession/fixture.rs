//! What tests of possession share.

use super::Replica;
use super::challenge::{Ask, AuditKind, Form, ObjectChallenge, ObjectTerms};
use super::commitment_table::CommitmentTable;
use super::link::HeldBlock;
use super::record::{ObjectRecord, TokenList};
use crate::reference::possession::commitments;
use crate::rejection::{Class, Rejection};
use crate::signature::Signer;
use crate::tree::{BLOCK_BYTES, Outboard};

/// The blinding key of [`Held`].
pub(super) const KEY: [u8; 32] = [9; 32];

pub(super) fn class<T>(result: Result<T, Rejection>) -> Option<Class> {
    result.err().map(|refused| refused.class)
}

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

/// Challenges as a hostile validator makes them of a right one: of a longer object, of another kind, under another record.
pub(super) fn challenges_of_something_else(right: &ObjectChallenge) -> Vec<ObjectChallenge> {
    let root = *right.replica.object_root();
    let longer = Replica::new(root, right.replica.length() + (1 << 40), right.replica.replica_id()).unwrap();
    let terms = [
        ObjectTerms { replica: longer, ..(**right).clone() },
        ObjectTerms { kind: AuditKind::Possession, ..(**right).clone() },
        ObjectTerms { record_digest: [1; 32], ..(**right).clone() },
    ];
    terms.map(|terms| ObjectChallenge::new(terms).unwrap()).to_vec()
}

/// An object that a miner holds, with its table.
pub(super) struct Held {
    pub(super) object: Vec<u8>,
    pub(super) outboard: Outboard,
    pub(super) table: CommitmentTable,
    pub(super) record: ObjectRecord,
}

impl Held {
    /// [`bytes`] of this length.
    pub(super) fn new(length: usize) -> Held {
        let object = bytes(length);
        let outboard = Outboard::of(&object);
        let table = CommitmentTable::of_points(&commitments(&KEY, &object, 7));
        let record = ObjectRecord { table_root: Some(table.root()), ..record(length) };
        Held { object, outboard, table, record }
    }

    /// Puts another table in its place, as a colluding checker would.
    pub(super) fn set_table(&mut self, table: CommitmentTable) {
        self.record.table_root = Some(table.root());
        self.table = table;
    }

    pub(super) fn challenge(&self, kind: AuditKind, samples: u32) -> ObjectChallenge {
        self.challenge_at(108, kind, samples)
    }

    pub(super) fn challenge_at(&self, height: u64, kind: AuditKind, samples: u32) -> ObjectChallenge {
        let validator = Signer::development("validator").account();
        let ask = Ask { kind, samples, deadline_ms: 5000, form: Form::Plain };
        ObjectChallenge::of(&self.record, validator, ([3; 32], height), ask).unwrap()
    }

    pub(super) fn open_chunks(&self, chunks: &[u64]) -> Vec<Vec<u8>> {
        chunks.iter().map(|chunk| self.outboard.open(&self.object, *chunk)).collect()
    }

    pub(super) fn read_blocks(&self, blocks: &[u64]) -> Vec<HeldBlock> {
        let read = |block: &u64| {
            let start = usize::try_from(*block).unwrap() * BLOCK_BYTES;
            let end = (start + BLOCK_BYTES).min(self.object.len());
            HeldBlock { bytes: self.object[start..end].to_vec(), path: self.outboard.path(*block) }
        };
        blocks.iter().map(read).collect()
    }
}
