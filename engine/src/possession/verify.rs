//! Verifying possession responses: everything cheap as they arrive, the equation alone or with thousands of others
//! ([`super::batch`]).

use ark_bls12_381::{Fr, G1Affine};
use ark_ff::AdditiveGroup;

use super::challenge::{AuditKind, ObjectChallenge};
use super::commitment_table::{CommitmentTable, TableChunk, place, table_bytes};
use super::equation::{Equation, Words, canonical, imbalance};
use super::fold::{ROUNDS, State, TAIL_SCALARS, next_round};
use super::generators::{GENERATORS, Generators};
use super::group::is_zero_cofactored;
use super::points::{POINT_BYTES, decode_point, decode_points};
use super::record::ObjectRecord;
use super::response::{Parts, ProofBytes, decode};
use super::scalars::decode_scalar;
use super::statement::Statement;
use crate::rejection::{Class, Rejection};
use crate::tree::verify_opening;

/// A response and what it has to answer to.
#[derive(Clone, Copy, Debug)]
pub struct PossessionCase<'a> {
    /// The object's record.
    pub record: &'a ObjectRecord,
    /// What was asked.
    pub challenge: &'a ObjectChallenge,
    /// The record's table, if the verifier keeps it; then a response needs no openings.
    pub table: Option<&'a CommitmentTable>,
    /// What was answered.
    pub response: &'a [u8],
}

/// A response of which everything has been checked but its equation. It borrows nothing: the response's bytes may go.
pub struct CheckedResponse {
    pub(super) equation: Equation,
    /// Challenge digest, first 32 bytes of the transcript's stream, hash of the response: what a batch is bound to.
    pub(super) digests: [[u8; 32]; 3],
}

impl std::fmt::Debug for CheckedResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckedResponse").field("digests", &self.digests).finish_non_exhaustive()
    }
}

/// Verifies one possession response. That the challenge came late enough after the record is
/// [`ObjectChallenge::check_against`]'s to say.
///
/// Refused: as [`CheckedResponse::check`]; `wrong-proof`.
pub fn verify_possession(generators: &Generators, case: &PossessionCase<'_>) -> Result<(), Rejection> {
    CheckedResponse::check(case)?.verify(generators)
}

impl CheckedResponse {
    /// Everything but the equation, cheapest first.
    ///
    /// Refused: `wrong-challenge`, `malformed`, `wrong-length` (before anything is hashed), `wrong-point`, `wrong-root`;
    /// `wrong-record` if the verifier's table is another than the record's.
    pub fn check(case: &PossessionCase<'_>) -> Result<CheckedResponse, Rejection> {
        let PossessionCase { record, challenge, response, .. } = *case;
        challenge.check_place(record)?;
        if challenge.kind != AuditKind::Possession {
            let kind = challenge.kind.name();
            return Err(Class::WrongChallenge.because(format!("a {kind} challenge, verified as possession")));
        }
        let statement = Statement::of(challenge);
        let parts = decode(challenge, &statement, response)?;
        let commitments = match (&parts.openings, case.table) {
            (Some(openings), _) => opened_commitments(record, &statement.blocks, openings)?,
            (None, Some(table)) => kept_commitments(record, &statement.blocks, table)?,
            (None, None) => {
                return Err(
                    Class::Malformed.because("no openings, and this verifier does not keep the table")
                );
            }
        };
        CheckedResponse::assemble(&statement, &parts, &commitments, response)
    }

    /// The equation that these commitments make of a response.
    pub(super) fn assemble(
        statement: &Statement,
        parts: &Parts<'_>,
        commitments: &[[u8; POINT_BYTES]],
        response: &[u8],
    ) -> Result<CheckedResponse, Rejection> {
        let proof = Proof::decode(&parts.proof)?;
        let mut points = Vec::with_capacity(1 + commitments.len() + 2 * ROUNDS);
        points.push(decode_point(parts.mask_point).map_err(named("T"))?);
        points.extend(decode_points(commitments).map_err(named("commitments"))?);
        let (state, c) = statement.transcript(commitments, parts.mask_point);
        let digests = [statement.challenge_digest, state, *blake3::hash(response).as_bytes()];
        Ok(CheckedResponse { equation: proof.equation(points, state, c, &statement.coefficients), digests })
    }

    /// The equation alone.
    ///
    /// Refused: `wrong-proof`.
    pub fn verify(&self, generators: &Generators) -> Result<(), Rejection> {
        let holds = is_zero_cofactored(&imbalance(generators, &[(&self.equation, 1)]));
        if holds { Ok(()) } else { Err(wrong_proof()) }
    }

    /// Memory that it takes, in bytes.
    pub fn held_bytes(&self) -> usize {
        size_of::<CheckedResponse>() + self.equation.held_bytes()
    }
}

pub(super) fn wrong_proof() -> Rejection {
    Class::WrongProof.because("the equation does not hold: the blocks that were asked for are not all held")
}

/// Names what of a response was refused.
fn named(what: &'static str) -> impl FnOnce(Rejection) -> Rejection {
    move |refused| refused.class.because(format!("{what}: {}", refused.detail))
}

/// z, its scalars checked to be canonical and its points to be on the curve.
enum Proof<'r> {
    Plain(Box<[Words; GENERATORS]>),
    Compressed { rounds: &'r [[u8; POINT_BYTES]], points: Vec<G1Affine>, tail: Box<[Fr; TAIL_SCALARS]> },
}

impl<'r> Proof<'r> {
    fn decode(bytes: &ProofBytes<'r>) -> Result<Proof<'r>, Rejection> {
        match *bytes {
            ProofBytes::Plain(z) => {
                let mut scalars = Box::new([[0; 4]; GENERATORS]);
                for (j, (scalar, bytes)) in scalars.iter_mut().zip(z).enumerate() {
                    *scalar = canonical(bytes)
                        .ok_or_else(|| Class::Malformed.because(format!("scalar {j} is not below r")))?;
                }
                Ok(Proof::Plain(scalars))
            }
            ProofBytes::Compressed { rounds, tail: bytes } => {
                let mut tail = Box::new([Fr::ZERO; TAIL_SCALARS]);
                for (scalar, bytes) in tail.iter_mut().zip(bytes) {
                    *scalar = decode_scalar(bytes)?;
                }
                let points = decode_points(rounds).map_err(named("rounds"))?;
                Ok(Proof::Compressed { rounds, points, tail })
            }
        }
    }

    /// The equation, over T and the commitments and what came with the proof.
    fn equation(self, mut points: Vec<G1Affine>, mut state: State, c: u128, rho: &[u128]) -> Equation {
        match self {
            Proof::Plain(z) => Equation::plain(z, points, c, rho),
            Proof::Compressed { rounds, points: of_rounds, tail } => {
                points.extend(of_rounds);
                let mut coefficients = [0; ROUNDS];
                for (coefficient, [left, right]) in coefficients.iter_mut().zip(rounds.as_chunks().0) {
                    (state, *coefficient) = next_round(&state, [left, right]);
                }
                Equation::folded(tail, &coefficients, points, c, rho)
            }
        }
    }
}

/// The commitments of these blocks, from the verifier's own table.
fn kept_commitments(
    record: &ObjectRecord,
    blocks: &[u64],
    table: &CommitmentTable,
) -> Result<Vec<[u8; POINT_BYTES]>, Rejection> {
    if Some(table.root()) != record.table_root || table.blocks() != record.replica.blocks() {
        return Err(Class::WrongRecord.because("the verifier's table is not the one of the record"));
    }
    let point = |block: &u64| *table.point(*block).expect("the table has a point for each block");
    Ok(blocks.iter().map(point).collect())
}

/// The commitments of these blocks, from openings of the table chunks that hold them, in ascending order.
///
/// Refused: `wrong-root`, `wrong-length`, `malformed`.
pub(super) fn opened_commitments<'r>(
    record: &ObjectRecord,
    blocks: &[u64],
    openings: &[(u64, &'r [u8])],
) -> Result<Vec<[u8; POINT_BYTES]>, Rejection> {
    let (root, count) = (record.table_root.unwrap_or_default(), record.replica.blocks());
    let open = |(chunk, opening): &(u64, &'r [u8])| {
        let bytes = verify_opening(*chunk, table_bytes(count), &root, opening).map_err(named("table"))?;
        TableChunk::read(*chunk, count, bytes)
    };
    let opened: Vec<TableChunk<'r>> = openings.iter().map(open).collect::<Result<_, _>>()?;
    let point = |block: &u64| {
        let (chunk, index) = place(*block);
        let at = openings.binary_search_by_key(&chunk, |(chunk, _)| *chunk).expect("opened for each block");
        opened[at].points()[index]
    };
    Ok(blocks.iter().map(point).collect())
}
