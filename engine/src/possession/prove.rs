//! Answering possession challenges (possession-v1 §3–§5).

use std::io;

use ark_bls12_381::Fr;
use ark_ec::CurveGroup;
use zeroize::Zeroizing;

use super::blinding::BlindingKey;
use super::challenge::{AuditKind, Form, ObjectChallenge};
use super::commitment_table::{CommitmentTable, chunks_of, table_chunks};
use super::encode::block_scalars;
use super::fold::{State, fold};
use super::generators::{GENERATORS, Generators};
use super::group::{is_zero_cofactored, over_generators};
use super::mask::DeviceSecret;
use super::points::{POINT_BYTES, decode_point, encode_point};
use super::read::{ObjectBytes, visit_blocks};
use super::record::ObjectRecord;
use super::response::{decode, encode};
use super::scalars::encode_scalar;
use super::statement::Statement;
use super::sums::BlockSums;
use super::verify::{CheckedResponse, opened_commitments};
use crate::rejection::{Class, Rejection};

/// Why a possession challenge was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The challenge is not one that this object answers.
    #[error("the challenge is not for this object: {0}")]
    OtherObject(Rejection),
    /// Bytes could not be read.
    #[error("cannot read the object: {0}; check the disk, then `holdfast object verify`")]
    Read(#[from] io::Error),
    /// The table of commitments is not the record's.
    #[error("the table of commitments is damaged ({0}); compute it again with `holdfast commit --again`")]
    DamagedTable(Rejection),
    /// Blocks are not what was committed to.
    #[error(
        "the disk gave other bytes for blocks {blocks:?} than were committed; run `holdfast object verify` and fetch the \
         object again (if it says that all is well, the blinding key is another one than the table was made with)"
    )]
    Damaged {
        /// Those of the challenge's blocks that do not open their commitments.
        blocks: Vec<u64>,
    },
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// Where openings of a table of commitments come from.
pub trait TableOpenings {
    /// The openings of these chunks of the table, which are ascending (tree-v1 §3).
    ///
    /// # Errors
    /// They could not be read.
    fn open(&self, chunks: &[u64]) -> io::Result<Vec<Vec<u8>>>;
}

impl TableOpenings for CommitmentTable {
    fn open(&self, chunks: &[u64]) -> io::Result<Vec<Vec<u8>>> {
        if chunks.iter().any(|chunk| *chunk >= table_chunks(self.blocks())) {
            let detail = "the table of commitments ends before the record's blocks do";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, detail));
        }
        Ok(chunks.iter().map(|chunk| CommitmentTable::open(self, *chunk)).collect())
    }
}

/// What a miner answers with.
#[derive(Clone, Copy)]
pub struct Prover<'a> {
    /// The generators of all commitments.
    pub generators: &'a Generators,
    /// The object's record.
    pub record: &'a ObjectRecord,
    /// The key that the table was blinded with.
    pub key: &'a BlindingKey,
    /// The miner's own secret.
    pub secret: &'a DeviceSecret,
    /// The object's bytes.
    pub object: &'a dyn ObjectBytes,
    /// Its table of commitments.
    pub table: &'a dyn TableOpenings,
}

impl Prover<'_> {
    /// The response to a possession challenge, which the verifier's own code has accepted; with the openings of the table, or
    /// without for a verifier that keeps it.
    ///
    /// # Errors
    /// [`ProveError`]. What the disk gives wrong is an error, never a wrong response.
    pub fn answer(&self, challenge: &ObjectChallenge, with_openings: bool) -> Result<Vec<u8>, ProveError> {
        let mut fresh = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *fresh)?;
        self.answer_with(challenge, with_openings, &fresh)
    }

    /// The same with the caller's fresh bytes: tests show what becomes of bad ones.
    ///
    /// # Errors
    /// As [`Prover::answer`].
    pub fn answer_with(
        &self,
        challenge: &ObjectChallenge,
        with_openings: bool,
        fresh: &[u8; 32],
    ) -> Result<Vec<u8>, ProveError> {
        challenge.check_place(self.record).map_err(ProveError::OtherObject)?;
        if challenge.kind != AuditKind::Possession {
            let kind = challenge.kind.name();
            let refused =
                Class::WrongChallenge.because(format!("a {kind} challenge, answered as possession"));
            return Err(ProveError::OtherObject(refused));
        }
        let statement = Statement::of(challenge);
        let (openings, commitments) = self.open(&statement.blocks)?;
        let combined = self.combine(&statement)?;
        let masks = self.secret.masks(&statement, fresh);
        let mask_point = encode_point(&over_generators(self.generators, &masks).into_affine());
        let (state, c) = statement.transcript(&commitments, &mask_point);
        let proof = self.proof(challenge.form, state, &masked(&masks, c, &combined));
        let openings = with_openings.then_some(&*openings);
        let response = encode(challenge, &statement, &mask_point, &proof, openings);
        self.check(challenge, &statement, &commitments, &response)?;
        Ok(response)
    }

    /// Openings of the table chunks of these blocks, and the blocks' commitments from them.
    #[expect(clippy::type_complexity, reason = "two lists of bytes")]
    fn open(&self, blocks: &[u64]) -> Result<(Vec<Vec<u8>>, Vec<[u8; POINT_BYTES]>), ProveError> {
        let chunks = chunks_of(blocks);
        let openings = self.table.open(&chunks)?;
        let named: Vec<(u64, &[u8])> = chunks.into_iter().zip(openings.iter().map(Vec::as_slice)).collect();
        let commitments =
            opened_commitments(self.record, blocks, &named).map_err(ProveError::DamagedTable)?;
        Ok((openings, commitments))
    }

    /// μ: the blocks and their blinding, combined, in the order of the generators.
    fn combine(&self, statement: &Statement) -> Result<Zeroizing<Vec<Fr>>, ProveError> {
        let replica = &self.record.replica;
        let mut sums = BlockSums::new();
        let add = |position: usize, block: &[u8]| sums.add(statement.coefficients[position], block);
        visit_blocks(self.object, replica, &statement.blocks, add)?;
        let blinding = statement.blocks.iter().zip(&statement.coefficients);
        let blinding: Fr = blinding.map(|(i, rho)| self.key.scalar(replica, *i) * Fr::from(*rho)).sum();
        let mut combined = Zeroizing::new(Vec::with_capacity(GENERATORS));
        combined.extend_from_slice(&sums.reduce());
        combined.push(blinding);
        Ok(combined)
    }

    /// The bytes of z in this form.
    fn proof(&self, form: Form, state: State, z: &[Fr]) -> Vec<u8> {
        match form {
            Form::Plain => z.iter().flat_map(encode_scalar).collect(),
            Form::Compressed => {
                let folded = fold(self.generators, state, z);
                let points = folded.rounds.iter().flatten().flat_map(encode_point);
                points.chain(folded.tail.iter().flat_map(encode_scalar)).collect()
            }
        }
    }

    /// A response that would be refused must not leave: a validator counts it as a lie, a miner can repair it.
    fn check(
        &self,
        challenge: &ObjectChallenge,
        statement: &Statement,
        commitments: &[[u8; POINT_BYTES]],
        response: &[u8],
    ) -> Result<(), ProveError> {
        let verdict = decode(challenge, statement, response)
            .and_then(|parts| CheckedResponse::assemble(statement, &parts, commitments, response))
            .and_then(|checked| checked.verify(self.generators));
        let Err(refused) = verdict else { return Ok(()) };
        let blocks = self.damaged(&statement.blocks, commitments)?;
        // With every block right, the table holds bytes that are no points.
        if blocks.is_empty() {
            Err(ProveError::DamagedTable(refused))
        } else {
            Err(ProveError::Damaged { blocks })
        }
    }

    /// Those of these blocks that do not open their commitments, by ascending block.
    fn damaged(&self, blocks: &[u64], commitments: &[[u8; POINT_BYTES]]) -> Result<Vec<u64>, ProveError> {
        let replica = &self.record.replica;
        let mut damaged = Vec::new();
        visit_blocks(self.object, replica, blocks, |position, block| {
            let block_number = blocks[position];
            let scalars = [&block_scalars(block)[..], &[self.key.scalar(replica, block_number)]].concat();
            let opened = over_generators(self.generators, &scalars);
            let holds = decode_point(&commitments[position])
                .is_ok_and(|commitment| is_zero_cofactored(&(opened - commitment)));
            if !holds {
                damaged.push(block_number);
            }
        })?;
        Ok(damaged)
    }
}

/// `z = t + c·μ`.
fn masked(masks: &[Fr], c: u128, combined: &[Fr]) -> Vec<Fr> {
    let c = Fr::from(c);
    masks.iter().zip(combined).map(|(mask, combined)| *mask + c * combined).collect()
}
