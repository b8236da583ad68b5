//! An object with its commitments, a signed record's content, and its answers.

use ark_ec::CurveGroup;
use holdfast_engine::account::Account;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::encode::block_scalars;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::group::over_generators;
use holdfast_engine::possession::mask::DeviceSecret;
use holdfast_engine::possession::prove::Prover;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::tree::BLOCK_BYTES;

/// Height from which challenges come; the record is far older.
const FIRST_HEIGHT: u64 = 1_000;

/// An object, what the miner keeps with it, and what is registered of it.
#[derive(Clone, Debug)]
pub struct TestObject {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What its commitments are blinded with.
    pub key: BlindingKey,
    /// The miner's own secret.
    pub secret: DeviceSecret,
    /// Its table of commitments.
    pub table: CommitmentTable,
    /// What was registered.
    pub record: ObjectRecord,
}

impl TestObject {
    /// An object of so many bytes, other ones for another `seed`, with its honest table.
    pub fn new(length: usize, seed: u8) -> TestObject {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        TestObject::of(bytes, u64::from(seed))
    }

    /// These bytes, as this replica, with their honest table.
    pub fn of(bytes: Vec<u8>, replica_id: u64) -> TestObject {
        let key = BlindingKey::from_bytes([7; 32]);
        let root = *blake3::hash(&bytes).as_bytes();
        let replica = Replica::new(root, bytes.len() as u64, replica_id).expect("short");
        let table = commit(&bytes, &replica, &key);
        let record = ObjectRecord {
            replica,
            height: 10,
            network: [3; 32],
            miner: Account([4; 32]),
            checker: Account([5; 32]),
            table_root: Some(table.root()),
            tokens: None,
        };
        TestObject { bytes, key, secret: DeviceSecret::from_bytes([9; 32]), table, record }
    }

    /// What colluders have in place of the object of a record: other bytes, to which the table that they register commits.
    pub fn in_place_of(record: ObjectRecord, bytes: Vec<u8>) -> TestObject {
        let key = BlindingKey::from_bytes([7; 32]);
        let table = commit(&bytes, &record.replica, &key);
        let record = ObjectRecord { table_root: Some(table.root()), ..record };
        TestObject { bytes, key, secret: DeviceSecret::from_bytes([9; 32]), table, record }
    }

    /// The same object with another table registered, as if a checker had let it pass.
    pub fn with_table(mut self, table: CommitmentTable) -> TestObject {
        self.record.table_root = Some(table.root());
        self.table = table;
        self
    }

    /// A possession challenge of so many blocks; another one each round.
    pub fn challenge(&self, round: u64, samples: u32, form: Form) -> ObjectChallenge {
        let ask = Ask { kind: AuditKind::Possession, samples, deadline_ms: 5_000, form };
        let beacon = *blake3::hash(&round.to_le_bytes()).as_bytes();
        ObjectChallenge::of(&self.record, Account([6; 32]), (beacon, FIRST_HEIGHT + round), ask)
            .expect("the record has a table")
    }

    /// What the miner answers with, if its disk gives these bytes.
    pub fn prover<'a>(&'a self, bytes: &'a &'a [u8]) -> Prover<'a> {
        Prover {
            generators: Generators::standard(),
            record: &self.record,
            key: &self.key,
            secret: &self.secret,
            object: bytes,
            table: &self.table,
        }
    }

    /// The honest answer, with openings.
    pub fn answer(&self, challenge: &ObjectChallenge) -> Vec<u8> {
        self.prover(&&*self.bytes).answer(challenge, true).expect("honest")
    }

    /// The honest answer for a verifier that keeps the table.
    pub fn answer_without_openings(&self, challenge: &ObjectChallenge) -> Vec<u8> {
        self.prover(&&*self.bytes).answer(challenge, false).expect("honest")
    }

    /// The honest answer with these bytes in place of fresh randomness.
    pub fn answer_with_fresh(&self, challenge: &ObjectChallenge, fresh: &[u8; 32]) -> Vec<u8> {
        self.prover(&&*self.bytes).answer_with(challenge, true, fresh).expect("honest")
    }

    /// A response to verify, by a verifier that does not keep the table.
    pub fn case<'a>(&'a self, challenge: &'a ObjectChallenge, response: &'a [u8]) -> PossessionCase<'a> {
        PossessionCase { record: &self.record, challenge, table: None, response }
    }
}

/// The table of an object's commitments.
fn commit(bytes: &[u8], replica: &Replica, key: &BlindingKey) -> CommitmentTable {
    let blocks: Vec<&[u8]> = if bytes.is_empty() { vec![&[]] } else { bytes.chunks(BLOCK_BYTES).collect() };
    let commit = |(i, block): (u64, &[u8])| {
        let scalars = [&block_scalars(block)[..], &[key.scalar(replica, i)]].concat();
        over_generators(Generators::standard(), &scalars).into_affine()
    };
    let points: Vec<_> = (0..).zip(blocks).map(commit).collect();
    CommitmentTable::of_points(&points)
}
