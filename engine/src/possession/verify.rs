//! Verifying possession responses: everything cheap as they arrive, the equation alone or with thousands of others
//! ([`super::batch`]).

use ark_bls12_381::{Fr, G1Affine};
use ark_ff::AdditiveGroup;

use super::challenge::{AuditKind, ObjectChallenge};
use super::commitment_table::{CommitmentTable, TableChunk, place, table_bytes};
use super::equation::{Equation, Words, canonical, imbalance};
use super::fold::{ROUNDS, State, TAIL_SCALARS, next_round};
use super::generators::{GENERATORS, Generators};
use super::group::{backend, is_zero_cofactored};
use super::points::{POINT_BYTES, decode_point, decode_points};
use super::record::ObjectRecord;
use super::response::{Parts, ProofBytes, decode};
use super::scalars::decode_scalar;
use super::statement::Statement;
use crate::rejection::{Class, Rejection};
use crate::tree::{Shown, verify_openings};

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
        CheckedResponse::check_together(std::slice::from_ref(case)).pop().expect("a verdict for each case")
    }

    /// The same of many, whose openings are hashed side by side; on the caller's thread.
    ///
    /// Refused, each on its own: as [`CheckedResponse::check`].
    pub fn check_together(cases: &[PossessionCase<'_>]) -> Vec<Result<CheckedResponse, Rejection>> {
        let decoded: Vec<Result<Decoded<'_>, Rejection>> = cases.iter().map(Decoded::of).collect();
        let shown: Vec<Shown<'_>> = decoded.iter().flatten().flat_map(Decoded::shown).collect();
        let mut chunks = verify_openings(backend(), &shown).into_iter();
        decoded.into_iter().map(|decoded| decoded?.finish(&mut chunks)).collect()
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

/// A response whose header and length are right.
struct Decoded<'a> {
    case: PossessionCase<'a>,
    statement: Statement,
    parts: Parts<'a>,
    /// Root of the table that openings are of, if there are any; zeros where the record has none.
    table_root: &'a [u8; 32],
}

impl<'a> Decoded<'a> {
    /// Refused: `wrong-challenge`, `malformed`, `wrong-length`, before anything is hashed.
    fn of(case: &PossessionCase<'a>) -> Result<Decoded<'a>, Rejection> {
        let PossessionCase { record, challenge, response, .. } = *case;
        challenge.check_place(record)?;
        if challenge.kind != AuditKind::Possession {
            let kind = challenge.kind.name();
            return Err(Class::WrongChallenge.because(format!("a {kind} challenge, verified as possession")));
        }
        let statement = Statement::of(challenge);
        let parts = decode(challenge, &statement, response)?;
        let table_root = record.table_root.as_ref().unwrap_or(&[0; 32]);
        Ok(Decoded { case: *case, statement, parts, table_root })
    }

    /// What its openings are claimed to show.
    fn shown(&self) -> impl Iterator<Item = Shown<'a>> {
        let (root, length) = (self.table_root, table_bytes(self.case.record.replica.blocks()));
        let openings = self.parts.openings.iter().flatten();
        openings.map(move |&(index, opening)| Shown { index, length, root, opening })
    }

    /// `chunks` has what came of [`Decoded::shown`], and of the same of others after that.
    fn finish(
        self,
        chunks: &mut impl Iterator<Item = Result<&'a [u8], Rejection>>,
    ) -> Result<CheckedResponse, Rejection> {
        let Decoded { case: PossessionCase { record, table, response, .. }, statement, parts, .. } = self;
        let commitments = match (&parts.openings, table) {
            (Some(openings), _) => {
                let opened: Vec<_> = openings.iter().map(|(chunk, _)| *chunk).zip(chunks).collect();
                commitments_in(record, &statement.blocks, opened)?
            }
            (None, Some(table)) => kept_commitments(record, &statement.blocks, table)?,
            (None, None) => {
                return Err(
                    Class::Malformed.because("no openings, and this verifier does not keep the table")
                );
            }
        };
        CheckedResponse::assemble(&statement, &parts, &commitments, response)
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
pub(super) fn opened_commitments(
    record: &ObjectRecord,
    blocks: &[u64],
    openings: &[(u64, &[u8])],
) -> Result<Vec<[u8; POINT_BYTES]>, Rejection> {
    let (root, length) = (record.table_root.unwrap_or_default(), table_bytes(record.replica.blocks()));
    let shown = openings.iter().map(|&(index, opening)| Shown { index, length, root: &root, opening });
    let chunks = verify_openings(backend(), &shown.collect::<Vec<_>>());
    let named = openings.iter().map(|(chunk, _)| *chunk).zip(chunks);
    commitments_in(record, blocks, named.collect())
}

/// The commitments of these blocks, from the table chunks that hold them, in ascending order, each as its opening was found.
///
/// Refused: `wrong-root`, `wrong-length`, `malformed`.
fn commitments_in<'r>(
    record: &ObjectRecord,
    blocks: &[u64],
    chunks: Vec<(u64, Result<&'r [u8], Rejection>)>,
) -> Result<Vec<[u8; POINT_BYTES]>, Rejection> {
    let count = record.replica.blocks();
    let read = |(chunk, bytes): (u64, Result<&'r [u8], Rejection>)| {
        Ok((chunk, TableChunk::read(chunk, count, bytes.map_err(named("table"))?)?))
    };
    let opened: Vec<(u64, TableChunk<'r>)> = chunks.into_iter().map(read).collect::<Result<_, _>>()?;
    let point = |block: &u64| {
        let (chunk, index) = place(*block);
        let at = opened.binary_search_by_key(&chunk, |(chunk, _)| *chunk).expect("opened for each block");
        opened[at].1.points()[index]
    };
    Ok(blocks.iter().map(point).collect())
}
